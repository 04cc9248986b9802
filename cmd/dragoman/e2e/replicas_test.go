package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/pgserver"
)

// twins are two control planes on one database and one folder, and one Envoy that knows both.
type twins struct {
	a, b   *rig
	store  *pgserver.Server // of the control planes
	shared string           // their folder
	// kept are the marks in records.
	kept func() map[string]bool
}

// newTwins starts them, with more in their configuration; a keeps the records.
func newTwins(t *testing.T, more string) *twins {
	t.Helper()
	db, store := clientsDatabase(t, pgserver.Newest), postgres(t, pgserver.Newest, pgserver.Options{})
	ca, shared := newAuthority(t, "mesh"), t.TempDir()
	server := ca.issue("control", "127.0.0.1", "spiffe://example.org/control")
	ports, port := [2]int{freePort(t), freePort(t)}, freePort(t)
	one := func(name string, n int) *rig {
		config := fmt.Sprintf("  external: true\n  control: {listen: \"127.0.0.1:%d\", address: \"127.0.0.1:%d,127.0.0.1:%d\", cert: control.crt, key: control.key, client_ca: mesh.crt}\n",
			ports[n], ports[0], ports[1]) + `  nodes:
    - {name: edge, spiffe: "spiffe://example.org/node/edge", role: gateway}
database: file:db.url
` + fmt.Sprintf("replicas: {name: %s, folder: %s, listen: \"127.0.0.1:%d\"}\n", name, shared, freePort(t)) +
			more + "targets:\n" + target("db", port, db, "clients", "nodes: [edge]") + "policy:\n  dir: policy\n"
		g := newGateway(t, setup{Config: config, Files: map[string]string{"db-password": db.Password, "db.url": store.URL("postgres") + "\n",
			"control.crt": server.Cert, "control.key": server.Key, "mesh.crt": ca.PEM, "policy/rules.yaml": clientsRules}}).start()
		return &rig{g, db, place{Port: port, User: "agent", Database: "clients"}}
	}
	w := &twins{store: store, shared: shared, a: one("a", 0)}
	w.kept = func() map[string]bool { return recorded(t, shared) }
	w.wantKeeper(t, "a")
	w.b = one("b", 1)
	password := w.b.token("clients")
	w.a.place.Password, w.b.place.Password = password, password
	f := &fleet{rig: w.a, ca: ca}
	f.startNode(t, "edge", ca, ca.issue("edge", "spiffe://example.org/node/edge"))
	waitUntil(t, 60*time.Second, "the edge serves", func() bool { return w.a.place.serves() == nil })
	return w
}

// wantKeeper waits until a replica keeps the records.
func (w *twins) wantKeeper(t *testing.T, name string) {
	t.Helper()
	waitUntil(t, 60*time.Second, name+" keeps the records", func() bool {
		c, err := pgx.Connect(context.Background(), w.store.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		var holder string
		return c.QueryRow(context.Background(), "SELECT holder FROM dragoman.term WHERE name = 'records'").Scan(&holder) == nil && holder == name
	})
}

// finds reports whether a replica's search finds a session with a statement.
func finds(r *rig, words string) bool {
	var page struct {
		Sessions []struct{ ID string }
	}
	out, _, code := r.run("sessions", "list", "--text", words, "--json")
	return code == 0 && json.Unmarshal([]byte(out), &page) == nil && len(page.Sessions) > 0
}

// tail follows a session through a replica and collects what it prints.
func tail(t *testing.T, r *rig, session string) *syncBuffer {
	t.Helper()
	return r.follow(t, "sessions", "tail", session)
}

// follow runs a command until the test ends, and collects what it prints.
func (g *gateway) follow(t *testing.T, args ...string) *syncBuffer {
	t.Helper()
	out := &syncBuffer{}
	cmd := exec.Command(filepath.Join(g.bin, "dragoman"), append(args, "-c", g.config)...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(pipe); s.Scan(); {
			fmt.Fprintln(out, s.Text())
		}
	}()
	t.Cleanup(func() { process.End(syscall.SIGTERM, 5*time.Second) })
	return out
}

func exec1(t *testing.T, c *pgx.Conn, sql string) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestReplicas: everything works through either of two control planes, and goes on when the one that keeps the records
// is killed under load.
func TestReplicas(t *testing.T) { newTwins(t, "").run(t) }

func (w *twins) run(t *testing.T) {
	stop := make(chan struct{})
	var load sync.WaitGroup
	var answered atomic.Int64
	for n := range 3 { // connections that ask one thing after the other
		load.Go(func() { hammer(w.a.place, n, stop, &answered) })
	}
	more := func(what string) {
		t.Helper()
		before := answered.Load()
		waitUntil(t, 60*time.Second, "statements are answered "+what, func() bool { return answered.Load() > before+30 })
	}
	more("at first")
	c := w.a.place.connect(t)
	exec1(t, c, "SELECT 'marked before'")
	for _, r := range []*rig{w.a, w.b} {
		waitUntil(t, 60*time.Second, "search finds it", func() bool { return finds(r, `"marked before"`) })
	}
	id := w.b.sessionWith(t, "marked before")
	out := tail(t, w.b, id)
	waitUntil(t, 60*time.Second, "the other one's tail has it", func() bool { return strings.Contains(out.String(), "marked before") })
	t.Run("either", func(t *testing.T) { w.either(t) })

	held := w.a.heldExec(t, w.a.place.connect(t), heldUpdate, "lost", 13)
	w.a.cmd.Process.Kill()
	<-w.a.done
	began := time.Now()
	w.wantKeeper(t, "b")
	t.Logf("the records were taken over after %v", time.Since(began))
	if err := held.end(t); err == nil || w.a.value(t, 13) == "lost" {
		t.Error("a statement ran whose hold nobody decided")
	}
	w.b.wantState(t, held.hold.ID, hold.Withdrawn)
	exec1(t, c, "SELECT 'marked after'")
	waitUntil(t, 60*time.Second, "the tail goes on", func() bool { return strings.Contains(out.String(), "marked after") })
	waitUntil(t, 60*time.Second, "search finds it", func() bool { return finds(w.b, `"marked after"`) })
	more("with one replica")
	w.decided(t, w.b, w.b, 14)

	w.a.start()
	waitUntil(t, 60*time.Second, "the one that came back finds it", func() bool { return finds(w.a, `"marked after"`) })
	w.decided(t, w.b, w.a, 15)
	w.a.must("sessions", "end", id) // its gateway talks to the other one
	if _, err := ended(t, c, time.Now()); err == nil {
		t.Error("the session goes on")
	}
	more("at the end")
	close(stop)
	load.Wait()
	w.complete(t)
}

// decided holds a statement, and has it approved through a replica.
func (w *twins) decided(t *testing.T, seen, by *rig, row int) {
	t.Helper()
	value := fmt.Sprint("by ", row)
	c := seen.place.connect(t)
	defer c.Close(context.Background())
	h := seen.heldExec(t, c, heldUpdate, value, row)
	if err := by.decide(h.hold.ID, "approve", "user:dana@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	if err := h.end(t); err != nil || seen.value(t, row) != value {
		t.Error(err)
	}
}

// either: holds, revocations, ends and pushes are the same thing through both, whichever of them the Envoy talks to.
func (w *twins) either(t *testing.T) {
	for n, r := range []*rig{w.a, w.b} {
		w.decided(t, w.a, r, 11+n)
		p := r.place.as(r.tokenFor(fmt.Sprint("agent:gone", n), "", "clients"))
		c := p.connect(t)
		other := []*rig{w.b, w.a}[n]
		began := time.Now()
		other.must("token", "revoke", tokenID(t, p.Password))
		said := time.Since(began)
		took, err := ended(t, c, began)
		wantFatal(t, err, "revoked")
		t.Logf("a revocation through %s took %v, the command %v of it", []string{"b", "a"}[n], took, said)
		c = p.as(other.tokenFor(fmt.Sprint("agent:ended", n), "", "clients")).connect(t)
		mark := fmt.Sprint("to be ended ", n)
		exec1(t, c, "SELECT '"+mark+"'")
		r.must("sessions", "end", r.sessionWith(t, mark))
		if _, err := ended(t, c, time.Now()); err == nil {
			t.Error("the session goes on")
		}
	}
	c := w.a.place.connect(t)
	defer c.Close(context.Background())
	for _, verdict := range []string{"block", "allow"} {
		rules := strings.Replace(clientsRules, "rules:\n", "rules:\n  - {name: shut, verdict: "+verdict+", when: {tables: [public.people]}}\n", 1)
		w.a.write("policy/rules.yaml", rules)
		w.b.write("policy/rules.yaml", rules)
		waitUntil(t, 60*time.Second, "the push is in force", func() bool {
			_, err := c.Exec(context.Background(), "SELECT id FROM people")
			return (err == nil) == (verdict == "allow")
		})
	}
}

// complete: all that the target saw is recorded, and the store verifies.
func (w *twins) complete(t *testing.T) {
	t.Helper()
	seen := markersIn(t, w.a.db.LogFile())
	missing := unrecorded(t, w.kept, seen)
	w.a.stop()
	w.b.stop()
	t.Log(strings.TrimSpace(w.a.must("audit", "verify")))
	t.Logf("%d statements in the target's log, %d without a frame", len(seen), len(missing))
}
