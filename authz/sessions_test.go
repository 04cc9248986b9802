package authz

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/policy"
)

func (e *ender) next(t *testing.T) ended {
	t.Helper()
	select {
	case got := <-e.calls:
		return got
	case <-time.After(60 * time.Second):
		t.Fatal("no session is ended")
	}
	return ended{}
}

func TestRevocationEndsSessions(t *testing.T) {
	w := newWorld(t)
	w.ender.deaf = 2
	one := w.mint(t, token.MintRequest{Subject: "agent:a", OnBehalfOf: "user:alice"})
	two := w.mint(t, token.MintRequest{Subject: "agent:b", OnBehalfOf: "user:alice"})
	three := w.mint(t, token.MintRequest{Subject: "agent:c", OnBehalfOf: "user:bob"})
	ids := map[string]string{}
	for name, raw := range map[string]string{"one": one, "two": two, "three": three} {
		res, err := w.Open(t.Context(), openOf(raw))
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = res.Session
	}
	list, err := w.tokens.List(t.Context(), false, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, is := range list {
		if is.Identity.Subject == "agent:c" {
			if _, err := w.tokens.Revoke(t.Context(), is.Identity.TokenID, "test", "x"); err != nil {
				t.Fatal(err)
			}
		}
	}
	start := time.Now()
	if got := w.ender.next(t); got.id != ids["three"] || got.reason != EndRevoked {
		t.Fatalf("%+v", got)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Fatalf("after %s", d)
	}
	start = time.Now()
	if _, err := w.tokens.RevokeSubject(t.Context(), "user:alice", "test", "left"); err != nil {
		t.Fatal(err)
	}
	a, b := w.ender.next(t), w.ender.next(t)
	if a.id == b.id || a.id == ids["three"] || b.id == ids["three"] || time.Since(start) > 30*time.Second {
		t.Fatalf("%+v %+v after %s", a, b, time.Since(start))
	}
	deadline := time.Now().Add(60 * time.Second)
	for len(w.sessions.List()) > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if got := w.sessions.List(); len(got) != 0 {
		t.Fatalf("still listed: %+v", got)
	}
}

func TestExpiryEndsSessions(t *testing.T) {
	w := newWorld(t)
	res, err := w.Open(t.Context(), openOf(w.mint(t, token.MintRequest{Subject: "agent:a", TTL: 5 * time.Second})))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.ender.next(t); got.id != res.Session || got.reason != EndExpired || time.Now().Before(res.Ends) {
		t.Fatalf("%+v", got)
	}
}

// Sessions outlive the control plane in Envoy, so the registry does too: what
// was revoked meanwhile is ended at the start.
func TestRestartKeepsSessions(t *testing.T) {
	w := newWorld(t)
	kept, err := w.Open(t.Context(), openOf(w.mint(t, token.MintRequest{Subject: "agent:a"})))
	if err != nil {
		t.Fatal(err)
	}
	doomed, err := w.Open(t.Context(), openOf(w.mint(t, token.MintRequest{Subject: "agent:b"})))
	if err != nil {
		t.Fatal(err)
	}
	over, err := w.Open(t.Context(), openOf(w.mint(t, token.MintRequest{Subject: "agent:c"})))
	if err != nil {
		t.Fatal(err)
	}
	w.sessions.Ended(over.Session)
	w.sessions.Close()
	if _, err := w.tokens.RevokeSubject(t.Context(), "agent:b", "test", "x"); err != nil {
		t.Fatal(err)
	}
	again, err := NewSessions(t.Context(), w.db, w.tokens, w.ender, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := w.ender.next(t); got.id != doomed.Session {
		t.Fatalf("%+v", got)
	}
	if live, ok := again.Get(kept.Session); !ok || live.Identity.Subject != "agent:a" || live.Node != "gw" {
		t.Fatalf("%+v %v", live, ok)
	}
	if _, ok := again.Get(over.Session); ok {
		t.Fatal("an ended session came back")
	}
}

func holdOf(session string, n int) check.HoldRequest {
	return check.HoldRequest{Node: "gw", Hold: hold.Hold{ID: fmt.Sprintf("hld_%020d", n), Session: session, Target: "shop",
		Digest: fmt.Sprintf("%064x", n), Rule: "r", Approvers: []string{"dba"}, Deadline: time.Now().Add(time.Minute)}}
}

func TestHold(t *testing.T) {
	w := newWorld(t)
	res, err := w.Open(t.Context(), openOf(w.mint(t, alicesBot)))
	if err != nil {
		t.Fatal(err)
	}
	watch := w.approvals.Watch(t.Context())
	type outcome struct {
		res check.HoldResponse
		err error
	}
	ask := func(ctx context.Context, req check.HoldRequest) <-chan outcome {
		out := make(chan outcome, 1)
		go func() {
			res, err := w.Hold(ctx, req)
			out <- outcome{res, err}
		}()
		return out
	}
	pending := func() hold.Hold {
		for h := range watch {
			if h.State == hold.Pending {
				return h
			}
		}
		return hold.Hold{}
	}
	// The identity is the session's, whatever the question says.
	req := holdOf(res.Session, 1)
	req.Hold.Identity.Actors, req.Hold.Identity.Subject = []string{"user:root"}, "user:root"
	out := ask(t.Context(), req)
	if h := pending(); h.Identity.Chain() != "user:alice@example.com>agent:ci-bot" {
		t.Fatalf("%+v", h.Identity)
	}
	if _, err := w.approvals.Approve(t.Context(), approval.Vote{ID: req.Hold.ID, By: dana()}); err != nil {
		t.Fatal(err)
	}
	if got := <-out; got.err != nil || got.res.State != hold.Used || got.res.Digest != req.Hold.Digest || len(got.res.Decisions) != 1 {
		t.Fatalf("%+v", got)
	}
	// The caller leaves.
	ctx, cancel := context.WithCancel(t.Context())
	out = ask(ctx, holdOf(res.Session, 2))
	h := pending()
	cancel()
	if got := <-out; got.err == nil {
		t.Fatalf("%+v", got)
	}
	for h.State == hold.Pending {
		h = <-watch
	}
	if h.State != hold.Withdrawn {
		t.Fatal(h.State)
	}
	// Other sessions, nodes and targets.
	for name, spoil := range map[string]func(*check.HoldRequest){
		"unknown session": func(r *check.HoldRequest) { r.Hold.Session = "ses_none" },
		"other node":      func(r *check.HoldRequest) { r.Node = "sidecar" },
		"other target":    func(r *check.HoldRequest) { r.Hold.Target = "hr" },
		"no approvers":    func(r *check.HoldRequest) { r.Hold.Approvers = nil },
	} {
		req := holdOf(res.Session, 3)
		spoil(&req)
		if got, err := w.Hold(t.Context(), req); err == nil || got.State == hold.Used {
			t.Errorf("%s: %+v", name, got)
		} else {
			refusalOf(t, err)
		}
	}
	// Revoked while it waits: the hold ends with the session.
	out = ask(t.Context(), holdOf(res.Session, 4))
	pending()
	if _, err := w.tokens.RevokeSubject(t.Context(), "agent:ci-bot", "test", "x"); err != nil {
		t.Fatal(err)
	}
	if got := <-out; got.err != nil || got.res.State != hold.Withdrawn {
		t.Fatalf("%+v", got)
	}
	w.policyIs(policy.Decision{})
}

// TestEndedOn: only the node that has a session says that it is over; another's word leaves it where it can be revoked.
func TestEndedOn(t *testing.T) {
	w := newWorld(t)
	res, err := w.Open(t.Context(), openOf(w.mint(t, token.MintRequest{Subject: "agent:a"})))
	if err != nil {
		t.Fatal(err)
	}
	w.sessions.EndedOn("another", res.Session)
	w.sessions.EndedOn("gw", "ses_none")
	if of, ok := w.sessions.NodeOf(res.Session); !ok || of != "gw" {
		t.Fatalf("after another node's word: %q %v", of, ok)
	}
	w.sessions.EndedOn("gw", res.Session)
	if _, ok := w.sessions.NodeOf(res.Session); ok {
		t.Fatal("still there")
	}
}
