package pgdb_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/pgserver"
)

var quiet = slog.New(slog.DiscardHandler)

func start(t *testing.T) *pgserver.Server {
	t.Helper()
	home, err := pgserver.Ensure(t.Context(), "../../.tools", pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Start(t.Context(), pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

func open(t *testing.T, url string) *pgdb.DB {
	t.Helper()
	d, err := pgdb.Open(t.Context(), url, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestNotifications(t *testing.T) {
	s := start(t)
	a, b := open(t, s.URL("postgres")), open(t, s.URL("postgres"))
	seen, other := make(chan string, 100), make(chan string, 100)
	cancel := b.Listen("one", func(p string) { seen <- p })
	b.Listen("on", func(p string) { other <- p })
	send := func(text string) {
		t.Helper()
		if _, err := a.SQL.ExecContext(t.Context(), pgdb.Notify, text); err != nil {
			t.Fatal(err)
		}
	}
	want := func(p string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != p {
				t.Fatalf("got %q, want %q", got, p)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("no %q", p)
		}
	}
	send("one:x:y")
	want("x:y")
	// The server ends the connection that listens: that some may be missed is told, and it goes on.
	if _, err := a.SQL.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND pid <> pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	want("")
	send("one:z")
	want("z")
	cancel()
	send("one:nobody")
	send("on:w")
	for p := range other {
		if p == "w" {
			break
		}
		if p != "" {
			t.Fatal(p)
		}
	}
	if len(seen) != 0 {
		t.Error("told after cancel")
	}
}

func TestMigrate(t *testing.T) {
	s := start(t)
	a, b := open(t, s.URL("postgres")), open(t, s.URL("postgres"))
	ctx := t.Context()
	done := make(chan error, 2)
	for _, d := range []*pgdb.DB{a, b} { // at once: one of them does it
		go func() {
			done <- d.Migrate(ctx, "x", "CREATE TABLE x (a INT);", "ALTER TABLE x ADD b INT; INSERT INTO x VALUES (1, 2);")
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := a.SQL.QueryRowContext(ctx, "SELECT count(*) FROM dragoman.x").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := a.Migrate(ctx, "x", "CREATE TABLE x (a INT);"); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Error(err)
	}
	if err := a.Migrate(ctx, "y", "CREATE TABLE y (a INT); broken"); err == nil {
		t.Error("a broken step")
	}
	if err := a.SQL.QueryRowContext(ctx, "SELECT count(*) FROM y").Scan(&n); err == nil {
		t.Error("half a step")
	}
}

func TestOpenFails(t *testing.T) {
	for _, url := range []string{"postgres://u:secretpw@127.0.0.1:1/x", "postgres://u:secretpw@127.0.0.1:notaport/x"} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := pgdb.Open(ctx, url, quiet)
		cancel()
		if err == nil || strings.Contains(err.Error(), "secretpw") {
			t.Errorf("%v", err)
		}
	}
}

func TestLock(t *testing.T) {
	s := start(t)
	a, err := pgdb.Open(t.Context(), s.URL("postgres"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, s.URL("postgres"))
	never := func(err error) { t.Error(err) }
	lost := make(chan error, 1)
	if err := errors.Join(a.Lock(t.Context(), "x", never), a.Lock(t.Context(), "z", func(err error) { lost <- err }), b.Lock(t.Context(), "y", never)); err != nil {
		t.Fatal(err)
	}
	if err := b.Lock(t.Context(), "x", never); !errors.Is(err, pgdb.ErrTaken) {
		t.Fatal(err)
	}
	// The connections of the locks are gone: one is taken again, the other one somebody else takes first.
	if _, err := b.SQL.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid <> hashtext('y')::oid"); err != nil {
		t.Fatal(err)
	}
	for b.Lock(t.Context(), "z", never) != nil { // a was quicker, on a machine that stalls
		if _, err := b.SQL.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = hashtext('z')::oid"); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-lost:
		if !errors.Is(err, pgdb.ErrTaken) {
			t.Error(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the loss is not noticed")
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var n int
		if err := b.SQL.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = hashtext('x')::oid").Scan(&n); err != nil || time.Now().After(end) {
			t.Fatal("not taken again", err)
		}
		if n == 1 {
			break
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); b.Lock(t.Context(), "x", never) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a closed database keeps its lock")
		}
	}
}
