package approval

import (
	"context"
	"errors"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/hold"
)

// Bounds of what targets are asked for while holds wait.
const (
	maxAsking    = 4 // at a time; further holds have no estimate
	estimateTime = 10 * time.Second
)

// asking are the questions under way. The zero value is ready.
type asking struct {
	mu     sync.Mutex
	n      int
	closed bool
	all    sync.WaitGroup
}

func (a *asking) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.n >= maxAsking {
		return false
	}
	a.n++
	a.all.Add(1)
	return true
}

func (a *asking) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n--
	a.all.Done()
}

// close waits for what is under way, and lets nothing begin.
func (a *asking) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.all.Wait()
}

// estimate asks the target beside the hold, and notes what it says if the hold still waits by then. stop ends the question.
func (s *Service) estimate(ctx context.Context, h hold.Hold) (stop func()) {
	if s.c.Estimate == nil || !s.asking.begin() {
		return func() {}
	}
	ctx, stop = context.WithTimeout(ctx, estimateTime)
	go func() {
		defer s.asking.end()
		defer stop()
		now, err := s.Show(ctx, h.ID)
		if err != nil || now.State != hold.Pending {
			return
		}
		e, err := s.c.Estimate(ctx, h)
		if err == nil && e != nil {
			_, err = s.change(ctx, h.ID, Event{Kind: Note, Estimate: e})
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrEnded) && !errors.Is(err, ErrIllegal) {
			s.c.Log.Info("a hold has no estimate", "hold", h.ID, "target", h.Target, "err", err)
		}
	}()
	return stop
}
