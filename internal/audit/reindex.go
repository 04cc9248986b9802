package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"dragoman.dev/dragoman/internal/record"
)

// Reindex makes the index again from the files. A record that does not verify is
// indexed as far as it does, and named in the error.
func (s *Store) Reindex(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes, err := s.index.Rebuild(ctx)
	if err == nil {
		err = s.catchUp(ctx)
	}
	if err != nil {
		return fmt.Errorf("audit: reindex: %w", err)
	}
	var bad []error
	err = s.bodies(ctx, func(key, id, ext string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ext == liveExt {
			b := s.newBatch()
			if _, err := b.load(ctx, newSession(id, key), nodes[id]); err != nil {
				bad = append(bad, fmt.Errorf("%s: %w", key, err))
				return nil
			}
			return b.commit(ctx)
		}
		err := s.reindexSealed(ctx, key, id, nodes[id])
		var corrupt *record.CorruptError
		if errors.As(err, &corrupt) {
			bad = append(bad, fmt.Errorf("%s: %w", key, err))
			return nil
		}
		return err
	})
	if err == nil {
		err = s.index.Rebuilt(ctx)
	}
	if err := errors.Join(append(bad, err)...); err != nil {
		return fmt.Errorf("audit: reindex: %w", err)
	}
	return nil
}

// reindexFrames is how many frames go into one transaction.
const reindexFrames = 2000

func (s *Store) reindexSealed(ctx context.Context, key, id, node string) error {
	r, err := s.arch.open(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	l := newSession(id, key)
	l.row.Node, l.row.Sealed, l.row.Live = node, true, false
	for failed := error(nil); failed == nil; {
		o := &ops{decoder: &record.ActionDecoder{}}
		for n := 0; n < reindexFrames && failed == nil; n++ {
			var f record.Frame
			if f, failed = r.Next(); failed == nil {
				l.row.Frames++
				failed = o.frame(l, f)
			}
		}
		h := r.Hash()
		l.row.Stream, l.row.Hash = r.Offset(), hex.EncodeToString(h[:])
		o.batch.Sessions = append(o.batch.Sessions, l.row)
		if err := s.index.Write(ctx, &o.batch); err != nil {
			return err
		}
		if failed != nil && failed != io.EOF {
			return failed
		}
	}
	return nil
}
