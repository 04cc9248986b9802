package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/hold"
)

// poolRule lets one approval be for all connections of a pool.
const poolRule = `- {name: pool, verdict: hold, when: {groups: [agents], targets: [db], verbs: [update], tables: [public.pooled]}, approvers: [leads], reason: people look, shape_for: 10m, shape_pool: true}
`

// pool: a connection pool whose statements differ in literals only asks once, by many connections at a time; another statement asks anew. Whoever
// watches in a terminal sees it all.
func (g *told) pool(t *testing.T) {
	watch := g.follow(t, "approvals", "watch")
	const n = 6
	run := func(sql string) chan error {
		done := make(chan error, 1)
		c := place{Port: g.ports["db"], User: "agent", Password: g.token, Database: "postgres"}.connect(t)
		go func() {
			_, err := c.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
			done <- err
		}()
		return done
	}
	pending := func(want int) (list []hold.Hold) {
		t.Helper()
		waitUntil(t, 60*time.Second, fmt.Sprint(want, " holds"), func() bool {
			all, err := g.holds(hold.Pending)
			if err != nil {
				return false
			}
			list = nil
			for _, h := range all {
				if h.Rule == "pool" {
					list = append(list, h)
				}
			}
			return len(list) == want
		})
		return list
	}
	ends := func(what string, done chan error) error {
		t.Helper()
		select {
		case err := <-done:
			return err
		case <-time.After(60 * time.Second):
			t.Fatalf("%s still waits", what)
			return nil
		}
	}
	waitUntil(t, 60*time.Second, "somebody watches", func() bool { // what comes from then on is seen
		_ = ends("a statement", run("INSERT INTO notes VALUES (2)"))
		return watch.String() != ""
	})
	var all []chan error
	for i := range n {
		all = append(all, run(fmt.Sprintf("UPDATE pooled SET text = 'v%d' WHERE id = %d", i, i)))
	}
	one := pending(n)[0]
	g.must("approvals", "approve", one.ID, "--digest", one.Digest, "--shape-for", "10m", "--shape-pool", "--as", "user:lea@example.com", "--group", "leads")
	for i, done := range all {
		if err := ends(fmt.Sprint("connection ", i), done); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	if err := ends("a later connection", run("UPDATE pooled SET text = 'later' WHERE id = 100")); err != nil {
		t.Errorf("a later connection: %v", err)
	}
	other := run("UPDATE pooled SET text = 'x' WHERE id > 1")
	if err := g.decide(pending(1)[0].ID, "deny", "user:lea@example.com", "leads"); err != nil {
		t.Fatal(err)
	}
	if err := ends("another statement", other); err == nil {
		t.Error("another statement ran")
	}
	used, err := g.holds(hold.Used)
	if err != nil {
		t.Fatal(err)
	}
	said, followed := 0, 0
	for _, h := range used {
		if h.Rule != "pool" {
			continue
		}
		for _, d := range h.Decisions {
			if d.Of == "" {
				said++
			} else if d.Of == one.ID {
				followed++
			}
		}
	}
	if said != 1 || followed != n {
		t.Errorf("people decided %d times, and %d statements followed from it", said, followed)
	}
	waitUntil(t, 60*time.Second, "who watches sees it", func() bool {
		out := watch.String()
		return strings.Contains(out, "pending    "+one.ID) && strings.Contains(out, "used       "+one.ID) && strings.Contains(out, "--shape-pool for all connections of the token") &&
			strings.Contains(out, "UPDATE pooled SET text = 'x' WHERE id > 1") && strings.Contains(out, "denied     ")
	})
}
