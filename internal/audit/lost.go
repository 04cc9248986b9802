package audit

import (
	"context"
	"fmt"

	"dragoman.dev/dragoman/internal/record"
)

// Lost closes the record of a live session as lost: for one whose node is known never to come back.
func (s *Store) Lost(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	l := s.live[id]
	if l == nil {
		return fmt.Errorf("audit: %s: %w among live sessions", id, ErrNotFound)
	}
	b := s.newBatch()
	b.touch(l)
	if !l.stream.Ended() {
		b.lost(ctx, l)
	}
	if err := b.commit(ctx); err != nil {
		b.rollback()
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// lost closes a record whose node has nothing more that fits.
func (b *batch) lost(ctx context.Context, l *session) {
	whole := int64(record.StreamHeaderLen + l.stream.Whole())
	now := b.s.opt.Now()
	frame, err := l.stream.Closing(now.UnixNano(), record.Close{Reason: "lost", Message: "the gateway lost the end of the record",
		Actions: uint64(l.row.Actions), Bytes: l.row.Bytes, Duration: max(0, now.Sub(l.row.Started))})
	if err == nil {
		if err = l.body.Truncate(whole); err == nil {
			_, err = l.body.Write(frame)
		}
	}
	if err == nil {
		err = l.body.Sync(ctx) // what a body has only in memory would go with it
	}
	// The file is right now; memory is made from it again, at once if possible.
	l.broken = true
	if err != nil {
		b.s.opt.Log.Error("record cannot be closed", "session", l.id, "error", err)
		return
	}
	if n, err := b.load(ctx, newSession(l.id, l.key), l.row.Node); err == nil {
		n.row.Node = l.row.Node
	}
}

// rollback takes back what the batch wrote, down to what was safe before: after a failed fsync
// nobody knows what the disk has of the rest, so the nodes have to send it again.
func (b *batch) rollback() {
	b.s.feedDrop()
	for _, l := range b.touched {
		if safe := l.safe.Load(); l.body != nil && (safe > 0 || l.created) {
			if err := l.takeBack(int64(record.StreamHeaderLen + safe)); err != nil {
				b.s.opt.Log.Error("record file", "session", l.id, "error", err)
			}
		}
		b.evict(l)
	}
}

func (b *batch) touch(l *session) {
	for _, t := range b.touched {
		if t == l {
			return
		}
	}
	b.touched = append(b.touched, l)
}

func (l *session) takeBack(size int64) error {
	if l.body.Size() <= size {
		return nil
	}
	return l.body.Truncate(size)
}
