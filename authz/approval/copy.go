package approval

import (
	"context"
	"encoding/json"
	"fmt"

	"dragoman.dev/dragoman/internal/pgdb"
)

// Copy puts the holds of from into to, where they are not there yet, and says how many it put.
func Copy(ctx context.Context, from *SQLite, to *Postgres) (int64, error) {
	rows, err := from.db.QueryContext(ctx, `SELECT version, owner, body FROM hold ORDER BY id`)
	if err != nil {
		return 0, fmt.Errorf("approval: copying holds: %w", err)
	}
	all, err := scanAll(rows)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, r := range all {
		body, err := json.Marshal(r.Hold)
		if err != nil {
			return n, fmt.Errorf("approval: copying holds: %w", err)
		}
		h := r.Hold
		put, err := to.change(ctx, h.ID, `INSERT INTO hold VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			h.ID, r.Version, r.Owner, string(h.State), h.Target, h.Session, h.Created.UnixNano(), body)
		if err != nil && !pgdb.IsUnique(err) {
			return n, fmt.Errorf("approval: copying holds: %w", err)
		}
		n += put
	}
	return n, nil
}
