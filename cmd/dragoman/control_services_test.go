package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record/ship"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// taken notes whose chunks came.
type taken struct{ nodes []string }

func (k *taken) Append(_ context.Context, node string, chunks []ship.Chunk) (acks []ship.Ack, err error) {
	for _, c := range chunks {
		k.nodes = append(k.nodes, node+" "+c.Session)
		acks = append(acks, ship.Ack{Session: c.Session})
	}
	return acks, nil
}

type nobody struct{}

func (nobody) EndSession(context.Context, string, string) error { return nil }

// TestIngestOfAnothersSession: a node can neither write into another's session nor say that it is over.
func TestIngestOfAnothersSession(t *testing.T) {
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	revs, err := token.NewStore(t.Context(), db, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := authz.NewSessions(t.Context(), db, revs, nobody{}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	if err := sessions.Add(t.Context(), authz.Live{Session: policy.Session{ID: "ses_a"}, Identity: identity.New("agent:a"), Node: "one"}); err != nil {
		t.Fatal(err)
	}
	kept := &taken{}
	in := ingest{kept, func() *authz.Sessions { return sessions }}
	acks, err := in.Append(t.Context(), "two", []ship.Chunk{{Session: "ses_a", Data: []byte("x")}, {Session: "ses_a", Ended: true}, {Session: "ses_b"}})
	if err != nil || len(acks) != 2 || len(kept.nodes) != 1 || kept.nodes[0] != "two ses_b" || acks[1] != (ship.Ack{Session: "ses_a", Diverged: true}) {
		t.Fatalf("%+v %v %v", acks, kept.nodes, err)
	}
	if of, ok := sessions.NodeOf("ses_a"); !ok || of != "one" {
		t.Fatal("another node's word ended it")
	}
	if _, err := in.Append(t.Context(), "one", []ship.Chunk{{Session: "ses_a", Ended: true}}); err != nil {
		t.Fatal(err)
	}
	if _, ok := sessions.NodeOf("ses_a"); ok {
		t.Fatal("its own node's word did not")
	}
}
