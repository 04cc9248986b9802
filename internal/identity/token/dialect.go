package token

import (
	"context"
	"database/sql"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/pgdb"
)

// dialect is what differs between SQLite and PostgreSQL.
type dialect interface {
	// bind turns ? into the store's placeholders.
	bind(query string) string
	// subject is the condition that a revocation is of a subject, whatever its case. Names are ASCII.
	subject() string
	// revoke adds a revocation. Ids grow in the order in which revocations can be seen.
	revoke(ctx context.Context, db *sql.DB, r identity.Revocation) (id int64, err error)
	// watch calls changed when there may be new revocations by anybody, until ctx ends.
	watch(ctx context.Context, s *Store, changed func())
}

// schema of the store; see sqlitedb.Migrate. Times are Unix nanoseconds.
var schema = []string{`
CREATE TABLE token (
	id       TEXT PRIMARY KEY,
	identity TEXT NOT NULL, -- JSON of identity.Identity, never the token
	targets  TEXT NOT NULL, -- JSON array
	issued   INTEGER NOT NULL,
	expires  INTEGER NOT NULL,
	by_whom  TEXT NOT NULL
) STRICT;
CREATE INDEX token_expires ON token (expires);
CREATE TABLE revocation (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	token_id TEXT NOT NULL,
	subject  TEXT NOT NULL COLLATE NOCASE,
	at       INTEGER NOT NULL,
	by_whom  TEXT NOT NULL,
	reason   TEXT NOT NULL
) STRICT;
CREATE INDEX revocation_token ON revocation (token_id) WHERE token_id != '';
CREATE INDEX revocation_subject ON revocation (subject) WHERE subject != '';
`}

const insertRevocation = `INSERT INTO revocation (token_id, subject, at, by_whom, reason) VALUES (?, ?, ?, ?, ?)`

func revocationValues(r identity.Revocation) []any {
	return []any{r.TokenID, r.Subject, r.At.UnixNano(), r.By, r.Reason}
}

// embedded is SQLite.
type embedded struct{}

func (embedded) bind(query string) string { return query }
func (embedded) subject() string          { return "subject = ?" }

func (embedded) revoke(ctx context.Context, db *sql.DB, r identity.Revocation) (int64, error) {
	res, err := db.ExecContext(ctx, insertRevocation, revocationValues(r)...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// watch polls SQLite's data_version, which costs no read of any table while nothing changes. It is a property of a
// connection, so it needs one of its own.
func (embedded) watch(ctx context.Context, s *Store, changed func()) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		s.log.Error("revocations of other processes are not seen at once", "err", err)
	} else {
		defer conn.Close()
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var version int64 = -1
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var v int64
		if conn != nil && conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&v) == nil && v == version {
			continue
		}
		version = v
		changed()
	}
}

const sharedSchema = `
CREATE TABLE token (
	id       TEXT PRIMARY KEY,
	identity TEXT NOT NULL, -- JSON of identity.Identity, never the token
	targets  TEXT NOT NULL, -- JSON array
	issued   BIGINT NOT NULL,
	expires  BIGINT NOT NULL,
	by_whom  TEXT NOT NULL
);
CREATE INDEX token_expires ON token (expires);
CREATE TABLE revocation (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	token_id TEXT NOT NULL,
	subject  TEXT NOT NULL,
	at       BIGINT NOT NULL,
	by_whom  TEXT NOT NULL,
	reason   TEXT NOT NULL
);
CREATE INDEX revocation_token ON revocation (token_id) WHERE token_id != '';
CREATE INDEX revocation_subject ON revocation (lower(subject COLLATE "C")) WHERE subject != '';
`

// revocationChannel tells of revocations.
const revocationChannel = "revocation"

// NewPostgres prepares the tables in a database that control planes share, and that stays the
// caller's. Close ends the watch for revocations.
func NewPostgres(ctx context.Context, db *pgdb.DB, now func() time.Time, log *slog.Logger) (*Store, error) {
	if err := db.Migrate(ctx, "token", sharedSchema); err != nil {
		return nil, err
	}
	return newStore(ctx, shared{db}, db.SQL, now, log)
}

// shared is PostgreSQL.
type shared struct{ db *pgdb.DB }

func (shared) bind(query string) string {
	for n := 1; strings.Contains(query, "?"); n++ { // no query here has one elsewhere
		query = strings.Replace(query, "?", "$"+strconv.Itoa(n), 1)
	}
	return query
}

func (shared) subject() string { return `lower(subject COLLATE "C") = lower(? COLLATE "C")` }

// revoke takes the table for itself: otherwise a revocation might be seen before one with a smaller id, which would
// then be taken for known.
func (d shared) revoke(ctx context.Context, db *sql.DB, r identity.Revocation) (id int64, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // after Commit: nothing
	if _, err = tx.ExecContext(ctx, `LOCK TABLE revocation IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return 0, err
	}
	if err = tx.QueryRowContext(ctx, d.bind(insertRevocation+` RETURNING id`), revocationValues(r)...).Scan(&id); err != nil {
		return 0, err
	}
	if _, err = tx.ExecContext(ctx, pgdb.Notify, revocationChannel+":"+strconv.FormatInt(id, 10)); err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

// listenAgain is how often revocations are looked for although nobody told of any.
const listenAgain = 5 * time.Second

func (d shared) watch(ctx context.Context, _ *Store, changed func()) {
	defer d.db.Listen(revocationChannel, func(string) { changed() })()
	tick := time.NewTicker(listenAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			changed()
		}
	}
}
