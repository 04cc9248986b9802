package mcp

import (
	"slices"
	"strings"
	"sync"
)

// Conversations are those of one target, by a key: the identity, a slash, and
// the MCP session (the header Mcp-Session-Id). Nobody has part in another's, and nobody can push out
// another's: what is before the slash is the owner, who may have maxOwned. It is safe for concurrent use.
type Conversations struct {
	mu      sync.Mutex
	lim     Limits
	byOwner map[string][]owned // oldest first
	owners  []string           // oldest first; may name some that have none any more
}

type owned struct {
	key  string
	conv *Conversation
}

// Bounds of conversations: of one owner, and of owners. Beyond them the oldest are forgotten.
const (
	maxOwned  = 512
	maxOwners = 16384
)

// NewConversations bounds each conversation by lim.
func NewConversations(lim Limits) *Conversations {
	return &Conversations{lim: lim, byOwner: map[string][]owned{}}
}

// Of is the conversation under a key, a new one when there is none. The key "" is always
// a new one: that of a client that has no session yet. Keep puts it under its key once the server has given one.
func (c *Conversations) Of(key string) *Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conv := c.find(key); conv != nil {
		return conv
	}
	conv := NewConversation(c.lim)
	if key != "" {
		c.keep(key, conv)
	}
	return conv
}

// Keep puts a conversation under a key, unless there is one.
func (c *Conversations) Keep(key string, conv *Conversation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key != "" && c.find(key) == nil {
		c.keep(key, conv)
	}
}

// End forgets the conversation of a session that has ended.
func (c *Conversations) End(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := owner(key)
	c.byOwner[o] = slices.DeleteFunc(c.byOwner[o], func(x owned) bool { return x.key == key })
	if len(c.byOwner[o]) == 0 {
		delete(c.byOwner, o)
	}
}

func owner(key string) string {
	o, _, _ := strings.Cut(key, "/")
	return o
}

func (c *Conversations) find(key string) *Conversation {
	for _, x := range c.byOwner[owner(key)] {
		if x.key == key {
			return x.conv
		}
	}
	return nil
}

func (c *Conversations) keep(key string, conv *Conversation) {
	o := owner(key)
	list, known := c.byOwner[o]
	if len(list) >= maxOwned {
		list = slices.Delete(list, 0, len(list)-maxOwned+1)
	}
	c.byOwner[o] = append(list, owned{key, conv})
	if known {
		return
	}
	for len(c.byOwner) > maxOwners && len(c.owners) > 0 {
		delete(c.byOwner, c.owners[0])
		c.owners = c.owners[1:]
	}
	if c.owners = append(c.owners, o); len(c.owners) > 2*maxOwners {
		c.owners = slices.DeleteFunc(c.owners, func(o string) bool { return c.byOwner[o] == nil })
	}
}
