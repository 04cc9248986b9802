package pgdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// leadAgain is how often a process that does not lead looks whether it may.
const leadAgain = 300 * time.Millisecond

// TermChannel is where the beginning of terms is notified, by name.
const TermChannel = "term"

// Lead takes part in an election until ctx ends: whenever this process gets the lock of this name, it calls lead, whose
// ctx ends when the lock is lost. The lock is given up after lead has returned; with an error it is tried again later.
func (d *DB) Lead(ctx context.Context, name string, lead func(ctx context.Context) error) {
	for ctx.Err() == nil {
		if err := d.leadOnce(ctx, name, lead); err != nil && !errors.Is(err, ErrTaken) && ctx.Err() == nil {
			d.log.Error("leading in the database", "lock", name, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(leadAgain):
		}
	}
}

func (d *DB) leadOnce(ctx context.Context, name string, lead func(ctx context.Context) error) error {
	conn, err := d.lock(ctx, name, tryLock)
	if err != nil {
		return err
	}
	leading, lost := context.WithCancel(ctx)
	defer lost()
	ended := make(chan error, 1)
	go func() { ended <- lead(leading) }()
	tick := time.NewTicker(lockPing)
	defer tick.Stop()
	for {
		select {
		case err = <-ended:
			end, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, _ = conn.Exec(end, "SELECT pg_advisory_unlock_all()") // at once, where Close's end is only noticed
			conn.Close(end)
			return err
		case <-tick.C:
		}
		if leading.Err() != nil {
			continue
		}
		ping, cancel := context.WithTimeout(ctx, 5*time.Second)
		if err := conn.Ping(ping); err != nil && ctx.Err() == nil {
			d.log.Warn("the database's lock is lost", "lock", name, "err", err)
			lost()
		}
		cancel()
	}
}

// TryLock reports whether nobody holds the lock of this name now.
func (d *DB) TryLock(ctx context.Context, name string) (free bool, err error) {
	err = d.inTx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1, hashtext($2))", int32(schemaLock), name).Scan(&free)
	})
	return free, err
}

func (d *DB) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.SQL.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit: nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Term is one reign of a leader. Terms of a name grow.
type Term struct {
	Name   string
	N      int64
	Holder string // who leads, in words of the caller's
}

// ErrDeposed says that a later term has begun.
var ErrDeposed = errors.New("another process leads now")

const termTable = `CREATE TABLE term (name TEXT PRIMARY KEY, n BIGINT NOT NULL, holder TEXT NOT NULL)`

func (d *DB) termsReady(ctx context.Context) error {
	if d.terms.Load() {
		return nil
	}
	err := d.Migrate(ctx, "term", termTable)
	d.terms.Store(err == nil)
	return err
}

// Begin begins the next term. It waits for transactions that Check let pass in the one before; later ones fail.
func (d *DB) Begin(ctx context.Context, name, holder string) (Term, error) {
	t := Term{Name: name, Holder: holder}
	err := d.termsReady(ctx)
	if err == nil {
		err = d.inTx(ctx, func(tx *sql.Tx) error {
			err := tx.QueryRowContext(ctx, `INSERT INTO term VALUES ($1, 1, $2) ON CONFLICT (name) DO UPDATE SET n = term.n + 1, holder = excluded.holder RETURNING n`,
				name, holder).Scan(&t.N)
			if err == nil {
				_, err = tx.ExecContext(ctx, Notify, TermChannel+":"+name)
			}
			return err
		})
	}
	if err != nil {
		return t, fmt.Errorf("pgdb: %s: %w", name, err)
	}
	return t, nil
}

// Check fails with ErrDeposed in a transaction of a term that is over, and keeps the next one from beginning before the
// transaction has ended.
func (t Term) Check(ctx context.Context, tx *sql.Tx) error {
	var n int64
	err := tx.QueryRowContext(ctx, `SELECT n FROM term WHERE name = $1 FOR SHARE`, t.Name).Scan(&n)
	if err == nil && n != t.N {
		err = ErrDeposed
	}
	if err != nil {
		return fmt.Errorf("pgdb: %s: %w", t.Name, err)
	}
	return nil
}

// Leader is the newest term; sql.ErrNoRows when there was none.
func (d *DB) Leader(ctx context.Context, name string) (Term, error) {
	t := Term{Name: name}
	if err := d.termsReady(ctx); err != nil {
		return t, err
	}
	err := d.SQL.QueryRowContext(ctx, `SELECT n, holder FROM term WHERE name = $1`, name).Scan(&t.N, &t.Holder)
	return t, err
}
