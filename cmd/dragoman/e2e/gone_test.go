package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestClientGone: a client that goes away without a goodbye (killed, crashed) leaves no session behind at the target,
// whatever it was doing: its transaction's locks go with it.
func TestClientGone(t *testing.T) {
	db := postgres(t, pgserver.Newest, pgserver.Options{})
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + target("pg", port, db, "gone") + "policy:\n  dir: policy\n",
		Files:  map[string]string{"pg-password": db.Password + "\n", "policy/rules.yaml": allowAll},
	}).start()
	execSQL(t, db, "postgres", "CREATE DATABASE gone")
	execSQL(t, db, "gone", "CREATE TABLE t(x int)")
	through := place{Port: port, User: "postgres", Password: g.token("analysts"), Database: "gone"}
	watch, err := pgx.Connect(t.Context(), db.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	for name, script := range map[string]string{
		"idle":           "SELECT 1",
		"in transaction": "BEGIN; LOCK TABLE t",
		"changing":       "BEGIN; ALTER TABLE t ADD y int",
	} {
		c := through.connect(t)
		if _, err := c.PgConn().Exec(t.Context(), script).ReadAll(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.PgConn().Conn().Close()
		noSessions(t, watch, name)
	}
	c := through.connect(t)
	c.PgConn().Frontend().Send(&pgproto3.Query{String: "SELECT pg_sleep(0.5)"})
	if err := c.PgConn().Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	c.PgConn().Conn().Close()
	noSessions(t, watch, "running")
}

func noSessions(t *testing.T, watch *pgx.Conn, name string) {
	t.Helper()
	n := -1
	for deadline := time.Now().Add(60 * time.Second); n != 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = 'gone'").Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if n != 0 {
		t.Errorf("%s: %d sessions are left at the target", name, n)
	}
}
