package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"sync"
)

// spans finds the span that a request belongs to, and opens each once however many
// requests ask for it at the same time.
type spans struct {
	shard [shards]struct {
		mu sync.Mutex
		m  map[string]*spanEntry
	}
}

// spanEntry is a span, or one that is being opened.
type spanEntry struct {
	span    *Span
	waiting []func(*Span, error) // nil once it is open
}

func (l *spans) init() {
	for i := range l.shard {
		l.shard[i].m = map[string]*spanEntry{}
	}
}

// SpanKey makes a key of what a session is for: target, credential, client. The parts are secret
// (tokens), so the key is a digest of them, each with its length.
func SpanKey(parts ...string) string {
	var stack [512]byte
	b := stack[:0]
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	sum := sha256.Sum256(b)
	return string(sum[:])
}

// Span gives the live span of a key, or opens it as o says. done is called once: before
// Span returns when there is one, from another goroutine otherwise. The span that it gets has
// one more user, who calls Release. Keys are made by SpanKey of everything that proves who asks.
//
// o.Ended is that of whoever opened it; others learn of the end by Done, or because Record fails.
func (rt *Runtime) Span(key string, o SpanOpening, done func(*Span, error)) {
	sh := &rt.spans.shard[maphash.String(seed, key)%shards]
	sh.mu.Lock()
	e := sh.m[key]
	if e != nil && e.span != nil {
		if e.span.Acquire() {
			sh.mu.Unlock()
			done(e.span, nil)
			return
		}
		e = nil // it ends just now
	}
	if e != nil {
		e.waiting = append(e.waiting, done)
		sh.mu.Unlock()
		return
	}
	e = &spanEntry{waiting: []func(*Span, error){done}}
	sh.m[key] = e
	sh.mu.Unlock()
	go rt.openSpan(key, e, o)
}

// openSpan opens the span of an entry and tells all who wait for it.
func (rt *Runtime) openSpan(key string, e *spanEntry, o SpanOpening) {
	s, err := rt.OpenSpan(context.Background(), o)
	sh := &rt.spans.shard[maphash.String(seed, key)%shards]
	forget := func() {
		sh.mu.Lock()
		if sh.m[key] == e {
			delete(sh.m, key)
		}
		sh.mu.Unlock()
	}
	if err != nil {
		forget()
	}
	sh.mu.Lock()
	waiting := e.waiting
	e.waiting = nil
	if err == nil {
		e.span = s
	}
	sh.mu.Unlock()
	if err == nil {
		s.whenOver(forget)
	}
	for _, done := range waiting {
		// Each waiter is a user of its own; the first one is OpenSpan's.
		if err == nil && !s.Acquire() {
			done(nil, ErrEnded)
			continue
		}
		done(s, err)
	}
	if err == nil {
		s.Release()
	}
}
