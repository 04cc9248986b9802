package pgdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrTaken says that another process has the lock.
var ErrTaken = errors.New("another process uses the database")

// lockPing is how often the connection that holds a lock is looked at.
const lockPing = 2 * time.Second

// lockWait is how long a process that has just ended may take to be noticed.
const lockWait = time.Second

// Lock takes the lock of this name for as long as d is open, or fails with ErrTaken. The server gives it up when the
// connection is lost; then it is taken again, and lost is called, once, if another process was quicker.
func (d *DB) Lock(ctx context.Context, name string, lost func(error)) error {
	return d.keepLock(ctx, name, tryLock, lost)
}

// LockShared is Lock for one of several that may have it together, but not with one of Lock's.
func (d *DB) LockShared(ctx context.Context, name string, lost func(error)) error {
	return d.keepLock(ctx, name, tryLockShared, lost)
}

const (
	tryLock       = "SELECT pg_try_advisory_lock($1, hashtext($2))"
	tryLockShared = "SELECT pg_try_advisory_lock_shared($1, hashtext($2))"
)

func (d *DB) keepLock(ctx context.Context, name, try string, lost func(error)) error {
	conn, err := d.lock(ctx, name, try)
	for end := time.Now().Add(lockWait); errors.Is(err, ErrTaken) && time.Now().Before(end); conn, err = d.lock(ctx, name, try) {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("pgdb: %s: %w", name, err)
	}
	d.done.Go(func() {
		if err := d.guard(conn, name, try); err != nil {
			lost(fmt.Errorf("pgdb: %s: %w", name, err))
		}
	})
	return nil
}

// lock takes it on a connection of its own.
func (d *DB) lock(ctx context.Context, name, try string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	lease(ctx, conn)
	var got bool
	err = conn.QueryRow(ctx, try, int32(schemaLock), name).Scan(&got)
	if err == nil && !got {
		err = ErrTaken
	}
	if err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// lease has the server end a connection that is quiet for much longer than lockPing, also when this machine is gone
// and nobody says so. A server that does not know a setting (idle_session_timeout is of PostgreSQL 14) goes without.
func lease(ctx context.Context, conn *pgx.Conn) {
	for _, set := range []string{"idle_session_timeout = '15s'", "tcp_keepalives_idle = 5", "tcp_keepalives_interval = 3", "tcp_keepalives_count = 3"} {
		_, _ = conn.Exec(ctx, "SET "+set)
	}
}

// guard keeps the lock until Close. It returns ErrTaken when it cannot.
func (d *DB) guard(conn *pgx.Conn, name, try string) error {
	defer func() {
		if conn != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock_all()") // at once, where Close's end is only noticed
			conn.Close(ctx)
		}
	}()
	tick := time.NewTicker(lockPing)
	defer tick.Stop()
	for {
		select {
		case <-d.run.Done():
			return nil
		case <-tick.C:
		}
		if conn != nil {
			ctx, cancel := context.WithTimeout(d.run, 5*time.Second)
			err := conn.Ping(ctx)
			cancel()
			if err == nil || d.run.Err() != nil {
				continue
			}
			d.log.Warn("the database's lock is lost; it is taken again", "lock", name, "err", err)
			conn.Close(d.run)
		}
		var err error
		if conn, err = d.lock(d.run, name, try); errors.Is(err, ErrTaken) {
			return err
		}
	}
}
