package authz

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/ulid"
)

var alicesBot = token.MintRequest{Subject: "agent:ci-bot", OnBehalfOf: "user:alice@example.com", Groups: []string{"analysts"}}

func refusalOf(t *testing.T, err error) *check.Refusal {
	t.Helper()
	var r *check.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("not a refusal: %v", err)
	}
	return r
}

func TestOpen(t *testing.T) {
	w := newWorld(t)
	raw := w.mint(t, alicesBot)
	res, err := w.Open(t.Context(), openOf(raw))
	if err != nil {
		t.Fatal(err)
	}
	if !ulid.Valid(SessionPrefix, res.Session) || res.Identity.Chain() != "user:alice@example.com>agent:ci-bot" ||
		res.Credentials.Password != "t0p-s3cret" || len(res.MaskKey) != 32 || time.Until(res.Ends) > time.Hour {
		t.Fatalf("%+v", res)
	}
	in := w.inputs[0]
	if in.Version != policy.InputVersion || in.Action.Kind != action.KindConnect || in.Session.ID != res.Session || in.Identity.Subject != "agent:ci-bot" {
		t.Fatalf("%+v", in)
	}
	if got := w.sessions.List(); len(got) != 1 || got[0].Session.ID != res.Session {
		t.Fatalf("%+v", got)
	}
	w.mu.Lock()
	w.creds = check.Credentials{User: "app", Password: "rotated"}
	w.mu.Unlock()
	if res, err = w.Open(t.Context(), openOf(raw)); err != nil || res.Credentials.Password != "rotated" {
		t.Fatalf("%v %v", res, err)
	}
	for _, secret := range []string{raw, raw[len(raw)-40:], "t0p-s3cret", "rotated"} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("the log has a secret")
		}
	}
}

// forged gives raw another signature. Its first character changes: the last ones of an Ed25519 signature are often "AAA" anyway.
func forged(raw string) string {
	at := strings.LastIndexByte(raw, '.') + 1
	other := byte('A')
	if raw[at] == other {
		other = 'B'
	}
	return raw[:at] + string(other) + raw[at+1:]
}

// An unauthenticated client hears the same whatever is wrong.
func TestOpenIsNoOracle(t *testing.T) {
	w := newWorld(t)
	raw := w.mint(t, alicesBot)
	revoked, is, err := w.issuer.Mint(t.Context(), alicesBot)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.tokens.Revoke(t.Context(), is.Identity.TokenID, "test", "x"); err != nil {
		t.Fatal(err)
	}
	first := ""
	for i, req := range []check.OpenRequest{
		{Target: "shop"}, {Target: "none"}, {Target: "shop", Token: "garbage"}, {Target: "none", Token: "garbage"},
		{Target: "shop", Token: forged(raw)}, {Target: "shop", Token: revoked},
		{Target: "shop", SPIFFE: "spiffe://example.org/x"},
	} {
		req.Node, req.Session.Client = "gw", "192.0.2."+string(rune('1'+i))+":1"
		_, err := w.Open(t.Context(), req)
		r := refusalOf(t, err)
		text := r.Code + r.Rule + r.Message + r.Hint
		if first == "" {
			first = text
		}
		if text != first || r.Code != check.CodeUnauthenticated {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if len(w.sessions.List()) != 0 || len(w.inputs) != 0 {
		t.Error("policy was asked, or a session opened")
	}
	if !strings.Contains(w.log.String(), "reason=revoked") || !strings.Contains(w.log.String(), "reason=malformed") {
		t.Error("the log does not say why:\n" + w.log.String())
	}
}

func TestOpenRefused(t *testing.T) {
	w := newWorld(t)
	raw := w.mint(t, alicesBot)
	req := openOf(raw)
	req.Target = "none"
	if r := openErr(t, w, req); r.Rule != "gateway.target" {
		t.Errorf("%+v", r)
	}
	req = openOf(raw)
	req.Node = "sidecar" // serves nothing
	if r := openErr(t, w, req); r.Rule != "gateway.target" {
		t.Errorf("%+v", r)
	}
	limited := token.MintRequest{Subject: "agent:a", Targets: []string{"hr"}}
	if r := openErr(t, w, openOf(w.mint(t, limited))); r.Rule != "identity.targets" || !strings.Contains(r.Hint, "hr") {
		t.Errorf("%+v", r)
	}
	w.policyIs(policy.Decision{})
	if r := openErr(t, w, openOf(raw)); r.Code != check.CodeForbidden || r.Message == "" {
		t.Errorf("%+v", r)
	}
	w.policyIs(policy.Decision{Rule: "hours", Reason: "not at night", Hint: "come back at 8"})
	if r := openErr(t, w, openOf(raw)); r.Rule != "hours" || r.Message != "not at night" || r.Hint == "" {
		t.Errorf("%+v", r)
	}
	w.policyIs(policy.Decision{Verdict: policy.Allow})
	w.creds = check.Credentials{}
	if r := openErr(t, w, openOf(raw)); r.Code != check.CodeUnavailable {
		t.Errorf("%+v", r)
	}
	short, _, err := w.issuer.Mint(t.Context(), token.MintRequest{Subject: "a", TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if r := openErr(t, w, openOf(short)); r.Rule != "identity.expired" {
		t.Errorf("%+v", r)
	}
	if n := len(w.sessions.List()); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func openErr(t *testing.T, w *world, req check.OpenRequest) *check.Refusal {
	t.Helper()
	_, err := w.Open(t.Context(), req)
	return refusalOf(t, err)
}

func TestOpenHeld(t *testing.T) {
	w := newWorld(t)
	w.policyIs(policy.Decision{Verdict: policy.Hold, Rule: "jit", Approvers: []string{"dba"}, Timeout: 5 * time.Minute})
	raw, is, err := w.issuer.Mint(t.Context(), alicesBot)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := w.approvals.Watch(ctx)
	answers := make(chan error, 1)
	var res check.OpenResponse
	go func() {
		var err error
		res, err = w.Open(t.Context(), openOf(raw))
		answers <- err
	}()
	h := <-watch
	if h.State != hold.Pending || h.Action.Kind != action.KindConnect || h.Identity.Subject != "agent:ci-bot" {
		t.Fatalf("%+v", h)
	}
	if _, err := w.approvals.Approve(t.Context(), approval.Vote{ID: h.ID, Digest: h.Digest, By: dana()}); err != nil {
		t.Fatal(err)
	}
	if err := <-answers; err != nil || res.Session != h.Session || res.Decision.Verdict != policy.Allow {
		t.Fatal(res, err)
	}
	// Revoked while it waits: the approval does not help.
	go func() {
		_, err := w.Open(t.Context(), openOf(raw))
		answers <- err
	}()
	for h = range watch {
		if h.State == hold.Pending {
			break
		}
	}
	if _, err := w.tokens.Revoke(t.Context(), is.Identity.TokenID, "test", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.approvals.Approve(t.Context(), approval.Vote{ID: h.ID, By: dana()}); err != nil {
		t.Fatal(err)
	}
	if r := refusalOf(t, <-answers); r.Code != check.CodeUnauthenticated {
		t.Fatal(r)
	}
}

func dana() identity.Identity {
	id := identity.New("user:dana@example.com")
	id.Groups, id.Method = []string{"dba"}, identity.MethodLocal
	return id
}

func TestLockout(t *testing.T) {
	w := newWorld(t)
	raw := w.mint(t, alicesBot)
	bad := openOf("garbage")
	for range 5 {
		if r := openErr(t, w, bad); r.Rule != "identity.unauthenticated" {
			t.Fatal(r)
		}
	}
	start := time.Now()
	if r := openErr(t, w, bad); r.Rule != "identity.lockout" || r.Code != check.CodeUnauthenticated {
		t.Fatal(r)
	}
	if d := time.Since(start); d < 300*time.Millisecond {
		t.Fatalf("answered after %s", d)
	}
	if _, err := w.Open(t.Context(), openOf(raw)); err != nil { // of the same address
		t.Fatal(err)
	}
	bad.Session.Client = "192.0.2.2:1"
	if r := openErr(t, w, bad); r.Rule != "identity.unauthenticated" {
		t.Fatal(r)
	}
}

func TestStockRequestIsDenied(t *testing.T) {
	w := newWorld(t)
	res, err := w.stock.Check(t.Context(), &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "GET", Host: "x", Path: "/?token=s3cr3t"}}}})
	if err != nil || codes.Code(res.Status.Code) != codes.PermissionDenied || !strings.Contains(res.GetDeniedResponse().GetBody(), "gateway.http") {
		t.Fatal(res, err)
	}
	if strings.Contains(w.log.String(), "s3cr3t") {
		t.Error("the query is in the log")
	}
}
