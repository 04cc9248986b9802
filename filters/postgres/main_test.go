package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/ulid"
)

// pg is the real server that all tests share.
var pg *pgserver.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		ctx := context.Background()
		home, err := pgserver.Ensure(ctx, "../../.tools", pgserver.V15)
		if err == nil {
			pg, err = pgserver.Start(ctx, pgserver.Options{Home: home, Settings: map[string]string{"log_statement": "all", "fsync": "off"}})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer pg.Stop()
		return m.Run()
	}())
}

// authz is an Authorizer in process: the token is the subject.
type authz struct {
	mu    sync.Mutex
	holds map[string]chan check.HoldResponse
	asked chan hold.Hold
	ends  time.Duration
	creds check.Credentials
}

func (a *authz) Open(_ context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	subject := req.Token
	if req.SPIFFE != "" {
		subject = req.SPIFFE
	}
	if !strings.Contains(subject, ":") {
		return check.OpenResponse{}, &check.Refusal{Code: check.CodeUnauthenticated, Message: "the token is not valid", Hint: "get a new one"}
	}
	if strings.HasPrefix(subject, "stranger:") {
		return check.OpenResponse{}, &check.Refusal{Code: check.CodeForbidden, Rule: "nobody", Message: "strangers may not open sessions"}
	}
	id := identity.New("user:alice@example.com", subject)
	id.Groups = []string{"analysts"}
	res := check.OpenResponse{Session: ulid.New("ses_", time.Now()), Identity: id,
		Target: policy.Target{Name: req.Target, Protocol: "postgres", Labels: map[string]string{}}, Decision: policy.Decision{Verdict: policy.Allow, Rule: "open"},
		Credentials: a.creds, MaskKey: make([]byte, 32)}
	if a.ends > 0 {
		res.Ends = time.Now().Add(a.ends)
	}
	return res, nil
}

func (a *authz) Hold(ctx context.Context, req check.HoldRequest) (check.HoldResponse, error) {
	ch := make(chan check.HoldResponse, 1)
	a.mu.Lock()
	a.holds[req.Hold.ID] = ch
	a.mu.Unlock()
	a.asked <- req.Hold
	select {
	case r := <-ch:
		return r, nil
	case <-ctx.Done():
		return check.HoldResponse{State: hold.Withdrawn}, ctx.Err()
	}
}

func (a *authz) decide(id string, r check.HoldResponse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holds[id] <- r
}

// gateway is the filter between a client and the real server.
type gateway struct {
	*testHost
	authz  *authz
	spool  *record.Spool
	budget int64 // of the spool
	dir    string
	kind   filters.NetworkKind
	cfg    nodeconfig.Network
	rt     *session.Runtime
}

// bundle makes a policy of rules.yaml and masks.yaml.
func bundle(t *testing.T, rules, masks string) policy.Bundle {
	t.Helper()
	dir := t.TempDir()
	write := func(name, body string) {
		if body != "" {
			if err := os.WriteFile(dir+"/"+name, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("rules.yaml", rules)
	write("masks.yaml", masks)
	b, err := policy.Source{Dir: dir}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type option func(*gateway)

func start(t *testing.T, b policy.Bundle, opts ...option) *gateway {
	t.Helper()
	dir := t.TempDir()
	a := &authz{holds: map[string]chan check.HoldResponse{}, asked: make(chan hold.Hold, 16),
		creds: check.Credentials{User: pg.User, Password: pg.Password, Database: ""}}
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	g := &gateway{authz: a, dir: dir, cfg: nodeconfig.Network{Target: policy.Target{Name: "shop", Protocol: "postgres"},
		Policy: b, Durability: nodeconfig.DurabilityWrite, AllowCleartext: true},
		testHost: &testHost{upstream: pg.Addr()}}
	for _, o := range opts {
		o(g)
	}
	spool, err := record.OpenSpool(dir, record.Options{MaxBytes: g.budget})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(spool.Close)
	g.spool = spool
	g.rt = session.New(session.Options{Node: "test", Authorizer: a, Spool: spool, Log: log})
	g.kind = Kind(g.rt)
	g.push(t, b)
	startHost(t, g.testHost)
	return g
}

func (g *gateway) push(t *testing.T, b policy.Bundle) {
	t.Helper()
	g.cfg.Policy = b
	body, err := json.Marshal(g.cfg)
	if err != nil {
		t.Fatal(err)
	}
	n, err := g.kind.Configure(body)
	if err != nil {
		t.Fatal(err)
	}
	g.network = n
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	if os.Getenv("DRAGOMAN_TEST_LOG") != "" {
		os.Stderr.Write(b)
	}
	return len(b), nil
}

func (g *gateway) url(extra string) string {
	return fmt.Sprintf("postgres://someone:agent%%3Abot@%s/postgres?sslmode=disable%s", g.addr(), extra)
}

func (g *gateway) connect(t *testing.T, extra string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, g.url(extra))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func direct(t *testing.T) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), pg.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func do(t *testing.T, c *pgx.Conn, sql string, args ...any) pgconn.CommandTag {
	t.Helper()
	tag, err := c.Exec(ctxT(t), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return tag
}

// runs waits until the target runs the statement.
func runs(t *testing.T, c *pgx.Conn, sql string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var n int
		if err := c.QueryRow(ctxT(t), "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like $1", "%"+sql+"%").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not run: %s", sql)
		}
	}
}

func ctxT(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// pgErr runs f and wants an error with the SQLSTATE.
func wantErr(t *testing.T, err error, code string) *pgconn.PgError {
	t.Helper()
	pe, ok := err.(*pgconn.PgError)
	if !ok {
		t.Fatalf("want SQLSTATE %s, got %v", code, err)
	}
	if pe.Code != code {
		t.Fatalf("want SQLSTATE %s, got %s: %s (%s)", code, pe.Code, pe.Message, pe.Detail)
	}
	return pe
}

// asPgError finds the server's error in a connect error.
func asPgError(err error) *pgconn.PgError {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe
	}
	return nil
}

// records are the frames of all sessions of the gateway, in order, by session.
func (g *gateway) records(t *testing.T) map[string][]record.Frame {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for g.rt.Sessions() > 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	return g.recordsNow(t)
}

// recordsNow are the frames so far.
func (g *gateway) recordsNow(t *testing.T) map[string][]record.Frame {
	t.Helper()
	dirs, err := os.ReadDir(g.dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]record.Frame{}
	for _, d := range dirs {
		r, err := record.OpenPath(g.dir + "/" + d.Name())
		if err != nil {
			t.Fatal(err)
		}
		for {
			f, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(d.Name(), err)
			}
			f.Payload = append([]byte(nil), f.Payload...)
			out[d.Name()] = append(out[d.Name()], f)
		}
		r.Close()
	}
	return out
}

// frames counts the frames of all sessions by kind.
func (g *gateway) frames(t *testing.T) map[record.Kind]int {
	n := map[record.Kind]int{}
	for _, list := range g.records(t) {
		for _, f := range list {
			n[f.Kind]++
		}
	}
	return n
}
