package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/ulid"
)

// Tables of the outbox. outbox_used has one row; whoever adds or deletes locks it first, so that events are committed in the
// order of their numbers. outbox_turn says who sends to a sink, and until when.
const postgresSchema = `
CREATE TABLE outbox_event (n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, size BIGINT NOT NULL, body BYTEA NOT NULL);
CREATE TABLE outbox_progress (session TEXT PRIMARY KEY, seq BIGINT NOT NULL, at BIGINT NOT NULL);
CREATE TABLE outbox_cursor (sink TEXT PRIMARY KEY, n BIGINT NOT NULL, sent BIGINT NOT NULL DEFAULT 0, dropped BIGINT NOT NULL DEFAULT 0);
CREATE TABLE outbox_turn (sink TEXT PRIMARY KEY, holder TEXT NOT NULL DEFAULT '', until TIMESTAMPTZ NOT NULL DEFAULT '-infinity');
CREATE TABLE outbox_used (one BOOLEAN PRIMARY KEY CHECK (one), bytes BIGINT NOT NULL, last BIGINT NOT NULL);
INSERT INTO outbox_used VALUES (true, 0, 0);
`

// turn is how long a sender has a sink for itself: longer than an attempt (sendTimeout), so that none is under way when
// another begins.
const turn = 2 * sendTimeout

// outboxChannel tells senders in other processes of new events.
const outboxChannel = "outbox"

// Postgres is an Outbox in a database that several processes share: what one of them adds any of them sends, one at a
// time for each sink.
type Postgres struct {
	db    *pgdb.DB
	name  string // of this process's turns
	max   int64
	sinks []string
	now   func() time.Time
	stop  func() // listening
}

var _ Outbox = (*Postgres)(nil)

// NewPostgres opens the outbox in a database for these sinks, by name, which all processes have alike. A sink that is new
// begins with what comes next; what only a former sink waited for is deleted. wake is called when another process has added
// something.
func NewPostgres(ctx context.Context, db *pgdb.DB, sinks []string, maxBytes int64, now func() time.Time, wake func()) (*Postgres, error) {
	if err := db.Migrate(ctx, "notify", postgresSchema); err != nil {
		return nil, err
	}
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBytes
	}
	o := &Postgres{db: db, name: ulid.New("", now()), max: maxBytes, sinks: sinks, now: now}
	if err := o.register(ctx); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	o.stop = db.Listen(outboxChannel, func(string) { wake() })
	return o, nil
}

// tx runs f in a transaction that no other one with a lock overlaps.
func (o *Postgres) tx(ctx context.Context, lock bool, f func(*sql.Tx) error) error {
	tx, err := o.db.SQL.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer tx.Rollback()
	if lock {
		_, err = tx.ExecContext(ctx, "SELECT 1 FROM outbox_used FOR UPDATE")
	}
	if err == nil {
		err = f(tx)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil && !errors.Is(err, ErrBusy) {
		return fmt.Errorf("notify: %w", err)
	}
	return err
}

func (o *Postgres) register(ctx context.Context) error {
	return o.tx(ctx, true, func(tx *sql.Tx) error {
		for _, do := range []struct {
			text string
			arg  any
		}{
			{"DELETE FROM outbox_cursor WHERE NOT sink = ANY($1)", o.sinks},
			{"DELETE FROM outbox_turn WHERE NOT sink = ANY($1)", o.sinks},
			{"INSERT INTO outbox_cursor (sink, n) SELECT s, u.last FROM unnest($1::text[]) s, outbox_used u ON CONFLICT DO NOTHING", o.sinks},
			{"INSERT INTO outbox_turn (sink) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", o.sinks},
			{"DELETE FROM outbox_progress WHERE at < $1", o.now().Add(-progressKept).UnixNano()},
		} {
			if _, err := tx.ExecContext(ctx, do.text, do.arg); err != nil {
				return err
			}
		}
		return clearTold(ctx, tx)
	})
}

// Close gives the turns back.
func (o *Postgres) Close() error {
	o.stop()
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	_, err := o.db.SQL.ExecContext(ctx, "UPDATE outbox_turn SET holder = '', until = '-infinity' WHERE holder = $1", o.name)
	return err
}

// Progress implements Outbox.
func (o *Postgres) Progress(ctx context.Context, session string) (seq uint64, known bool, err error) {
	var n int64
	err = o.db.SQL.QueryRowContext(ctx, "SELECT seq FROM outbox_progress WHERE session = $1", session).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return uint64(n), err == nil, err
}

// Add implements Outbox.
func (o *Postgres) Add(ctx context.Context, events []export.Event) error {
	var bodies [][]byte
	last, size := map[string]uint64{}, int64(0)
	for _, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("notify: event %s: %w", e.ID, err)
		}
		bodies, size = append(bodies, body), size+int64(len(body))
		last[e.Session] = max(last[e.Session], e.Seq)
	}
	return o.tx(ctx, true, func(tx *sql.Tx) error {
		if err := o.insert(ctx, tx, bodies, last); err != nil {
			return err
		}
		var used int64
		if err := tx.QueryRowContext(ctx, "UPDATE outbox_used SET bytes = bytes + $1, last = (SELECT coalesce(max(n), last) FROM outbox_event) RETURNING bytes", size).Scan(&used); err != nil {
			return err
		}
		if err := o.bound(ctx, tx, used); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, pgdb.Notify, outboxChannel+":"+o.name)
		return err
	})
}

func (o *Postgres) insert(ctx context.Context, tx *sql.Tx, bodies [][]byte, last map[string]uint64) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO outbox_event (size, body)
 SELECT octet_length(b), b FROM unnest($1::bytea[]) WITH ORDINALITY AS t(b, o) ORDER BY o`, bodies); err != nil {
		return err
	}
	var sessions []string
	var seqs []int64
	for session, seq := range last {
		sessions, seqs = append(sessions, session), append(seqs, int64(seq))
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO outbox_progress (session, seq, at) SELECT s, q, $3 FROM unnest($1::text[], $2::bigint[]) AS t(s, q)
 ON CONFLICT (session) DO UPDATE SET seq = greatest(outbox_progress.seq, excluded.seq), at = excluded.at`, sessions, seqs, o.now().UnixNano())
	return err
}

// bound deletes the oldest events over the limit.
func (o *Postgres) bound(ctx context.Context, tx *sql.Tx, used int64) error {
	for used > o.max {
		var last, size sql.NullInt64
		if err := tx.QueryRowContext(ctx, "SELECT max(n), sum(size)::bigint FROM (SELECT n, size FROM outbox_event ORDER BY n LIMIT $1) AS t", trimBatch).Scan(&last, &size); err != nil {
			return err
		}
		if !last.Valid {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE outbox_cursor c SET dropped = dropped + (SELECT count(*) FROM outbox_event e WHERE e.n > c.n AND e.n <= $1), n = $1
 WHERE n < $1`, last.Int64); err != nil {
			return err
		}
		if err := clearTold(ctx, tx); err != nil {
			return err
		}
		used -= size.Int64
	}
	return nil
}

// clearTold deletes what no sink waits for.
func clearTold(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `WITH gone AS (DELETE FROM outbox_event WHERE n <= (SELECT coalesce(min(n), 9223372036854775807) FROM outbox_cursor) RETURNING size)
 UPDATE outbox_used SET bytes = bytes - (SELECT coalesce(sum(size), 0) FROM gone)`)
	return err
}

// Next implements Outbox.
func (o *Postgres) Next(ctx context.Context, sink string, limit int, bytes int64) (all []Item, err error) {
	err = o.tx(ctx, false, func(tx *sql.Tx) error {
		var holder string
		var free bool
		err := tx.QueryRowContext(ctx, "SELECT holder, until < clock_timestamp() FROM outbox_turn WHERE sink = $1 FOR UPDATE SKIP LOCKED", sink).Scan(&holder, &free)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !free && holder != o.name {
			return ErrBusy
		}
		if err != nil {
			return err
		}
		if all, err = o.read(ctx, tx, sink, limit, bytes); err != nil || len(all) == 0 && holder != o.name {
			return err
		}
		until := turn
		if len(all) == 0 {
			until = 0
		}
		_, err = tx.ExecContext(ctx, "UPDATE outbox_turn SET holder = $2, until = clock_timestamp() + make_interval(secs => $3) WHERE sink = $1", sink, o.name, until.Seconds())
		return err
	})
	return all, err
}

func (o *Postgres) read(ctx context.Context, tx *sql.Tx, sink string, limit int, bytes int64) ([]Item, error) {
	rows, err := tx.QueryContext(ctx, "SELECT n, body FROM outbox_event WHERE n > (SELECT n FROM outbox_cursor WHERE sink = $1) ORDER BY n LIMIT $2", sink, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return readItems(rows, bytes)
}

// Done implements Outbox.
func (o *Postgres) Done(ctx context.Context, sink string, upTo int64, sent, dropped int) error {
	return o.tx(ctx, true, func(tx *sql.Tx) error {
		var mine bool
		err := tx.QueryRowContext(ctx, "SELECT holder = $2 FROM outbox_turn WHERE sink = $1 FOR UPDATE", sink, o.name).Scan(&mine)
		if err == nil && !mine || errors.Is(err, sql.ErrNoRows) {
			return ErrBusy
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, "UPDATE outbox_cursor SET n = greatest(n, $2), sent = sent + $3, dropped = dropped + $4 WHERE sink = $1", sink, upTo, sent, dropped)
		}
		if err != nil {
			return err
		}
		return clearTold(ctx, tx)
	})
}

// Backlogs implements Outbox.
func (o *Postgres) Backlogs(ctx context.Context) ([]Backlog, error) {
	rows, err := o.db.SQL.QueryContext(ctx, "SELECT sink, sent, dropped, (SELECT count(*) FROM outbox_event e WHERE e.n > c.n) FROM outbox_cursor c ORDER BY sink")
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	defer rows.Close()
	return readBacklogs(rows)
}
