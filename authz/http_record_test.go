package authz

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/policy"
)

// stockAsks is a service that answers stock requests, with the log and the store that record them.
func stockAsks(t *testing.T, w *world) (*Service, *access.Log, *audit.Store) {
	t.Helper()
	dir := t.TempDir()
	_, key, _ := ed25519.GenerateKey(nil)
	store, err := audit.Open(filepath.Join(dir, "audit"), audit.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	requests, err := access.Open(access.Options{Dir: filepath.Join(dir, "requests"), Ingest: store, Node: "(ext_authz)", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	authn, err := identity.NewAuthenticator([]identity.Verifier{w.issuer}, nil, w.tokens)
	if err != nil {
		t.Fatal(err)
	}
	svc, err := New(Options{Authenticator: authn, Judge: w, Targets: w, Approvals: w.approvals, Sessions: w.sessions, Requests: requests,
		Understand: func(r *auth.AttributeContext_HttpRequest) (HTTPRequest, error) {
			return HTTPRequest{Path: r.GetPath(), Action: action.Action{Kind: action.KindHTTP, Text: r.GetMethod() + " " + r.GetPath(), Features: map[string]any{}}}, nil
		},
		Node:    func(_ context.Context, claimed string) (string, error) { return claimed, nil },
		MaskKey: bytes.Repeat([]byte{7}, 32), Now: time.Now, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return svc, requests, store
}

// TestStockRequestsAreRecorded: what is let through is in the store before it is; what cannot be recorded is not let through.
func TestStockRequestsAreRecorded(t *testing.T) {
	w := newWorld(t)
	svc, requests, store := stockAsks(t, w)
	raw := w.mint(t, token.MintRequest{Subject: "agent:a", TTL: time.Hour})
	ask := func(path string) *auth.CheckResponse {
		t.Helper()
		res, err := svc.Check(t.Context(), &auth.CheckRequest{Attributes: &auth.AttributeContext{
			Source:            &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: "192.0.2.9", PortSpecifier: &core.SocketAddress_PortValue{PortValue: 5}}}}},
			ContextExtensions: map[string]string{HTTPTarget: "shop", HTTPNode: "gw"},
			Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "GET", Host: "x", Path: path,
				Headers: map[string]string{"authorization": "Bearer " + raw}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	w.policyIs(policy.Decision{Verdict: policy.Allow, Rule: "may"})
	if res := ask("/a"); codes.Code(res.GetStatus().GetCode()) != codes.OK {
		t.Fatal(res)
	}
	w.policyIs(policy.Decision{Verdict: policy.Block, Rule: "never"})
	if res := ask("/b"); codes.Code(res.GetStatus().GetCode()) != codes.PermissionDenied {
		t.Fatal(res)
	}
	if err := requests.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := store.List(t.Context(), audit.Filter{Target: "shop"})
	if err != nil || len(page.Sessions) != 1 || page.Sessions[0].Actions != 2 || page.Sessions[0].Blocked != 1 || page.Sessions[0].Subject != "agent:a" {
		t.Fatalf("%+v %v", page, err)
	}
	w.policyIs(policy.Decision{Verdict: policy.Allow, Rule: "may"})
	if err := requests.Close(); err != nil {
		t.Fatal(err)
	}
	if res := ask("/c"); codes.Code(res.GetStatus().GetCode()) != codes.Unavailable || !strings.Contains(res.GetDeniedResponse().GetBody(), "gateway.record") {
		t.Error("a request that is not recorded is answered: ", res)
	}
}
