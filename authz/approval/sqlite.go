package approval

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

var sqliteSchema = []string{`
CREATE TABLE hold (
	id      TEXT PRIMARY KEY,
	version INTEGER NOT NULL,
	owner   TEXT NOT NULL,
	state   TEXT NOT NULL,
	target  TEXT NOT NULL,
	session TEXT NOT NULL,
	created INTEGER NOT NULL, -- Unix nanoseconds
	body    TEXT NOT NULL     -- JSON of hold.Hold
) STRICT;
CREATE INDEX hold_created ON hold (created);
CREATE INDEX hold_open ON hold (owner) WHERE state IN ('pending', 'approved');
CREATE INDEX hold_session ON hold (session);
`}

// SQLite is the store of a single control plane. Its Watch sees the changes
// of this process only.
type SQLite struct {
	db *sql.DB

	mu   sync.Mutex
	subs map[int]func(Change)
	next int
}

var _ Store = (*SQLite)(nil)

// NewSQLite prepares the tables in db (see sqlitedb.Open), which stays the caller's.
func NewSQLite(ctx context.Context, db *sql.DB) (*SQLite, error) {
	if err := sqlitedb.Migrate(ctx, db, "hold", sqliteSchema...); err != nil {
		return nil, err
	}
	return &SQLite{db: db, subs: map[int]func(Change){}}, nil
}

// Create implements Store.
func (s *SQLite) Create(ctx context.Context, r Record) error {
	body, err := json.Marshal(r.Hold)
	if err != nil {
		return fmt.Errorf("approval: %w", err)
	}
	h := r.Hold
	_, err = s.db.ExecContext(ctx, `INSERT INTO hold VALUES (?, 1, ?, ?, ?, ?, ?, ?)`,
		h.ID, r.Owner, string(h.State), h.Target, h.Session, h.Created.UnixNano(), string(body))
	if sqlitedb.IsUnique(err) {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("approval: keeping a hold: %w", err)
	}
	s.changed(h.ID)
	return nil
}

// Get implements Store.
func (s *SQLite) Get(ctx context.Context, id string) (Record, error) {
	r, err := scan(s.db.QueryRowContext(ctx, `SELECT version, owner, body FROM hold WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, ErrNotFound
	}
	return r, err
}

func scan(row interface{ Scan(...any) error }) (Record, error) {
	var r Record
	var body string
	if err := row.Scan(&r.Version, &r.Owner, &body); err != nil {
		return Record{}, fmt.Errorf("approval: reading a hold: %w", err)
	}
	if err := json.Unmarshal([]byte(body), &r.Hold); err != nil {
		return Record{}, fmt.Errorf("approval: reading a hold: %w", err)
	}
	return r, nil
}

// Update implements Store.
func (s *SQLite) Update(ctx context.Context, r Record) (int64, error) {
	body, err := json.Marshal(r.Hold)
	if err != nil {
		return 0, fmt.Errorf("approval: %w", err)
	}
	res, err := s.db.ExecContext(ctx, `UPDATE hold SET version = version + 1, state = ?, body = ?
		WHERE id = ? AND version = ? AND state IN ('pending', 'approved')`, string(r.Hold.State), string(body), r.Hold.ID, r.Version)
	if err != nil {
		return 0, fmt.Errorf("approval: changing a hold: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		if _, err := s.Get(ctx, r.Hold.ID); err != nil {
			return 0, err
		}
		return 0, ErrConflict
	}
	s.changed(r.Hold.ID)
	return r.Version + 1, nil
}

// List implements Store.
func (s *SQLite) List(ctx context.Context, f Filter) ([]Record, error) {
	query, args := f.query()
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("approval: listing holds: %w", err)
	}
	return scanAll(rows)
}

func scanAll(rows *sql.Rows) ([]Record, error) {
	defer rows.Close()
	list := []Record{}
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("approval: listing holds: %w", err)
	}
	return list, nil
}

// query chooses holds, with ? for values.
func (f Filter) query() (string, []any) {
	query, args := `SELECT version, owner, body FROM hold WHERE 1 = 1`, []any{}
	if len(f.States) > 0 {
		query += ` AND state IN (?` + strings.Repeat(", ?", len(f.States)-1) + `)`
		for _, st := range f.States {
			args = append(args, string(st))
		}
	}
	for _, c := range []struct{ column, value string }{{"target", f.Target}, {"session", f.Session}, {"owner", f.Owner}} {
		if c.value != "" {
			query += ` AND ` + c.column + ` = ?`
			args = append(args, c.value)
		}
	}
	if !f.Since.IsZero() {
		query += ` AND created >= ?`
		args = append(args, f.Since.UnixNano())
	}
	return query + ` ORDER BY created DESC, id DESC LIMIT ?`, append(args, f.limit())
}

func (f Filter) limit() int {
	if f.Limit <= 0 {
		return DefaultLimit
	}
	return min(f.Limit, MaxLimit)
}

// Prune implements Store.
func (s *SQLite) Prune(ctx context.Context, before time.Time) (int64, error) {
	return pruned(s.db.ExecContext(ctx, `DELETE FROM hold WHERE created < ? AND state NOT IN ('pending', 'approved')`, before.UnixNano()))
}

func pruned(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, fmt.Errorf("approval: pruning holds: %w", err)
	}
	return res.RowsAffected()
}

// Watch implements Store.
func (s *SQLite) Watch(f func(Change)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.next
	s.next++
	s.subs[key] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, key)
	}
}

func (s *SQLite) changed(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.subs {
		f(Change{ID: id})
	}
}

// open are the states that a restart must end.
var open = []hold.State{hold.Pending, hold.Approved}
