package token

import (
	"context"
	"slices"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/identity"
)

// pollEvery is how often another process's revocations are looked for in SQLite. Our own wake the feed at once.
const pollEvery = 200 * time.Millisecond

// feed tells subscribers of revocations, in order, from one goroutine.
type feed struct {
	store *Store
	kick  chan struct{}
	stop  context.CancelFunc
	done  chan struct{}

	mu   sync.Mutex
	subs map[int]func(identity.Revocation)
	next int
}

func newFeed(s *Store, last int64) *feed {
	ctx, stop := context.WithCancel(context.Background())
	f := &feed{store: s, kick: make(chan struct{}, 1), stop: stop, done: make(chan struct{}), subs: map[int]func(identity.Revocation){}}
	go f.run(ctx, last)
	return f
}

func (f *feed) close() {
	f.stop()
	<-f.done
}

func (f *feed) wake() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// Subscribe implements identity.Revocations.
func (s *Store) Subscribe(fn func(identity.Revocation)) (cancel func()) {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	key := f.next
	f.next++
	f.subs[key] = fn
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs, key)
	}
}

func (f *feed) run(ctx context.Context, last int64) {
	defer close(f.done)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		f.store.d.watch(ctx, f.store, f.wake)
	}()
	defer func() { <-watching }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.kick:
			last = f.deliver(ctx, last)
		}
	}
}

func (f *feed) deliver(ctx context.Context, last int64) int64 {
	news, err := f.store.revocations(ctx, `SELECT `+revocationColumns+` FROM revocation WHERE id > ? ORDER BY id`, last)
	if err != nil {
		if ctx.Err() == nil {
			f.store.log.Error("reading revocations", "err", err)
			f.wake() // again with the next turn
			time.Sleep(10 * time.Millisecond)
		}
		return last
	}
	for _, r := range news {
		for _, fn := range f.subscribers() {
			fn(r)
		}
		last = r.ID
	}
	return last
}

func (f *feed) subscribers() []func(identity.Revocation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	keys := make([]int, 0, len(f.subs))
	for k := range f.subs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	fns := make([]func(identity.Revocation), len(keys))
	for i, k := range keys {
		fns[i] = f.subs[k]
	}
	return fns
}
