package notify

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/export"
)

const (
	batchEvents = 100
	batchBytes  = 1 << 20
	minBackoff  = time.Second
	maxBackoff  = 5 * time.Minute
	// sendTimeout bounds one attempt.
	sendTimeout = 30 * time.Second
	// endGrace is how long an attempt may go on after the end.
	endGrace = 5 * time.Second
	// look is how often the outbox is looked at without being told.
	look = 30 * time.Second
	// lookBusy is the same while another process sends.
	lookBusy = 5 * time.Second
)

// ErrRejected says that a sink will never take what it was sent; any other error is tried again.
var ErrRejected = errors.New("rejected")

// Sink is where events go.
type Sink interface {
	Name() string
	// Send hands over events in their order. What it is told again, it gets again.
	Send(ctx context.Context, events []export.Event) error
}

// Delivery sends what is in the outbox to the sinks, each at its own pace.
type Delivery struct {
	Outbox Outbox
	Sinks  []Sink
	Log    *slog.Logger
	// Backoff is the first wait after a failure; 0 means 1 s. It doubles up to 5 minutes.
	Backoff time.Duration

	mu    sync.Mutex
	wakes []chan struct{}
}

// Wake says that there is something new.
func (d *Delivery) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.wakes {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Run delivers until ctx ends.
func (d *Delivery) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range d.Sinks {
		wake := make(chan struct{}, 1)
		d.mu.Lock()
		d.wakes = append(d.wakes, wake)
		d.mu.Unlock()
		wg.Go(func() { d.sink(ctx, s, wake) })
	}
	wg.Wait()
}

// sink delivers to one. A batch that is rejected is tried in halves, so that only what is
// rejected by itself is left out.
func (d *Delivery) sink(ctx context.Context, s Sink, wake <-chan struct{}) {
	first := d.Backoff
	if first <= 0 {
		first = minBackoff
	}
	wait, limit := first, batchEvents
	for ctx.Err() == nil {
		n, err := d.once(ctx, s, limit)
		pause := time.Duration(0)
		switch {
		case err == nil && n == 0:
			pause, wait = look, first
		case errors.Is(err, ErrBusy):
			pause, wait, err = lookBusy, first, nil
		case err == nil:
			wait, limit = first, min(2*limit, batchEvents)
			continue
		case errors.Is(err, ErrRejected) && n > 1:
			limit = n / 2
			continue
		case errors.Is(err, ErrRejected):
			continue // left out
		case ctx.Err() == nil:
			d.Log.Warn("events are not taken; they wait", "sink", s.Name(), "again_in", wait, "err", err)
			pause = wait/2 + rand.N(wait/2+1)
			wait = min(2*wait, maxBackoff)
		}
		woken := wake
		if err != nil {
			woken = nil // news is no reason to try earlier
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-woken:
		}
		timer.Stop()
	}
}

// once sends one batch and returns how many events it had.
func (d *Delivery) once(ctx context.Context, s Sink, limit int) (int, error) {
	items, err := d.Outbox.Next(ctx, s.Name(), limit, batchBytes)
	if err != nil || len(items) == 0 {
		return 0, err
	}
	events := make([]export.Event, len(items))
	for i, it := range items {
		events[i] = it.Event
	}
	last := items[len(items)-1].N
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	// One that is under way when we end may come to its end, and is noted, so that it need not come again.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(endGrace, cancel) })()
	err = s.Send(attempt, events)
	ctx, cancelDone := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancelDone()
	switch {
	case err == nil:
		return len(items), d.Outbox.Done(ctx, s.Name(), last, len(items), 0)
	case errors.Is(err, ErrRejected) && len(items) == 1:
		d.Log.Error("an event is never taken; it is left out", "sink", s.Name(), "event", events[0].ID, "err", err)
		return 1, errors.Join(err, d.Outbox.Done(ctx, s.Name(), last, 0, 1))
	}
	return len(items), err
}
