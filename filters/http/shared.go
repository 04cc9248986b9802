package http

import (
	"sync"
	"time"

	"dragoman.dev/dragoman/filters/http/binding"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/session"
)

// shared is what the streams of one session have in common.
type shared struct {
	span  *session.Span
	rt    *session.Runtime
	judge *policy.SessionJudge
	names *binding.Binder

	mu      sync.Mutex
	streams map[*stream]struct{}
	over    bool
	later   map[string]*later // held requests that were answered at once, by digest
}

// later is a held request whose client does not wait.
type later struct {
	held *session.Held
	done bool
	at   time.Time
	res  check.HoldResponse
	err  error
}

// maxLater bounds the held requests of a session whose clients do not wait.
const maxLater = 256

// share finds what the streams of the span share, or makes it.
func (t *target) share(span *session.Span) *shared {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sh := t.live[span.ID()]; sh != nil {
		return sh
	}
	in := span.Input()
	sh := &shared{span: span, rt: t.rt, judge: t.policy.Session(in.Identity, in.Target, in.Session),
		names: t.namesOf(span), streams: map[*stream]struct{}{}, later: map[string]*later{}}
	t.live[span.ID()] = sh
	go t.await(sh)
	return sh
}

// await ends the streams of a session when it has ended.
func (t *target) await(sh *shared) {
	<-sh.span.Done()
	t.mu.Lock()
	delete(t.live, sh.span.ID())
	t.mu.Unlock()
	sh.mu.Lock()
	sh.over = true
	list := make([]*stream, 0, len(sh.streams))
	for s := range sh.streams {
		list = append(list, s)
	}
	for _, l := range sh.later {
		if l.held != nil {
			l.held.Withdraw()
		}
	}
	sh.mu.Unlock()
	for _, s := range list {
		s.host.Post(s.sessionOver)
	}
}

// join adds a stream; false when the session is over.
func (sh *shared) join(s *stream) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.over {
		return false
	}
	sh.streams[s] = struct{}{}
	return true
}

// leave takes a stream out, and gives up its use of the session.
func (sh *shared) leave(s *stream) {
	sh.mu.Lock()
	delete(sh.streams, s)
	sh.mu.Unlock()
	sh.span.Release()
}
