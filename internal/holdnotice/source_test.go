package holdnotice

import (
	"context"
	"sync"

	"dragoman.dev/dragoman/internal/hold"
)

// holds are those of a test: the first watch gives what comes over changes, the second begins when that is closed.
type holds struct {
	here    map[string]bool
	changes chan hold.Hold
	again   chan struct{} // closed at the second watch

	mu      sync.Mutex
	watches int
	waiting []hold.Hold
}

func (h *holds) begin(list ...hold.Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = list
}

func (h *holds) Pending(context.Context) ([]hold.Hold, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting, nil
}

func (h *holds) Waits(id string) bool { return h.here[id] }

func (h *holds) Watch(ctx context.Context) <-chan hold.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watches++; h.watches == 1 {
		return h.changes
	}
	if h.watches == 2 {
		close(h.again)
	}
	out := make(chan hold.Hold)
	go func() { <-ctx.Done(); close(out) }()
	return out
}
