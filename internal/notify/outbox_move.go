package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"dragoman.dev/dragoman/internal/export"
)

// movedExt is added to the name of a file whose events are in the database.
const movedExt = ".moved"

// Move brings what waits in a file over into another outbox, and puts the file aside; without a file it does nothing. Events
// that only some sinks had come to these again.
func Move(ctx context.Context, path string, sinks []string, to Outbox) (events int, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	from, err := OpenSQLite(ctx, path, sinks, 0, time.Now)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err = errors.Join(err, from.Close()); err == nil { // which leaves nothing beside the file
			err = os.Rename(path, path+movedExt)
		}
	}()
	for after := int64(-1); ; {
		items, err := from.behind(ctx, after)
		if err != nil || len(items) == 0 {
			return events, err
		}
		list := make([]export.Event, len(items))
		for i, it := range items {
			list[i] = it.Event
		}
		if err := to.Add(ctx, list); err != nil {
			return events, err
		}
		after, events = items[len(items)-1].N, events+len(items)
	}
}

// behind are the next events that a sink waits for.
func (o *SQLite) behind(ctx context.Context, n int64) ([]Item, error) {
	var rows *sql.Rows
	rows, err := o.db.QueryContext(ctx, "SELECT n, body FROM events WHERE n > ? AND n > (SELECT min(n) FROM cursors) ORDER BY n LIMIT ?", n, trimBatch)
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	defer rows.Close()
	return readItems(rows, batchBytes)
}
