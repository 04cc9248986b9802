package sqlindex

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
)

// statements prepares each text once a transaction and keeps the first error.
type statements struct {
	ctx  context.Context
	tx   *sql.Tx
	bind func(string) string
	made map[string]*sql.Stmt // nil: the driver does it
	err  error
}

func (x *Index) statements(ctx context.Context, tx *sql.Tx) *statements {
	st := &statements{ctx: ctx, tx: tx, bind: x.d.bind}
	if !x.d.direct() {
		st.made = map[string]*sql.Stmt{}
	}
	return st
}

func (s *statements) prepare(text string) *sql.Stmt {
	st := s.made[text]
	if st == nil {
		if st, s.err = s.tx.PrepareContext(s.ctx, s.bind(text)); s.err == nil {
			s.made[text] = st
		}
	}
	return st
}

// exec returns how many rows it changed.
func (s *statements) exec(text string, args ...any) int64 {
	if s.err != nil {
		return 0
	}
	var res sql.Result
	if s.made == nil {
		res, s.err = s.tx.ExecContext(s.ctx, s.bind(text), args...)
	} else if st := s.prepare(text); s.err == nil {
		res, s.err = st.ExecContext(s.ctx, args...)
	}
	if s.err != nil {
		return 0
	}
	n, err := res.RowsAffected()
	s.err = err
	return n
}

// get reads one row; none is the error sql.ErrNoRows.
func (s *statements) get(text string, args []any, to ...any) bool {
	if s.err != nil {
		return false
	}
	if s.made == nil {
		s.err = s.tx.QueryRowContext(s.ctx, s.bind(text), args...).Scan(to...)
	} else if st := s.prepare(text); s.err == nil {
		s.err = st.QueryRowContext(s.ctx, args...).Scan(to...)
	}
	return s.err == nil
}

// together is how many rows one statement inserts, where there are as many.
const together = 50

// rows inserts many.
func (s *statements) rows(insert string, rows [][]any, conflict string) {
	var text string
	var made int
	var args []any
	for len(rows) > 0 && s.err == nil {
		n := 1
		if len(rows) >= together {
			n = together
		}
		if n != made {
			one := "(?" + strings.Repeat(",?", len(rows[0])-1) + ")"
			text, made = insert+one+strings.Repeat(","+one, n-1)+conflict, n
		}
		args = slices.Grow(args[:0], n*len(rows[0]))
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		s.exec(text, args...)
		rows = rows[n:]
	}
}

func duration(n int64) time.Duration { return time.Duration(n) }
