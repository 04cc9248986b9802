package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

const schema = `
CREATE TABLE events (n INTEGER PRIMARY KEY AUTOINCREMENT, size INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE progress (session TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursors (sink TEXT PRIMARY KEY, n INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
`

// SQLite is an Outbox in a file, of one process.
type SQLite struct {
	db    *sql.DB
	max   int64
	sinks []string
	now   func() time.Time
	used  atomic.Int64 // bytes of the events
}

var _ Outbox = (*SQLite)(nil)

// OpenSQLite opens or creates the outbox at path for these sinks, by name. A sink that is new begins with
// what comes next; what only a former sink waited for is deleted.
func OpenSQLite(ctx context.Context, path string, sinks []string, maxBytes int64, now func() time.Time) (*SQLite, error) {
	db, err := sqlitedb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBytes
	}
	o := &SQLite{db: db, max: maxBytes, sinks: sinks, now: now}
	if err := sqlitedb.Migrate(ctx, db, "notify", schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := o.register(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("notify: %w", err), db.Close())
	}
	return o, nil
}

func (o *SQLite) register(ctx context.Context) error {
	names, err := json.Marshal(o.sinks)
	if err != nil {
		return err
	}
	if _, err := o.db.ExecContext(ctx, "DELETE FROM cursors WHERE sink NOT IN (SELECT value FROM json_each(?))", string(names)); err != nil {
		return err
	}
	for _, s := range o.sinks {
		if _, err := o.db.ExecContext(ctx, `INSERT OR IGNORE INTO cursors (sink, n)
 VALUES (?, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'))`, s); err != nil {
			return err
		}
	}
	if _, err = o.db.ExecContext(ctx, "DELETE FROM progress WHERE at < ?", o.now().Add(-progressKept).UnixNano()); err != nil {
		return err
	}
	var used int64
	err = o.db.QueryRowContext(ctx, "SELECT coalesce(sum(size), 0) FROM events").Scan(&used)
	o.used.Store(used)
	return err
}

// Close closes the file.
func (o *SQLite) Close() error { return o.db.Close() }

// Progress implements Outbox.
func (o *SQLite) Progress(ctx context.Context, session string) (seq uint64, known bool, err error) {
	var n int64
	err = o.db.QueryRowContext(ctx, "SELECT seq FROM progress WHERE session = ?", session).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return uint64(n), err == nil, err
}

// Add implements Outbox.
func (o *SQLite) Add(ctx context.Context, events []export.Event) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer tx.Rollback()
	last, size := map[string]uint64{}, int64(0)
	for _, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("notify: event %s: %w", e.ID, err)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO events (size, body) VALUES (?, ?)", len(body), body); err != nil {
			return fmt.Errorf("notify: %w", err)
		}
		size += int64(len(body))
		last[e.Session] = max(last[e.Session], e.Seq)
	}
	for session, seq := range last {
		if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO progress (session, seq, at) VALUES (?, ?, ?)", session, int64(seq), o.now().UnixNano()); err != nil {
			return fmt.Errorf("notify: %w", err)
		}
	}
	gone, err := o.bound(ctx, tx, o.used.Load()+size)
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	o.used.Add(size - gone)
	return nil
}

// bound deletes the oldest events over the limit, and returns how many bytes they had.
func (o *SQLite) bound(ctx context.Context, tx *sql.Tx, used int64) (gone int64, err error) {
	for used-gone > o.max {
		var last, size sql.NullInt64
		if err := tx.QueryRowContext(ctx, "SELECT max(n), sum(size) FROM (SELECT n, size FROM events ORDER BY n LIMIT ?)", trimBatch).Scan(&last, &size); err != nil {
			return gone, err
		}
		if !last.Valid {
			return gone, nil // what remains is what Done deletes meanwhile
		}
		if _, err := tx.ExecContext(ctx, `UPDATE cursors SET dropped = dropped + (SELECT count(*) FROM events WHERE events.n > cursors.n AND events.n <= ?), n = ?
 WHERE n < ?`, last.Int64, last.Int64, last.Int64); err != nil {
			return gone, err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM events WHERE n <= ?", last.Int64); err != nil {
			return gone, err
		}
		gone += size.Int64
	}
	return gone, nil
}

// Next implements Outbox. Nobody else has the file.
func (o *SQLite) Next(ctx context.Context, sink string, limit int, bytes int64) ([]Item, error) {
	rows, err := o.db.QueryContext(ctx, "SELECT n, body FROM events WHERE n > (SELECT n FROM cursors WHERE sink = ?) ORDER BY n LIMIT ?", sink, limit)
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	defer rows.Close()
	return readItems(rows, bytes)
}

// readItems takes about so many bytes of events.
func readItems(rows *sql.Rows, bytes int64) ([]Item, error) {
	var all []Item
	for total := int64(0); total < bytes && rows.Next(); {
		var i Item
		var body []byte
		if err := rows.Scan(&i.N, &body); err != nil {
			return nil, fmt.Errorf("notify: %w", err)
		}
		if err := json.Unmarshal(body, &i.Event); err != nil {
			return nil, fmt.Errorf("notify: event %d: %w", i.N, err)
		}
		total += int64(len(body))
		all = append(all, i)
	}
	return all, rows.Err()
}

// Done implements Outbox.
func (o *SQLite) Done(ctx context.Context, sink string, upTo int64, sent, dropped int) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, "UPDATE cursors SET n = max(n, ?), sent = sent + ?, dropped = dropped + ? WHERE sink = ?", upTo, sent, dropped, sink)
	const told = " FROM events WHERE n <= (SELECT min(n) FROM cursors)"
	var gone int64
	if err == nil {
		err = tx.QueryRowContext(ctx, "SELECT coalesce(sum(size), 0)"+told).Scan(&gone)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE"+told)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	o.used.Add(-gone)
	return nil
}

// Backlogs implements Outbox.
func (o *SQLite) Backlogs(ctx context.Context) ([]Backlog, error) {
	rows, err := o.db.QueryContext(ctx, "SELECT sink, sent, dropped, (SELECT count(*) FROM events WHERE events.n > cursors.n) FROM cursors ORDER BY sink")
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	defer rows.Close()
	return readBacklogs(rows)
}

func readBacklogs(rows *sql.Rows) ([]Backlog, error) {
	var all []Backlog
	for rows.Next() {
		var b Backlog
		if err := rows.Scan(&b.Sink, &b.Sent, &b.Dropped, &b.Waiting); err != nil {
			return nil, fmt.Errorf("notify: %w", err)
		}
		all = append(all, b)
	}
	return all, rows.Err()
}
