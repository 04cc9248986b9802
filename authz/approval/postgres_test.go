package approval_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/authz/approval/storetest"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/pgserver"
)

func startPostgres(t *testing.T) *pgserver.Server {
	t.Helper()
	home, err := pgserver.Ensure(t.Context(), "../../.tools", pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	server, err := pgserver.Start(t.Context(), pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	return server
}

func openPostgres(t *testing.T, url string) *approval.Postgres {
	t.Helper()
	db, err := pgdb.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := approval.NewPostgres(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPostgres(t *testing.T) {
	server := startPostgres(t)
	admin, err := pgdb.Open(t.Context(), server.URL("postgres"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	var made atomic.Int64
	storetest.Run(t, func(t *testing.T) approval.Store {
		name := fmt.Sprintf("t%d", made.Add(1))
		if _, err := admin.SQL.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		return openPostgres(t, server.URL(name))
	})
}

// TestTwoReplicas: a hold that waits at one control plane is decided at the other; the death of one takes only its own along.
func TestTwoReplicas(t *testing.T) {
	url := startPostgres(t).URL("postgres")
	open := func(owner string) *approval.Service {
		s, err := approval.New(t.Context(), openPostgres(t, url), approval.Config{Owner: owner, Approvers: []string{"dba"}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := open("a"), open("b")
	type answer struct {
		hold.Hold
		err error
	}
	wait := func(s *approval.Service, n int) <-chan answer {
		h := storetest.Sample(n)
		h.Deadline = time.Now().Add(time.Minute)
		c := make(chan answer, 1)
		go func() {
			got, err := s.Hold(context.Background(), h)
			c <- answer{got, err}
		}()
		for {
			if _, err := b.Show(t.Context(), h.ID); err == nil {
				return c
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	who := identity.New("user:dana@example.com")
	who.Groups = []string{"dba"}
	one, two := wait(a, 1), wait(b, 2)
	began := time.Now()
	if _, err := b.Approve(t.Context(), approval.Vote{ID: storetest.Sample(1).ID, By: who, Via: "api"}); err != nil {
		t.Fatal(err)
	}
	if got := <-one; got.err != nil || got.State != hold.Used {
		t.Fatalf("%+v", got)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the other replica was woken after %v", took)
	}
	again := open("a") // as after a restart: it ends what was its own
	if h, err := again.Show(t.Context(), storetest.Sample(2).ID); err != nil || h.State != hold.Pending {
		t.Fatalf("%+v %v", h, err)
	}
	if _, err := again.Deny(t.Context(), approval.Vote{ID: storetest.Sample(2).ID, By: who, Via: "api"}); err != nil {
		t.Fatal(err)
	}
	if got := <-two; got.err != nil || got.State != hold.Denied {
		t.Fatalf("%+v", got)
	}
}

func TestCopy(t *testing.T) {
	from, _ := openSQLite(t, filepath.Join(t.TempDir(), "authz.db"))
	to := openPostgres(t, startPostgres(t).URL("postgres"))
	for n := range 5 {
		h := storetest.Sample(n)
		h.Action.Text = "zero \x00 in it"
		if err := from.Create(t.Context(), approval.Record{Hold: h, Owner: "local"}); err != nil {
			t.Fatal(err)
		}
	}
	done := approval.Record{Hold: storetest.Sample(3), Version: 1}
	done.Hold.State = hold.Denied
	if _, err := from.Update(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{5, 0} {
		if n, err := approval.Copy(t.Context(), from, to); n != want || err != nil {
			t.Fatal(n, err)
		}
	}
	for n := range 5 {
		a, err := from.Get(t.Context(), storetest.Sample(n).ID)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := to.Get(t.Context(), storetest.Sample(n).ID); err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v\n%+v %v", a, b, err)
		}
	}
}
