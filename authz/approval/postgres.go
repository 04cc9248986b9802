package approval

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/pgdb"
)

const postgresSchema = `
CREATE TABLE hold (
	id      TEXT PRIMARY KEY,
	version BIGINT NOT NULL,
	owner   TEXT NOT NULL,
	state   TEXT NOT NULL,
	target  TEXT NOT NULL,
	session TEXT NOT NULL,
	created BIGINT NOT NULL, -- Unix nanoseconds
	body    BYTEA NOT NULL   -- JSON of hold.Hold; bytes, because statements may have zeros
);
CREATE INDEX hold_created ON hold (created);
CREATE INDEX hold_open ON hold (owner) WHERE state IN ('pending', 'approved');
CREATE INDEX hold_session ON hold (session);
`

// holdChannel carries ids of holds that changed.
const holdChannel = "hold"

// Postgres is the store of several control planes. Its Watch sees everybody's changes.
type Postgres struct{ db *pgdb.DB }

var _ Store = (*Postgres)(nil)

// NewPostgres prepares the tables in db, which stays the caller's.
func NewPostgres(ctx context.Context, db *pgdb.DB) (*Postgres, error) {
	if err := db.Migrate(ctx, "hold", postgresSchema); err != nil {
		return nil, err
	}
	return &Postgres{db: db}, nil
}

// change runs one statement, and tells everybody in the same transaction, if a row changed.
func (s *Postgres) change(ctx context.Context, id, query string, args ...any) (int64, error) {
	tx, err := s.db.SQL.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return n, err
	}
	if _, err := tx.ExecContext(ctx, pgdb.Notify, holdChannel+":"+id); err != nil {
		return 0, err
	}
	return n, tx.Commit()
}

// Create implements Store.
func (s *Postgres) Create(ctx context.Context, r Record) error {
	body, err := json.Marshal(r.Hold)
	if err != nil {
		return fmt.Errorf("approval: %w", err)
	}
	h := r.Hold
	_, err = s.change(ctx, h.ID, `INSERT INTO hold VALUES ($1, 1, $2, $3, $4, $5, $6, $7)`,
		h.ID, r.Owner, string(h.State), h.Target, h.Session, h.Created.UnixNano(), body)
	if pgdb.IsUnique(err) {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("approval: keeping a hold: %w", err)
	}
	return nil
}

// Get implements Store.
func (s *Postgres) Get(ctx context.Context, id string) (Record, error) {
	if !storable(id) {
		return Record{}, ErrNotFound
	}
	r, err := scan(s.db.SQL.QueryRowContext(ctx, `SELECT version, owner, body FROM hold WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, ErrNotFound
	}
	return r, err
}

// storable reports whether PostgreSQL takes a text; what it does not take names nothing that is there.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// Update implements Store.
func (s *Postgres) Update(ctx context.Context, r Record) (int64, error) {
	body, err := json.Marshal(r.Hold)
	if err != nil {
		return 0, fmt.Errorf("approval: %w", err)
	}
	n, err := s.change(ctx, r.Hold.ID, `UPDATE hold SET version = version + 1, state = $1, body = $2
		WHERE id = $3 AND version = $4 AND state IN ('pending', 'approved')`, string(r.Hold.State), body, r.Hold.ID, r.Version)
	if err != nil {
		return 0, fmt.Errorf("approval: changing a hold: %w", err)
	}
	if n != 1 {
		if _, err := s.Get(ctx, r.Hold.ID); err != nil {
			return 0, err
		}
		return 0, ErrConflict
	}
	return r.Version + 1, nil
}

// List implements Store.
func (s *Postgres) List(ctx context.Context, f Filter) ([]Record, error) {
	if !storable(f.Target) || !storable(f.Session) || !storable(f.Owner) {
		return nil, nil
	}
	query, args := f.query()
	for n := range args {
		query = strings.Replace(query, "?", "$"+strconv.Itoa(n+1), 1)
	}
	rows, err := s.db.SQL.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("approval: listing holds: %w", err)
	}
	return scanAll(rows)
}

// Prune implements Store.
func (s *Postgres) Prune(ctx context.Context, before time.Time) (int64, error) {
	return pruned(s.db.SQL.ExecContext(ctx, `DELETE FROM hold WHERE created < $1 AND state NOT IN ('pending', 'approved')`, before.UnixNano()))
}

// Watch implements Store.
func (s *Postgres) Watch(f func(Change)) (cancel func()) {
	return s.db.Listen(holdChannel, func(id string) { f(Change{ID: id}) })
}
