package authz

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/internal/policy"
	stmt "dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// world is a whole authz: real store, real tokens, real gRPC on a unix socket.
type world struct {
	*check.Client
	stock     auth.AuthorizationClient
	issuer    *token.Issuer
	tokens    *token.Store
	sessions  *Sessions
	approvals *approval.Service
	db        *sql.DB
	ender     *ender
	log       *logBuffer

	mu     sync.Mutex
	decide policy.Decision
	inputs []policy.Input
	creds  check.Credentials
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type ended struct{ id, reason string }

// ender is a gateway that hears at the third call.
type ender struct {
	calls chan ended
	mu    sync.Mutex
	deaf  int
}

func (e *ender) EndSession(_ context.Context, id, reason string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf > 0 {
		e.deaf--
		return errors.New("not connected")
	}
	e.calls <- ended{id, reason}
	return nil
}

func (w *world) Judge(_ context.Context, in *policy.Input, _ *stmt.Statement) policy.Decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inputs = append(w.inputs, *in)
	return w.decide
}

func (w *world) Target(node, name string) (policy.Target, bool) {
	return policy.Target{Name: name, Protocol: "postgres"}, node == "gw" && (name == "shop" || name == "hr")
}

func (w *world) Credentials(context.Context, string) (check.Credentials, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.creds.User == "" {
		return check.Credentials{}, errors.New("no secret")
	}
	return w.creds, nil
}

func (w *world) policyIs(d policy.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide = d
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "authz") // short: a unix socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	db, err := sqlitedb.Open(filepath.Join(dir, "authz.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{db: db, log: &logBuffer{}, ender: &ender{calls: make(chan ended, 100)},
		decide: policy.Decision{Verdict: policy.Allow, Rule: "connect"}, creds: check.Credentials{User: "app", Password: "t0p-s3cret"}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	if w.tokens, err = token.NewStore(t.Context(), db, time.Now, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.tokens.Close)
	keys, err := token.OpenKeys(filepath.Join(dir, "keys"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.issuer = token.NewIssuer(keys, w.tokens, token.Config{})
	authn, err := identity.NewAuthenticator([]identity.Verifier{w.issuer}, nil, w.tokens)
	if err != nil {
		t.Fatal(err)
	}
	relaxed, err := sqlitedb.OpenRelaxed(filepath.Join(dir, "authz.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relaxed.Close() })
	if w.sessions, err = NewSessions(t.Context(), relaxed, w.tokens, w.ender, time.Now, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sessions.Close)
	store, err := approval.NewSQLite(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if w.approvals, err = approval.New(t.Context(), store, approval.Config{Owner: "test", Now: time.Now, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.approvals.Close)
	svc, err := New(Options{Authenticator: authn, Judge: w, Targets: w, Approvals: w.approvals, Sessions: w.sessions,
		MaskKey: bytes.Repeat([]byte{7}, 32), Lockout: lockout.Config{Burst: 5, MaxStall: 300 * time.Millisecond}, Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	w.serve(t, svc, filepath.Join(dir, "s"))
	return w
}

func (w *world) serve(t testing.TB, svc *Service, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(check.ServerOptions()...)
	svc.Register(srv)
	go srv.Serve(l)
	conn, err := grpc.NewClient("unix://"+path, append(check.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); srv.Stop() })
	w.Client, w.stock = check.NewClient(conn, nil), auth.NewAuthorizationClient(conn)
}

func (w *world) mint(t *testing.T, req token.MintRequest) string {
	t.Helper()
	raw, _, err := w.issuer.Mint(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func openOf(raw string) check.OpenRequest {
	return check.OpenRequest{Target: "shop", Node: "gw", Token: raw, Session: policy.Session{Client: "192.0.2.1:999", User: "app", Database: "shop"}}
}
