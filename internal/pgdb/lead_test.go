package pgdb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/pgdb"
)

// TestLead: one leads; when its lock's connection is cut, it is told, and somebody leads again.
func TestLead(t *testing.T) {
	s := start(t)
	a, b := open(t, s.URL("postgres")), open(t, s.URL("postgres"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	type event struct {
		who string
		ctx context.Context
	}
	began := make(chan event, 4)
	lead := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			began <- event{who, ctx}
			<-ctx.Done()
			return nil
		}
	}
	go a.Lead(ctx, "l", lead("a"))
	first := <-began
	go b.Lead(ctx, "l", lead("b"))
	if free, err := b.TryLock(ctx, "l"); free || err != nil {
		t.Fatal(free, err)
	}
	if _, err := b.SQL.ExecContext(ctx, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.ctx.Done():
	case <-time.After(60 * time.Second):
		t.Fatal("its loss is not noticed")
	}
	next := <-began
	if next.who == "a" {
		t.Log("the first was quicker")
	}
	stop()
	<-next.ctx.Done()
}

func TestTerm(t *testing.T) {
	s := start(t)
	a, b := open(t, s.URL("postgres")), open(t, s.URL("postgres"))
	ctx := t.Context()
	one, err := a.Begin(ctx, "l", "a")
	if err != nil || one.N != 1 {
		t.Fatal(one, err)
	}
	tx, err := a.SQL.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Check(ctx, tx); err != nil {
		t.Fatal(err)
	}
	done := make(chan pgdb.Term)
	go func() {
		two, err := b.Begin(ctx, "l", "b")
		if err != nil {
			t.Error(err)
		}
		done <- two
	}()
	select {
	case <-done:
		t.Fatal("a term begins within a transaction of the one before")
	case <-time.After(200 * time.Millisecond):
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if two := <-done; two.N != 2 {
		t.Fatal(two)
	}
	tx, err = a.SQL.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := one.Check(ctx, tx); !errors.Is(err, pgdb.ErrDeposed) {
		t.Fatal(err)
	}
	if now, err := a.Leader(ctx, "l"); err != nil || now.Holder != "b" || now.N != 2 {
		t.Fatal(now, err)
	}
}
