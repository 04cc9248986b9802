package mcp

import (
	"reflect"
	"slices"
	"sync"

	"dragoman.dev/dragoman/internal/mask"
)

// Asked is what has to be known of a request when its answer comes.
type Asked struct {
	Method string
	Tool   string // of tools/call
	// Plan masks the answer; nil masks nothing.
	Plan *mask.Plan
	// Masks are what the plan was made of.
	Masks []mask.Spec
	// Allow says whether the identity may call a tool. Tools that it may not call are left out of the
	// answer to tools/list; nil leaves all out.
	Allow func(tool string) bool
}

// Conversation matches answers with requests for one MCP session: an answer may come
// in the response to the POST, or later on a stream that was resumed. It is safe for concurrent use.
type Conversation struct {
	mu      sync.Mutex
	lim     Limits
	waiting map[ID]Asked
	order   []ID // oldest first; may name some that were answered
	masks   []mask.Spec
}

// maxMasks bounds what a conversation remembers of masks; a policy has few.
const maxMasks = 1024

// NewConversation is one in which nothing was asked.
func NewConversation(lim Limits) *Conversation {
	return &Conversation{lim: lim.withDefaults(), waiting: map[ID]Asked{}}
}

// Ask notes a request that is going to be sent. An id that still waits for its
// answer is an *Error. When too many wait, the oldest is forgotten, and its answer will not be let through.
func (c *Conversation) Ask(m *Message, asked Asked) error {
	if m.Kind != Request {
		return nil
	}
	asked.Method, asked.Tool = m.Method, m.tool
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.waiting[m.ID]; taken {
		return &Error{Code: codeInvalid, Message: "the id is that of a request that still waits for its answer", ID: m.ID}
	}
	for len(c.waiting) >= c.lim.Pending {
		c.forgetOldest()
	}
	if c.masks = Union(c.masks, asked.Masks); len(c.masks) > maxMasks {
		return &Error{Code: codeInvalid, Message: "the session has been under too many masks; begin another", ID: m.ID}
	}
	c.waiting[m.ID] = asked
	c.order = append(c.order, m.ID)
	if len(c.order) > 2*c.lim.Pending {
		c.tidy()
	}
	return nil
}

// Masks are those of all that was asked. They hold for what answers nothing, on a stream on which what belongs to
// an earlier request may come.
func (c *Conversation) Masks() []mask.Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.masks)
}

// Union is all masks of both lists, each once, in their order.
func Union(a, b []mask.Spec) []mask.Spec {
	out := slices.Clip(a)
	for _, s := range b {
		if !slices.ContainsFunc(out, func(t mask.Spec) bool { return reflect.DeepEqual(s, t) }) {
			out = append(out, s)
		}
	}
	return out
}

// Forget takes back a request that was not sent after all.
func (c *Conversation) Forget(id ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// answered gives what was asked under the id, once.
func (c *Conversation) answered(id ID) (Asked, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.waiting[id]
	delete(c.waiting, id)
	return a, ok
}

func (c *Conversation) forgetOldest() {
	for len(c.order) > 0 {
		id := c.order[0]
		c.order = c.order[1:]
		if _, ok := c.waiting[id]; ok {
			delete(c.waiting, id)
			return
		}
	}
}

// tidy drops from the order what was answered. An id that is asked again is older than it says, which does no harm.
func (c *Conversation) tidy() {
	keep := make([]ID, 0, len(c.waiting))
	seen := map[ID]bool{}
	for _, id := range c.order {
		if _, ok := c.waiting[id]; ok && !seen[id] {
			seen[id] = true
			keep = append(keep, id)
		}
	}
	c.order = keep
}
