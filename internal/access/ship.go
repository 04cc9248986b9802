package access

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

const (
	piece = 256 << 10       // bytes given to the store at a time
	retry = 2 * time.Second // when the store did not take them
	look  = 30 * time.Second
)

// shipping is how far the store has what is in the spool.
type shipping struct {
	mu    sync.Mutex
	acked map[string]uint64
}

// run gives to the store what is written, until ctx ends.
func (l *Log) run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		wait := time.Duration(0)
		if err := l.Settle(ctx); err != nil && ctx.Err() == nil {
			l.opt.Log.Error("access log: the store does not take it; it waits in the spool", "err", err)
			wait = retry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
		case <-l.spool.Wake():
		case <-tick.C:
			l.sweep()
			if _, err := l.spool.Recover(); err != nil {
				l.opt.Log.Error("access log: recovery", "err", err)
			}
		}
	}
}

// Settle gives to the store all that was recorded before the call.
func (l *Log) Settle(ctx context.Context) error {
	l.ship.mu.Lock()
	defer l.ship.mu.Unlock()
	var errs []error
	for _, b := range l.spool.Backlogs(nil) {
		err := l.give(ctx, b)
		if errors.Is(err, errDiverged) && !b.Live {
			err = errors.Join(err, l.spool.SetAside(b.Session))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", b.Session, err))
		}
	}
	return errors.Join(errs...)
}

// give ships one session as far as it is, and frees it when it has ended.
func (l *Log) give(ctx context.Context, b record.Backlog) error {
	at, known := l.ship.acked[b.Session]
	if !known {
		ack, err := l.chunk(ctx, ship.Chunk{Session: b.Session})
		if err != nil {
			return err
		}
		at = ack.Offset
	}
	buf := make([]byte, piece)
	for at < b.End {
		n, err := l.spool.ReadAt(b.Session, buf, at)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		ack, err := l.chunk(ctx, ship.Chunk{Session: b.Session, Offset: at, Data: buf[:n]})
		if err != nil {
			return err
		}
		at = ack.Offset
		l.ship.acked[b.Session] = at
	}
	if b.Live || at < b.End {
		return nil
	}
	if _, err := l.chunk(ctx, ship.Chunk{Session: b.Session, Offset: at, Ended: true}); err != nil {
		return err
	}
	delete(l.ship.acked, b.Session)
	if err := l.spool.Release(b.Session, at); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

var errDiverged = errors.New("the store has another record of it")

func (l *Log) chunk(ctx context.Context, c ship.Chunk) (ship.Ack, error) {
	acks, err := l.opt.Ingest.Append(ctx, l.opt.Node, []ship.Chunk{c})
	switch {
	case err != nil:
		return ship.Ack{}, err
	case len(acks) != 1 || acks[0].Retry:
		return ship.Ack{}, errors.New("the store cannot keep it now")
	case acks[0].Diverged:
		return ship.Ack{}, errDiverged
	}
	return acks[0], nil
}
