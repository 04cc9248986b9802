package audit

import (
	"context"

	"dragoman.dev/dragoman/internal/record"
)

// Feed is told of every frame that the store takes in, for those who hear of what happens at once.
// The calls are never concurrent. A session's frames come in order; they come again from frame 0 when the store
// reads its file again, as after a restart.
type Feed interface {
	// Frame takes a frame; its payload is valid during the call.
	Frame(session string, f record.Frame)
	// Commit keeps what came since the last call: only then is it acknowledged to its node. The
	// bodies are on the disk. An error refuses the batch.
	Commit(ctx context.Context) error
	// Drop forgets what came since the last Commit: it will come again.
	Drop()
}

// frame hands a frame to the feed and the index.
func (b *batch) frame(l *session, f record.Frame) error {
	if feed := b.s.opt.Feed; feed != nil {
		feed.Frame(l.id, f)
	}
	return b.ops.frame(l, f)
}

// known is frame for one that the index has: it counts, and nothing is written again.
func (b *batch) known(l *session, f record.Frame) error {
	if feed := b.s.opt.Feed; feed != nil {
		feed.Frame(l.id, f)
	}
	o := ops{decoder: b.ops.decoder}
	return o.frame(l, f)
}

func (s *Store) feedCommit(ctx context.Context) error {
	if s.opt.Feed == nil {
		return nil
	}
	return s.opt.Feed.Commit(context.WithoutCancel(ctx))
}

func (s *Store) feedDrop() {
	if s.opt.Feed != nil {
		s.opt.Feed.Drop()
	}
}
