package session

import (
	"crypto/subtle"
	"hash/maphash"
	"sync"
)

// shards is how many locks the registries are spread over.
const shards = 64

var seed = maphash.MakeSeed()

// Live is what the registry knows of a Session or a Span.
type Live interface {
	// Ident gives the session's id and that of the token which opened it.
	Ident() (id, token string)
	// Finish ends the session, whichever worker it is on; false when it is gone already.
	Finish(reason, message string) bool
}

// liveSessions finds the session that a control message is about.
type liveSessions struct {
	shard [shards]struct {
		mu sync.Mutex
		m  map[string]Live
	}
}

func (l *liveSessions) init() {
	for i := range l.shard {
		l.shard[i].m = map[string]Live{}
	}
}

func (l *liveSessions) add(s Live) {
	id, _ := s.Ident()
	sh := &l.shard[maphash.String(seed, id)%shards]
	sh.mu.Lock()
	sh.m[id] = s
	sh.mu.Unlock()
}

func (l *liveSessions) remove(s Live) {
	id, _ := s.Ident()
	sh := &l.shard[maphash.String(seed, id)%shards]
	sh.mu.Lock()
	delete(sh.m, id)
	sh.mu.Unlock()
}

func (l *liveSessions) end(id, reason, message string) bool {
	sh := &l.shard[maphash.String(seed, id)%shards]
	sh.mu.Lock()
	s := sh.m[id]
	sh.mu.Unlock()
	return s != nil && s.Finish(reason, message)
}

// endByToken ends all sessions that were opened with a credential.
func (l *liveSessions) endByToken(token, reason, message string) int {
	var found []Live
	for i := range l.shard {
		sh := &l.shard[i]
		sh.mu.Lock()
		for _, s := range sh.m {
			if _, t := s.Ident(); t == token {
				found = append(found, s)
			}
		}
		sh.mu.Unlock()
	}
	n := 0
	for _, s := range found {
		if s.Finish(reason, message) {
			n++
		}
	}
	return n
}

func (l *liveSessions) count() int {
	n := 0
	for i := range l.shard {
		l.shard[i].mu.Lock()
		n += len(l.shard[i].m)
		l.shard[i].mu.Unlock()
	}
	return n
}

// Cancel is what a cancel key stands for. Its fields are set before
// AddCancel and not changed while it is registered.
type Cancel struct {
	PID    uint32
	Secret []byte
	// Post runs f on the worker of the session that the key belongs to.
	Post func(f func()) bool
	// Session is the protocol's own view of that session, used within Post only.
	Session any
}

// cancelKeys finds a session by the process id and secret that its client was
// given. Process ids of different servers may be equal.
type cancelKeys struct {
	shard [shards]struct {
		mu sync.Mutex
		m  map[uint32][]*Cancel
	}
}

func (c *cancelKeys) init() {
	for i := range c.shard {
		c.shard[i].m = map[uint32][]*Cancel{}
	}
}

// AddCancel registers a key; the function removes it.
func (rt *Runtime) AddCancel(k *Cancel) (remove func()) {
	sh := &rt.cancels.shard[k.PID%shards]
	sh.mu.Lock()
	sh.m[k.PID] = append(sh.m[k.PID], k)
	sh.mu.Unlock()
	return func() {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		list := sh.m[k.PID]
		for i := range list {
			if list[i] == k {
				list = append(list[:i:i], list[i+1:]...)
				break
			}
		}
		if len(list) == 0 {
			delete(sh.m, k.PID)
			return
		}
		sh.m[k.PID] = list
	}
}

// FindCancel finds the key, comparing secrets in constant time; nil when there is none.
func (rt *Runtime) FindCancel(pid uint32, secret []byte) *Cancel {
	sh := &rt.cancels.shard[pid%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var found *Cancel
	for _, k := range sh.m[pid] {
		if subtle.ConstantTimeCompare(k.Secret, secret) == 1 {
			found = k
		}
	}
	return found
}
