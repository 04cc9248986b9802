// Package sqlitedb opens the embedded SQLite databases of the control plane
// the one way that is safe for several goroutines and processes, and keeps each
// owner's schema version. It knows no table but its own.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Open opens or creates the database at path (mode 0600): WAL, so that
// readers do not wait for the writer; every commit synced; writers wait up to
// 10 s for each other and take the write lock when they begin.
func Open(path string) (*sql.DB, error) { return open(path, "FULL") }

// OpenRelaxed opens like Open, but does not wait for the disk at every
// commit: what is committed survives the death of the process, and not always that of
// the machine. It is for tables about things that do not survive that either.
// One file may be open in both ways. It has one connection: writers queue in
// order, where SQLite would let them poll.
func OpenRelaxed(path string) (*sql.DB, error) {
	db, err := open(path, "NORMAL")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// cacheKiB is how much of a database each of its connections keeps at most: the upper pages of the trees of a million
// sessions, of which a question looks up some ten thousand places.
const cacheKiB = "16000"

func open(path, synchronous string) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("sqlitedb: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlitedb: %w", err)
	}
	f.Close()
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "cache_size(-" + cacheKiB + ")", "journal_mode(WAL)", "synchronous(" + synchronous + ")", "foreign_keys(1)",
	}}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
	plain, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("sqlitedb: %w", err)
	}
	defer plain.Close() // it has no connection: its driver is wanted
	c := &connector{inner: plain.Driver(), name: name, file: &file{}}
	return ready(c.pool(), path)
}

func ready(db *sql.DB, path string) (*sql.DB, error) {
	db.SetMaxOpenConns(4)
	if err := db.Ping(); err != nil {
		db.Close()
		return nil, fmt.Errorf("sqlitedb: opening %s: %w", path, err)
	}
	return db, nil
}

// Migrate brings an owner's tables up to date: steps[i] leads from version i
// to i+1, each in one transaction with the version's change. Steps are never
// edited once released. A database from a newer program is refused.
func Migrate(ctx context.Context, db *sql.DB, owner string, steps ...string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqlitedb: %w", err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (owner TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT`); err != nil {
		return fmt.Errorf("sqlitedb: %w", err)
	}
	var version int
	err = tx.QueryRowContext(ctx, `SELECT version FROM schema_version WHERE owner = ?`, owner).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("sqlitedb: %w", err)
	}
	if version > len(steps) {
		return fmt.Errorf("sqlitedb: %s has version %d, this program knows up to %d: use a newer dragoman", owner, version, len(steps))
	}
	for i, step := range steps[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("sqlitedb: %s: migrating to version %d: %w", owner, version+i+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET version = excluded.version`,
		owner, len(steps)); err != nil {
		return fmt.Errorf("sqlitedb: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqlitedb: %w", err)
	}
	return nil
}

// IsUnique reports whether err says that a row with this key is there already.
func IsUnique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE)
}
