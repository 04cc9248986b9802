package sqlindex

import (
	"context"
	"time"
)

// Stale implements index.Index.
func (x *Index) Stale(ctx context.Context) (bool, error) {
	var n int64
	if err := x.rdb.QueryRowContext(ctx, "SELECT count(*) FROM stale").Scan(&n); err != nil {
		return false, failed("stale", err)
	}
	return n > 0, nil
}

// Rebuild implements index.Index.
func (x *Index) Rebuild(ctx context.Context) (map[string]string, error) {
	tx, err := x.d.begin(ctx, x.db)
	if err != nil {
		return nil, failed("rebuild", err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, x.d.bind("INSERT INTO stale (since) VALUES (?) ON CONFLICT DO NOTHING"), time.Now().UnixNano()); err != nil {
		return nil, failed("rebuild", err)
	}
	for _, q := range []string{
		"INSERT INTO nodes (id, node) SELECT id, node FROM sessions WHERE TRUE ON CONFLICT (id) DO UPDATE SET node = excluded.node",
		"DELETE FROM leaves", x.d.drop(), x.d.create(),
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return nil, failed("rebuild", err)
		}
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, node FROM nodes")
	if err != nil {
		return nil, failed("rebuild", err)
	}
	defer rows.Close()
	nodes := map[string]string{}
	for rows.Next() {
		var id, node string
		if err := rows.Scan(&id, &node); err != nil {
			return nil, failed("rebuild", err)
		}
		nodes[id] = node
	}
	if err := rows.Err(); err != nil {
		return nil, failed("rebuild", err)
	}
	if err := tx.Commit(); err != nil {
		return nil, failed("rebuild", err)
	}
	x.forget()
	return nodes, nil
}

// Rebuilt implements index.Index.
func (x *Index) Rebuilt(ctx context.Context) error {
	err := x.change(ctx, func(st *statements) {
		st.exec("DELETE FROM nodes")
		st.exec("DELETE FROM stale")
	})
	if err != nil {
		return failed("rebuild", err)
	}
	return nil
}

// Nodes says which node each session is of.
func (x *Index) Nodes(ctx context.Context) (map[string]string, error) {
	rows, err := x.rdb.QueryContext(ctx, "SELECT id, node FROM nodes UNION SELECT id, node FROM sessions")
	if err != nil {
		return nil, failed("nodes", err)
	}
	defer rows.Close()
	nodes := map[string]string{}
	for rows.Next() {
		var id, node string
		if err := rows.Scan(&id, &node); err != nil {
			return nil, failed("nodes", err)
		}
		nodes[id] = node
	}
	return nodes, rows.Err()
}

// Adopt prepares x to be made anew from records whose nodes another index has: x is stale then. It may be done again.
func (x *Index) Adopt(ctx context.Context, nodes map[string]string) error {
	var rows [][]any
	for id, node := range nodes {
		rows = append(rows, []any{id, node})
	}
	err := x.change(ctx, func(st *statements) {
		st.rows("INSERT INTO nodes (id, node) VALUES ", rows, " ON CONFLICT (id) DO UPDATE SET node = excluded.node")
		st.exec("INSERT INTO stale (since) VALUES (?) ON CONFLICT DO NOTHING", int64(1))
	})
	if err != nil {
		return failed("adopt", err)
	}
	return nil
}
