package e2e

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/pgserver"
)

// TestEnvoyRestart: when Envoy dies its sessions are over and recorded so, and new ones are served soon.
func TestEnvoyRestart(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	c := r.place.connect(t)
	if _, err := c.Exec(context.Background(), "SELECT 'before the death'"); err != nil {
		t.Fatal(err)
	}
	pid := proc.Child(r.cmd.Process.Pid, "envoy")
	if pid == 0 {
		t.Fatal("no Envoy")
	}
	began := time.Now()
	syscall.Kill(pid, syscall.SIGKILL)
	if _, err := c.Exec(context.Background(), "SELECT 1"); err == nil {
		t.Error("the connection outlived Envoy")
	}
	waitUntil(t, 60*time.Second, "sessions open again", func() bool {
		c, err := pgx.Connect(context.Background(), r.place.dsn()+" password="+r.place.Password)
		if err == nil {
			c.Close(context.Background())
		}
		return err == nil
	})
	t.Logf("served again %v after Envoy's death", time.Since(began))
	id := r.sessionWith(t, "before the death")
	waitUntil(t, 60*time.Second, "the session is closed as lost", func() bool {
		out, _, _ := r.run("sessions", "show", id, "--json")
		return strings.Contains(out, `"lost"`)
	})
}

// TestDrain: SIGTERM lets a running statement finish, and takes no new sessions meanwhile.
func TestDrain(t *testing.T) {
	db := clientsDatabase(t, pgserver.Newest)
	port := freePort(t)
	g := newGateway(t, setup{Config: "targets:\n" + target("db", port, db, "clients") + "policy:\n  dir: policy\n",
		Files: map[string]string{"db-password": db.Password, "policy/rules.yaml": clientsRules}})
	text := strings.Replace(mustRead(t, g.config), "drain_time: 1s", "drain_time: 30s", 1)
	g.write("dragoman.yaml", text)
	g.start()
	p := place{Port: port, User: "agent", Password: g.token("clients"), Database: "clients"}
	r := &rig{g, db, p}
	c, idle := p.connect(t), p.connect(t)
	alive(t, idle)
	result := make(chan error, 1)
	go func() { _, err := c.Exec(context.Background(), "SELECT pg_sleep(6)"); result <- err }()
	waitUntil(t, 60*time.Second, "the statement runs", func() bool { return r.running("pg_sleep(6)") == 1 })
	began := time.Now()
	g.cmd.Process.Signal(syscall.SIGTERM)
	waitUntil(t, 60*time.Second, "no new session opens while the gateway drains", func() bool {
		ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
		defer stop()
		late, err := pgx.Connect(ctx, p.dsn()+" password="+p.Password)
		if err == nil {
			late.Close(ctx)
		}
		return err != nil
	})
	if err := <-result; err != nil {
		t.Errorf("the running statement did not finish: %v", err)
	}
	c.Close(context.Background())
	idle.Close(context.Background())
	select {
	case <-g.done:
		t.Logf("stopped %v after SIGTERM, the statement took 6 s", time.Since(began))
	case <-time.After(60 * time.Second):
		t.Error("the gateway does not stop")
	}
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	g.must("audit", "verify")
}

func mustRead(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
