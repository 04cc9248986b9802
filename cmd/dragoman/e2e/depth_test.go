package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/pgserver"
)

// TestDepth sends statements that are nested as deep as anyone can write them:
// PostgreSQL's parser recurses in C, on the stack of an Envoy worker. Every one
// gets an answer, and Envoy lives.
func TestDepth(t *testing.T) {
	db := postgres(t, pgserver.Newest, pgserver.Options{})
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + target("pg", port, db, "postgres") + "policy:\n  dir: policy\n",
		Files:  map[string]string{"pg-password": db.Password + "\n", "policy/rules.yaml": allowAll},
	}).start()
	pid := proc.Child(g.cmd.Process.Pid, "envoy")
	p := place{Port: port, User: "agent", Password: g.token("analysts"), Database: "postgres"}
	c := p.connect(t)
	ctx := context.Background()
	for _, depth := range []int{100, 2400, 2600, 20_000} {
		for name, text := range nested(depth) {
			if len(text) > 1<<20 {
				continue // over the limit of a statement; another test
			}
			for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeDescribeExec} {
				t0 := time.Now()
				// A refusal, an error of the server and a result are all fine.
				_, _ = c.Exec(ctx, text, mode)
				if d := time.Since(t0); d > time.Second {
					t.Logf("%s, %d deep: %v", name, depth, d)
				}
				var one int
				if err := c.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil || one != 1 {
					t.Fatalf("after %s, %d deep: %v", name, depth, err)
				}
			}
		}
	}
	if now := proc.Child(g.cmd.Process.Pid, "envoy"); now != pid {
		t.Errorf("Envoy died: it was %d and is %d", pid, now)
	}
}

func nested(n int) map[string]string {
	return map[string]string{
		"parentheses":    "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"subqueries":     strings.Repeat("SELECT * FROM (", n/10) + "SELECT 1 a" + strings.Repeat(") x", n/10),
		"operators":      "SELECT 1" + strings.Repeat("+1", n),
		"prefix":         "SELECT " + strings.Repeat("- ", n) + "1",
		"and":            "SELECT true" + strings.Repeat(" AND true", n),
		"not":            "SELECT " + strings.Repeat("NOT ", n) + "true",
		"case":           "SELECT " + strings.Repeat("CASE WHEN true THEN ", n/10) + "1" + strings.Repeat(" END", n/10),
		"arrays":         "SELECT " + strings.Repeat("ARRAY[", n) + "1" + strings.Repeat("]", n),
		"unions":         "SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", n/10),
		"casts":          "SELECT 1" + strings.Repeat("::int", n),
		"functions":      "SELECT " + strings.Repeat("abs(", n) + "1" + strings.Repeat(")", n),
		"ctes":           strings.Repeat("WITH a AS (", n/10) + "SELECT 1" + strings.Repeat(") SELECT 1", n/10),
		"joins":          "SELECT 1 FROM pg_class a" + strings.Repeat(" CROSS JOIN pg_class", n/100),
		"indirection":    "SELECT (ARRAY[1])" + strings.Repeat("[1]", n),
		"nested comment": "SELECT " + strings.Repeat("/*", n) + strings.Repeat("*/", n) + " 1",
	}
}
