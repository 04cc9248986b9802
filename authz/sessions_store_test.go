package authz

import (
	"log/slog"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

func startPostgres(t *testing.T) *pgserver.Server {
	t.Helper()
	home, err := pgserver.Ensure(t.Context(), "../.tools", pgserver.Newest)
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

func openPostgres(t *testing.T, url string) *pgdb.DB {
	t.Helper()
	db, err := pgdb.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestSessionStores is what a sessionStore promises.
func TestSessionStores(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "x.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s, err := newEmbeddedSessions(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		sessionStoreSuite(t, s)
	})
	t.Run("postgres", func(t *testing.T) {
		s, err := newSharedSessions(t.Context(), openPostgres(t, startPostgres(t).URL("postgres")))
		if err != nil {
			t.Fatal(err)
		}
		sessionStoreSuite(t, s)
	})
}

func sampleLive(id string) Live {
	who := identity.New("user:alice@example.com", "agent:é")
	return Live{Session: policy.Session{ID: id, Started: time.Unix(1_790_000_000, 5).UTC(), Client: "192.0.2.1:1"}, Identity: who,
		Issued: time.Unix(1_790_000_000, 7).UTC(), Target: policy.Target{Name: "shop"}, Node: "gw", Ends: time.Unix(1_790_003_600, 0).UTC()}
}

func sessionStoreSuite(t *testing.T, s sessionStore) {
	ctx := t.Context()
	changes := make(chan string, 100)
	defer s.watch(func(id string) { changes <- id })()
	want := sampleLive("ses_1")
	if err := s.add(ctx, want); err != nil {
		t.Fatal(err)
	}
	if err := s.add(ctx, want); err == nil {
		t.Error("a session is added twice")
	}
	if err := s.add(ctx, sampleLive("ses_2")); err != nil {
		t.Fatal(err)
	}
	got, there, err := s.one(ctx, "ses_1")
	if err != nil || !there || !reflect.DeepEqual(got.live, want) || got.ending != "" {
		t.Errorf("%+v %v %v", got, there, err)
	}
	for _, reason := range []string{"first", "second"} {
		if err := s.end(ctx, "ses_1", reason); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.all(ctx); err != nil || len(all) != 2 {
		t.Error(all, err)
	}
	if got, _, err = s.one(ctx, "ses_1"); err != nil || got.ending != "first" {
		t.Error(got, err)
	}
	for range 2 { // also what is not there
		if err := s.remove(ctx, "ses_1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.end(ctx, "ses_1", "x"); err != nil {
		t.Fatal(err)
	}
	if _, there, err := s.one(ctx, "ses_1"); there || err != nil {
		t.Error(there, err)
	}
	if !s.shared() {
		return
	}
	for _, want := range []string{"ses_1", "ses_2", "ses_1", "ses_1"} { // added, added, marked, removed
		select {
		case id := <-changes:
			if id != want {
				t.Errorf("told of %q, not of %s", id, want)
			}
		case <-time.After(60 * time.Second):
			t.Fatal("nobody is told")
		}
	}
}

// replica is a registry on a shared database, with gateways of its own.
type replica struct {
	*Sessions
	tokens *token.Store
	ender  *ender
}

func newReplica(t *testing.T, url string, deaf int) *replica {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &replica{ender: &ender{calls: make(chan ended, 100), deaf: deaf}}
	var err error
	if r.tokens, err = token.NewPostgres(t.Context(), openPostgres(t, url), time.Now, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.tokens.Close)
	if r.Sessions, err = NewSharedSessions(t.Context(), openPostgres(t, url), r.tokens, r.ender, time.Now, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Sessions.Close)
	return r
}

func (r *replica) gone(t *testing.T, id string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); r.listed(id); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is still listed", id)
		}
	}
}

// TestReplicas: a session that one replica opened is known to the other, ends by whichever of them is asked, at the gateway
// that has it, and is forgotten by both. So it is by revocation and expiry, and after the first replica is gone.
func TestReplicas(t *testing.T) {
	url := startPostgres(t).URL("postgres")
	a, b := newReplica(t, url, 0), newReplica(t, url, 1<<30) // only a's gateways have sessions
	open := func(id string, change func(*Live)) {
		t.Helper()
		l := sampleLive(id)
		l.Ends = time.Time{}
		if change != nil {
			change(&l)
		}
		if err := a.Add(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got, ok := b.Get(id); !ok || got.Node != "gw" { // at once
			t.Fatal(got, ok)
		}
	}
	done := map[string]bool{}
	over := func(id, reason string) {
		t.Helper()
		got := a.ender.next(t)
		for done[got.id] { // its end was heard twice, from the other replica and from the database
			got = a.ender.next(t)
		}
		if done[id] = true; got.id != id || got.reason != reason {
			t.Fatalf("%+v", got)
		}
		a.gone(t, id)
		b.gone(t, id)
	}
	open("ses_1", nil)
	_, bound, cancel, ok := b.Bind(t.Context(), "ses_1")
	if !ok {
		t.Fatal("not bound")
	}
	defer cancel()
	if err := b.End("ses_1", "admin: x"); err != nil {
		t.Fatal(err)
	}
	over("ses_1", "admin: x")
	<-bound.Done()
	open("ses_2", func(l *Live) { l.Identity.TokenID = "tok_1" })
	if _, err := b.tokens.Revoke(t.Context(), "tok_1", "test", "x"); err != nil {
		t.Fatal(err)
	}
	over("ses_2", EndRevoked)
	open("ses_3", func(l *Live) { l.Ends = time.Now().Add(4 * time.Second) })
	over("ses_3", EndExpired)
	open("ses_4", nil)
	b.Ended("ses_4") // its record came in through the other one
	a.gone(t, "ses_4")
	open("ses_5", nil)
	a.Sessions.Close()
	if _, ok := b.Get("ses_5"); !ok {
		t.Error("a session is forgotten with the replica that opened it")
	}
	c := newReplica(t, url, 0)
	if err := b.End("ses_5", "x"); err != nil {
		t.Fatal(err)
	}
	if got := c.ender.next(t); got.id != "ses_5" {
		t.Error(got)
	}
	b.gone(t, "ses_5")
}
