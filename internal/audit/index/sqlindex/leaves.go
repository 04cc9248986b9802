package sqlindex

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"dragoman.dev/dragoman/internal/audit/index"
)

// AddLeaves implements index.Index.
func (x *Index) AddLeaves(ctx context.Context, leaves []index.Leaf) error {
	err := x.change(ctx, func(st *statements) {
		var rows [][]any
		for _, l := range leaves {
			rows = append(rows, []any{int64(l.N), l.Session, l.State, int64(l.Frames), l.Hash, l.FileHash})
		}
		st.rows("INSERT INTO leaves (n, session, state, frames, hash, file_hash) VALUES ", rows, ` ON CONFLICT (n) DO UPDATE SET
 session = excluded.session, state = excluded.state, frames = excluded.frames, hash = excluded.hash, file_hash = excluded.file_hash`)
	})
	if err != nil {
		return failed("leaves", err)
	}
	return nil
}

// change makes a transaction.
func (x *Index) change(ctx context.Context, f func(*statements)) error {
	tx, err := x.d.begin(ctx, x.db)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	st := x.statements(ctx, tx)
	if f(st); st.err != nil {
		return st.err
	}
	return tx.Commit()
}

// HasLeaf implements index.Index.
func (x *Index) HasLeaf(ctx context.Context, l index.Leaf) (bool, error) {
	var n int64
	err := x.rdb.QueryRowContext(ctx, x.d.bind("SELECT count(*) FROM leaves WHERE session = ? AND state = ? AND frames = ? AND hash = ? AND file_hash = ?"),
		l.Session, l.State, int64(l.Frames), l.Hash, l.FileHash).Scan(&n)
	if err != nil {
		return false, failed("leaves", err)
	}
	return n > 0, nil
}

// LastLeaf implements index.Index.
func (x *Index) LastLeaf(ctx context.Context, session string) (uint64, error) {
	var n int64
	err := x.rdb.QueryRowContext(ctx, x.d.bind("SELECT n FROM leaves WHERE session = ? ORDER BY n DESC LIMIT 1"), session).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("%s: %w in the log", session, index.ErrNotFound)
	}
	if err != nil {
		return 0, failed("leaves", err)
	}
	return uint64(n), nil
}

// NextLeaf implements index.Index.
func (x *Index) NextLeaf(ctx context.Context) (uint64, error) {
	var count, next int64
	if err := x.rdb.QueryRowContext(ctx, "SELECT count(*), coalesce(max(n) + 1, 0) FROM leaves").Scan(&count, &next); err != nil {
		return 0, failed("leaves", err)
	}
	if count != next {
		return 0, nil
	}
	return uint64(next), nil
}
