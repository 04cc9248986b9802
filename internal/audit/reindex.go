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
	nodes, err := s.nodes(ctx)
	if err != nil {
		return fmt.Errorf("audit: reindex: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, dropSchema+schema+"DELETE FROM leaves;"); err != nil {
		return fmt.Errorf("audit: reindex: %w", err)
	}
	if err := s.catchUp(ctx); err != nil {
		return fmt.Errorf("audit: reindex: %w", err)
	}
	var bad []error
	err = files(s.dir, func(path, id, ext string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ext == liveExt {
			b := &batch{s: s}
			if _, err := b.load(id, path, nodes[id]); err != nil {
				bad = append(bad, fmt.Errorf("%s: %w", path, err))
				return nil
			}
			return b.commit(ctx)
		}
		err := s.reindexSealed(ctx, path, id, nodes[id])
		var corrupt *record.CorruptError
		if errors.As(err, &corrupt) {
			bad = append(bad, fmt.Errorf("%s: %w", path, err))
			return nil
		}
		return err
	})
	if err != nil {
		bad = append(bad, err)
	}
	if err := errors.Join(bad...); err != nil {
		return fmt.Errorf("audit: reindex: %w", err)
	}
	return nil
}

// nodes keeps the one thing that the files do not prove: which node shipped a session.
func (s *Store) nodes(ctx context.Context) (map[string]string, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, node FROM sessions")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var id, node string
		if err := rows.Scan(&id, &node); err != nil {
			return nil, err
		}
		all[id] = node
	}
	return all, rows.Err()
}

// reindexFrames is how many frames go into one transaction.
const reindexFrames = 2000

func (s *Store) reindexSealed(ctx context.Context, path, id, node string) error {
	r, err := record.OpenPath(path)
	if err != nil {
		return err
	}
	defer r.Close()
	l := newSession(id, path)
	l.row.File, l.row.Node, l.row.Sealed, l.row.Live = s.relative(path), node, true, false
	o := &ops{}
	var failed error
	for n := uint64(0); failed == nil; n++ {
		f, err := r.Next()
		if err != nil {
			failed = err
			break
		}
		if err := o.frame(l, f); err != nil {
			return err
		}
		l.row.Frames = n + 1
		if n%reindexFrames == reindexFrames-1 {
			if err := o.commit(ctx, s.db); err != nil {
				return err
			}
			o = &ops{}
		}
	}
	h := r.Hash()
	l.row.Stream, l.row.Hash = r.Offset(), hex.EncodeToString(h[:])
	o.sessions = append(o.sessions, &l.row)
	if err := o.commit(ctx, s.db); err != nil {
		return err
	}
	if failed == io.EOF {
		return nil
	}
	return failed
}
