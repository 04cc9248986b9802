package sqlindex

import (
	"context"
	"database/sql"
	"errors"
)

// Delete implements index.Index.
func (x *Index) Delete(ctx context.Context, id string) error {
	tx, err := x.d.begin(ctx, x.db)
	if err != nil {
		return failed("delete", err)
	}
	defer tx.Rollback() // after Commit: nothing
	st := x.statements(ctx, tx)
	var n int64
	if !st.get("SELECT n FROM sessions WHERE id = ?", []any{id}, &n) {
		if errors.Is(st.err, sql.ErrNoRows) {
			return nil
		}
		return failed("delete", st.err)
	}
	x.d.deleteTexts(st, n)
	for _, table := range []string{"facts", "actions", "sessions"} {
		st.exec("DELETE FROM "+table+" WHERE n = ?", n)
	}
	if st.err == nil {
		x.d.wrote(st, []string{id})
	}
	if st.err != nil {
		return failed("delete", st.err)
	}
	if err := tx.Commit(); err != nil {
		return failed("delete", err)
	}
	x.forget()
	x.watch.tell(id)
	return nil
}
