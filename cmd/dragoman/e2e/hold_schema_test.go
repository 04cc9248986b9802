package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/pgserver"
)

// TestHoldsOverSchemaChanges: an approval is bound to what was shown. When the schema changes while the statement
// waits, so that it means something else, it does not run; when it still means the same, it does.
func TestHoldsOverSchemaChanges(t *testing.T) {
	rules := strings.Replace(clientsRules, "rules:\n", `rules:
  - {name: watched, verdict: hold, when: {groups: [clients], verbs: [select], tables: ["public.watched*"]}, approvers: [dba], timeout: 60s, reason: somebody looks}
  - {name: prepare, verdict: allow, when: {groups: [clients], verbs: [prepare, execute, select], tables: ["*.*"]}}
`, 1)
	r := clientsRig(t, pgserver.Newest, rules)
	views := []string{"CREATE VIEW watched AS SELECT id, name AS what FROM people", "CREATE OR REPLACE VIEW watched AS SELECT id, ssn AS what FROM people"}
	n := 0
	for name, c := range map[string]struct {
		before, change, sql string
		args                []any
		mode                pgx.QueryExecMode
		begin, runs         bool
	}{
		"rename":                 {before: "SELECT 1", change: "ALTER TABLE held RENAME v TO w", sql: "UPDATE held SET v = $1 WHERE id = 1", args: []any{"x"}, mode: pgx.QueryExecModeSimpleProtocol},
		"view, simple":           {before: views[0], change: views[1], sql: "SELECT what FROM watched", mode: pgx.QueryExecModeSimpleProtocol},
		"view, extended":         {before: views[0], change: views[1], sql: "SELECT what FROM watched", mode: pgx.QueryExecModeCacheDescribe},
		"view, prepared":         {before: views[0], change: views[1], sql: "SELECT what FROM watched", mode: pgx.QueryExecModeDescribeExec},
		"view, in a transaction": {before: views[0], change: views[1], sql: "SELECT what FROM watched", mode: pgx.QueryExecModeSimpleProtocol, begin: true},
		"unrelated":              {before: views[0], change: "CREATE TABLE unrelated (x int)", sql: "SELECT what FROM watched WHERE id = 1", mode: pgx.QueryExecModeCacheDescribe, runs: true},
		"nothing":                {before: views[0], change: "SELECT 1", sql: "SELECT what FROM watched WHERE id = 1", mode: pgx.QueryExecModeCacheDescribe, runs: true},
	} {
		t.Run(name, func(t *testing.T) {
			// A view of its own, which the gateway has to look up: what it knows may be seconds old.
			n++
			own := strings.NewReplacer("watched", fmt.Sprint("watched", n), "unrelated", fmt.Sprint("unrelated", n))
			execSQL(t, r.db, "clients", own.Replace(c.before))
			conn := r.place.connect(t)
			if c.begin {
				if _, err := conn.Exec(context.Background(), "BEGIN; SELECT 1"); err != nil {
					t.Fatal(err)
				}
			}
			w := r.heldExec(t, conn, own.Replace(c.sql), append([]any{c.mode}, c.args...)...)
			execSQL(t, r.db, "clients", own.Replace(c.change))
			if err := r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba"); err != nil {
				t.Fatal(err)
			}
			err := w.end(t)
			r.wantState(t, w.hold.ID, hold.Used)
			var pe *pgconn.PgError
			switch {
			case c.runs && err != nil:
				t.Errorf("it means the same, and did not run: %v", err)
			case !c.runs && (!errors.As(err, &pe) || pe.Code != "42501" || !strings.Contains(pe.Message, "the schema has changed while it waited")):
				t.Errorf("it means something else, and ran: %v", err)
			}
			alive(t, conn)
		})
	}
}

// TestPreparedOverSchemaChanges: what SQL has prepared is judged as what it means when it runs.
func TestPreparedOverSchemaChanges(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, strings.Replace(clientsRules, "rules:\n", "rules:\n  - {name: prepare, verdict: allow, when: {groups: [clients], verbs: [prepare, execute, select], tables: [\"*.*\"]}}\n", 1))
	execSQL(t, r.db, "clients", "CREATE VIEW what AS SELECT id, name AS x FROM people")
	c := r.place.connect(t)
	ctx := context.Background()
	if _, err := c.PgConn().Exec(ctx, "PREPARE p AS SELECT 'is ' || x FROM what WHERE id = 1").ReadAll(); err != nil {
		t.Fatal(err)
	}
	run := func() string {
		res, err := c.PgConn().Exec(ctx, "EXECUTE p").ReadAll()
		if err != nil {
			return err.Error()
		}
		return string(res[0].Rows[0][0])
	}
	if s := run(); s != "is person 1" {
		t.Fatal(s)
	}
	execSQL(t, r.db, "clients", "CREATE OR REPLACE VIEW what AS SELECT id, ssn AS x FROM people")
	other := r.place.connect(t)
	waitUntil(t, 60e9, "the change is noticed", func() bool {
		var s string
		err := other.QueryRow(ctx, "SELECT 'is ' || x FROM what WHERE id = 1").Scan(&s)
		return err == nil && !strings.Contains(s, "person") && !strings.Contains(s, "123-45")
	})
	if s := run(); strings.Contains(s, "123-45") {
		t.Errorf("a masked value: %s", s)
	}
}
