package pgsql

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/sql"
)

// TestPlans: every relation and function scan in the server's own plan is among
// the reads. The plan may have fewer (what the planner can drop).
func TestPlans(t *testing.T) {
	for _, s := range servers {
		t.Run(s.version, func(t *testing.T) {
			n := 0
			for _, q := range lines(t, "testdata/describe.sql") {
				q, newest := strings.CutPrefix(q, "18:")
				if newest && s.version != pgserver.Newest || strings.Contains(q, "$") {
					continue
				}
				n += s.plan(t, q)
			}
			if n < 100 {
				t.Errorf("only %d relations were compared", n)
			}
			t.Logf("%d relations compared", n)
		})
	}
}

func (s *server) plan(t *testing.T, q string) int {
	ctx := context.Background()
	tx, err := s.conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	var doc []byte
	if err := tx.QueryRow(ctx, "explain (verbose, format json) "+q).Scan(&doc); err != nil {
		return 0 // not a plannable statement
	}
	var plan any
	if err := json.Unmarshal(doc, &plan); err != nil {
		t.Fatal(err)
	}
	st, err := Analyze(q, s.env)
	if err != nil {
		t.Errorf("%s: %v", q, err)
		return 0
	}
	n := 0
	scans(plan, func(schema, name string) {
		n++
		if !touches(st[0], schema, name) {
			t.Errorf("%s\n  the plan has %s.%s, the reads are %v", q, schema, name, st[0].Action.Reads)
		}
	})
	return n
}

func scans(v any, found func(schema, name string)) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			scans(x, found)
		}
	case map[string]any:
		if name, ok := v["Relation Name"].(string); ok {
			schema, _ := v["Schema"].(string)
			found(schema, name)
		}
		for _, x := range v {
			scans(x, found)
		}
	}
}

// touches: read or written, or a part of what is; the tables behind the
// server's own views are theirs.
func touches(st *sql.Statement, schema, name string) bool {
	if schema == "pg_catalog" {
		return true
	}
	for _, o := range append(st.Action.Reads, st.Action.Writes...) {
		if o.Schema == schema && (o.Name == name || o.Name == "events" && strings.HasPrefix(name, "events_") || o.Name == "base" && name == "derived") {
			return true
		}
	}
	return false
}
