package approval

import (
	"context"
	"fmt"
	"sync"

	"dragoman.dev/dragoman/internal/hold"
)

// Bounds of what waits in one process.
const (
	maxWaiting           = 10_000
	maxWaitingPerSession = 64
	// maxBehind is how many changed holds a watcher may be behind.
	maxBehind = 4096
)

// waiters wakes the calls that wait for a hold, and watchers, when the store
// says that something changed. The zero value is ready.
type waiters struct {
	mu         sync.Mutex
	byID       map[string]*waiter
	perSession map[string]int
	watchers   map[*watcher]struct{}
}

type waiter struct {
	wake    chan struct{} // holds one
	session string
}

func (w *waiters) add(id, session string) (<-chan struct{}, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byID == nil {
		w.byID, w.perSession = map[string]*waiter{}, map[string]int{}
	}
	if _, dup := w.byID[id]; dup {
		return nil, ErrExists
	}
	if len(w.byID) >= maxWaiting || w.perSession[session] >= maxWaitingPerSession {
		return nil, fmt.Errorf("%w: too many actions are held already", ErrInvalid)
	}
	one := &waiter{wake: make(chan struct{}, 1), session: session}
	w.byID[id] = one
	w.perSession[session]++
	return one.wake, nil
}

func (w *waiters) remove(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.byID[id]
	delete(w.byID, id)
	if w.perSession[one.session]--; w.perSession[one.session] == 0 {
		delete(w.perSession, one.session)
	}
}

// changed is the store's Watch function; it never blocks.
func (w *waiters) changed(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.ID == "" {
		for id := range w.byID {
			w.poke(id)
		}
	} else {
		w.poke(c.ID)
	}
	for one := range w.watchers {
		one.note(c.ID)
	}
}

func (w *waiters) poke(id string) {
	if one, ok := w.byID[id]; ok {
		select {
		case one.wake <- struct{}{}:
		default:
		}
	}
}

// Waits reports whether a hold waits in this process: its call is here, and has not ended.
func (s *Service) Waits(id string) bool {
	s.waiters.mu.Lock()
	defer s.waiters.mu.Unlock()
	_, ok := s.waiters.byID[id]
	return ok
}

// watcher collects ids for one Watch; a hold that changes twice before it is
// read is told once, as it then is.
type watcher struct {
	mu     sync.Mutex
	ids    []string
	queued map[string]struct{}
	lost   bool
	wake   chan struct{} // holds one
}

func (w *watcher) note(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, dup := w.queued[id]; !dup {
		if id == "" || len(w.ids) >= maxBehind {
			w.lost = true
		} else {
			w.ids = append(w.ids, id)
			w.queued[id] = struct{}{}
		}
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() (ids []string, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids, w.ids = w.ids, nil
	clear(w.queued)
	return ids, w.lost
}

// Watch sends holds as they are after each change from now on, until ctx
// ends; a state may be told twice. The channel is closed then, and also when the receiver falls too far behind
// or changes may have been missed: it should List and Watch again.
func (s *Service) Watch(ctx context.Context) <-chan hold.Hold {
	out := make(chan hold.Hold, 64)
	one := &watcher{queued: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	s.waiters.mu.Lock()
	if s.waiters.watchers == nil {
		s.waiters.watchers = map[*watcher]struct{}{}
	}
	s.waiters.watchers[one] = struct{}{}
	s.waiters.mu.Unlock()
	go func() {
		defer close(out)
		defer func() {
			s.waiters.mu.Lock()
			defer s.waiters.mu.Unlock()
			delete(s.waiters.watchers, one)
		}()
		for s.follow(ctx, one, out) {
		}
	}()
	return out
}

// follow waits for the next changes and sends them; false ends the watch.
func (s *Service) follow(ctx context.Context, one *watcher, out chan<- hold.Hold) bool {
	select {
	case <-ctx.Done():
		return false
	case <-one.wake:
	}
	ids, lost := one.take()
	for _, id := range ids {
		r, err := s.store.Get(ctx, id)
		if err != nil {
			s.c.Log.Warn("a watch of holds ends", "err", err)
			return false
		}
		select {
		case out <- r.Hold:
		case <-ctx.Done():
			return false
		}
	}
	return !lost
}
