package pgdb

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Channel is the one of PostgreSQL that all use; its payloads are "name:payload".
const Channel = "dragoman"

// Notify, run in a transaction, tells listeners of a channel when it is committed.
// The arguments are the channel's name, ":" and a payload, at most 7,900 bytes together.
const Notify = `SELECT pg_notify('` + Channel + `', $1)`

// Listen calls f with what is notified on a channel by anybody, in any process, until cancel is called. f must not
// block. A payload of "" says that some may have been missed.
func (d *DB) Listen(name string, f func(payload string)) (cancel func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := d.next
	d.next++
	d.subs[key] = sub{name, f}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.subs, key)
	}
}

func (d *DB) tell(payload string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.subs {
		if payload == "" {
			s.f("")
		} else if n := len(s.channel); len(payload) > n && payload[:n] == s.channel && payload[n] == ':' {
			s.f(payload[n+1:])
		}
	}
}

// listen makes a connection that listens.
func (d *DB) listen(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+Channel); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// listening goes on until ctx ends, over as many connections as it takes.
func (d *DB) listening(ctx context.Context, conn *pgx.Conn) {
	for pause := firstPause; ; {
		for conn != nil {
			n, err := conn.WaitForNotification(ctx)
			if err != nil {
				end, cancel := context.WithTimeout(context.Background(), time.Second)
				conn.Close(end)
				cancel()
				conn = nil
				if ctx.Err() == nil {
					d.log.Warn("the database's notifications are interrupted", "err", err)
				}
				break
			}
			pause = firstPause
			d.tell(n.Payload)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
		var err error
		if conn, err = d.listen(ctx); err == nil {
			d.tell("") // what came meanwhile is not known
		} else if ctx.Err() == nil {
			d.log.Warn("the database cannot be listened to", "err", err)
		}
	}
}
