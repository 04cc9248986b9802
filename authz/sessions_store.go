package authz

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// storedSession is a live session as a store has it.
type storedSession struct {
	live   Live
	ending string // why it is to end; "" as long as it is not
}

// sessionStore keeps live sessions past the process. It is safe for concurrent use.
type sessionStore interface {
	// add fails when there is one of this id.
	add(ctx context.Context, l Live) error
	// remove removes a session, if it is there.
	remove(ctx context.Context, id string) error
	// end marks a session, if it is there and not marked, so that every replica ends it.
	end(ctx context.Context, id, reason string) error
	all(ctx context.Context) ([]storedSession, error)
	one(ctx context.Context, id string) (s storedSession, there bool, err error)
	// shared: other replicas may change it. Then watch calls f with ids of sessions that changed, or "" for any,
	// from any goroutine; f must not block.
	shared() bool
	watch(f func(id string)) (cancel func())
}

// embeddedSessions is in SQLite.
type embeddedSessions struct{ db *sql.DB }

var sessionSchema = []string{`
CREATE TABLE live_session (
	id   TEXT PRIMARY KEY,
	body TEXT NOT NULL -- JSON of Live
) STRICT;
`, `ALTER TABLE live_session ADD COLUMN ending TEXT NOT NULL DEFAULT ''`}

func newEmbeddedSessions(ctx context.Context, db *sql.DB) (*embeddedSessions, error) {
	return &embeddedSessions{db}, sqlitedb.Migrate(ctx, db, "live_session", sessionSchema...)
}

func (s *embeddedSessions) add(ctx context.Context, l Live) error {
	body, err := json.Marshal(l)
	if err == nil {
		_, err = s.db.ExecContext(ctx, `INSERT INTO live_session (id, body) VALUES (?, ?)`, l.Session.ID, string(body))
	}
	return err
}

func (s *embeddedSessions) remove(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM live_session WHERE id = ?`, id)
	return err
}

func (s *embeddedSessions) end(ctx context.Context, id, reason string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE live_session SET ending = ? WHERE id = ? AND ending = ''`, reason, id)
	return err
}

func (s *embeddedSessions) all(ctx context.Context) ([]storedSession, error) {
	return readSessions(s.db.QueryContext(ctx, `SELECT body, ending FROM live_session`))
}

func (s *embeddedSessions) one(ctx context.Context, id string) (storedSession, bool, error) {
	return readSession(s.db.QueryRowContext(ctx, `SELECT body, ending FROM live_session WHERE id = ?`, id))
}

func (*embeddedSessions) shared() bool                  { return false }
func (*embeddedSessions) watch(func(string)) (_ func()) { return func() {} }

// sharedSessions is in PostgreSQL.
type sharedSessions struct{ db *pgdb.DB }

const sharedSessionSchema = `
CREATE TABLE live_session (
	id     TEXT PRIMARY KEY,
	body   TEXT NOT NULL, -- JSON of Live
	ending TEXT NOT NULL DEFAULT ''
);
`

// sessionChannel carries ids of live sessions that changed.
const sessionChannel = "session"

func newSharedSessions(ctx context.Context, db *pgdb.DB) (*sharedSessions, error) {
	return &sharedSessions{db}, db.Migrate(ctx, "live_session", sharedSessionSchema)
}

// change runs one statement, and tells everybody in the same transaction, if a row changed.
func (s *sharedSessions) change(ctx context.Context, id, query string, args ...any) error {
	tx, err := s.db.SQL.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit: nothing
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, pgdb.Notify, sessionChannel+":"+id); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *sharedSessions) add(ctx context.Context, l Live) error {
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return s.change(ctx, l.Session.ID, `INSERT INTO live_session (id, body) VALUES ($1, $2)`, l.Session.ID, string(body))
}

func (s *sharedSessions) remove(ctx context.Context, id string) error {
	return s.change(ctx, id, `DELETE FROM live_session WHERE id = $1`, id)
}

func (s *sharedSessions) end(ctx context.Context, id, reason string) error {
	return s.change(ctx, id, `UPDATE live_session SET ending = $1 WHERE id = $2 AND ending = ''`, reason, id)
}

func (s *sharedSessions) all(ctx context.Context) ([]storedSession, error) {
	return readSessions(s.db.SQL.QueryContext(ctx, `SELECT body, ending FROM live_session`))
}

func (s *sharedSessions) one(ctx context.Context, id string) (storedSession, bool, error) {
	return readSession(s.db.SQL.QueryRowContext(ctx, `SELECT body, ending FROM live_session WHERE id = $1`, id))
}

func (*sharedSessions) shared() bool { return true }

func (s *sharedSessions) watch(f func(string)) (cancel func()) { return s.db.Listen(sessionChannel, f) }

// CopySessions puts the open sessions of SQLite into PostgreSQL, where they are not there yet.
func CopySessions(ctx context.Context, from *sql.DB, to *pgdb.DB) error {
	old, err := newEmbeddedSessions(ctx, from)
	if err != nil {
		return err
	}
	fresh, err := newSharedSessions(ctx, to)
	if err != nil {
		return err
	}
	all, err := old.all(ctx)
	if err != nil {
		return fmt.Errorf("authz: copying sessions: %w", err)
	}
	for _, s := range all {
		if _, there, err := fresh.one(ctx, s.live.Session.ID); err == nil && !there {
			err = fresh.add(ctx, s.live)
			if err == nil && s.ending != "" {
				err = fresh.end(ctx, s.live.Session.ID, s.ending)
			}
			if err != nil {
				return fmt.Errorf("authz: copying sessions: %w", err)
			}
		} else if err != nil {
			return fmt.Errorf("authz: copying sessions: %w", err)
		}
	}
	return nil
}

func readSessions(rows *sql.Rows, err error) ([]storedSession, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []storedSession
	for rows.Next() {
		one, _, err := readSession(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func readSession(row interface{ Scan(...any) error }) (s storedSession, there bool, err error) {
	var body string
	if err = row.Scan(&body, &s.ending); errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &s.live)
	}
	return s, err == nil, err
}
