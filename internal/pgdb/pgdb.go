// Package pgdb opens the PostgreSQL database that control planes share, the one way that is right for several
// of them, keeps each owner's schema version, and carries notifications between them. It knows no table but its own.
package pgdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// Schema holds all tables, so that the database may be used for other things too.
const Schema = "dragoman"

// connections bounds those of one process, beside the one that listens.
const connections = 8

// DB is an open database. Close it.
type DB struct {
	SQL  *sql.DB
	pool *pgxpool.Pool
	log  *slog.Logger

	terms atomic.Bool // their table is there

	run  context.Context // ends with Close
	stop context.CancelFunc
	done sync.WaitGroup

	mu   sync.Mutex
	subs map[int]sub
	next int
}

type sub struct {
	channel string
	f       func(payload string)
}

// Open connects to the database at url (a libpq URL or keyword string), makes the schema if it is not there,
// and listens for notifications. Commits are synchronous whatever the server's default is.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("pgdb: the database's URL cannot be read") // its error may quote the password
	}
	conf.MaxConns = connections
	conf.ConnConfig.DialFunc = dial
	params := conf.ConnConfig.RuntimeParams
	params["search_path"], params["synchronous_commit"], params["timezone"] = Schema, "on", "UTC"
	if params["application_name"] == "" {
		params["application_name"] = "dragoman"
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("pgdb: %w", err)
	}
	d := &DB{SQL: stdlib.OpenDBFromPool(pool), pool: pool, log: log, subs: map[int]sub{}}
	first, err := d.listen(ctx)
	if err == nil {
		err = inLock(ctx, d.SQL, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+Schema)
			return err
		})
	}
	if err != nil {
		if first != nil {
			first.Close(ctx)
		}
		return nil, errors.Join(fmt.Errorf("pgdb: %w", err), d.SQL.Close(), closePool(pool))
	}
	d.run, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	d.done.Go(func() { d.listening(d.run, first) })
	return d, nil
}

func closePool(p *pgxpool.Pool) error { p.Close(); return nil }

// Close ends listening and closes connections.
func (d *DB) Close() error {
	d.stop()
	d.done.Wait()
	return errors.Join(d.SQL.Close(), closePool(d.pool))
}

// schemaLock is the advisory lock under which schemas change.
const schemaLock = 0x64726167 // "drag"

// inLock runs f in a transaction, one process at a time.
func inLock(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Migrate brings an owner's tables up to date: steps[i] leads from version i to i+1. Steps are never edited
// once released. A database from a newer program is refused.
func (d *DB) Migrate(ctx context.Context, owner string, steps ...string) error {
	err := inLock(ctx, d.SQL, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (owner TEXT PRIMARY KEY, version INTEGER NOT NULL)`); err != nil {
			return err
		}
		var version int
		err := tx.QueryRowContext(ctx, `SELECT version FROM schema_version WHERE owner = $1`, owner).Scan(&version)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if version > len(steps) {
			return fmt.Errorf("%s has version %d, this program knows up to %d: use a newer dragoman", owner, version, len(steps))
		}
		for i, step := range steps[version:] {
			if _, err := tx.ExecContext(ctx, step, pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("%s: migrating to version %d: %w", owner, version+i+1, err)
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO schema_version VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET version = excluded.version`, owner, len(steps))
		return err
	})
	if err != nil {
		return fmt.Errorf("pgdb: %w", err)
	}
	return nil
}

// IsUnique reports whether err says that a row with this key is there already.
func IsUnique(err error) bool { return code(err) == "23505" }

// IsConflict reports whether err says that another transaction was in the way, and that trying again may help.
func IsConflict(err error) bool {
	c := code(err)
	return c == "23505" || c == "40001" || c == "40P01"
}

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// pause between attempts to listen again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)
