package api

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// fakeHolds keeps holds without a state machine: what may be decided is
// authz/approval's and tested there.
type fakeHolds struct {
	mu    sync.Mutex
	holds []hold.Hold
	votes []Vote
	fail  error
	watch chan hold.Hold
}

func (f *fakeHolds) List(context.Context, HoldFilter) ([]hold.Hold, error) { return f.holds, f.fail }

func (f *fakeHolds) Show(_ context.Context, id string) (hold.Hold, error) {
	for _, h := range f.holds {
		if h.ID == id {
			return h, nil
		}
	}
	return hold.Hold{}, fmt.Errorf("%w: no such hold", ErrNotFound)
}

func (f *fakeHolds) Decide(ctx context.Context, v Vote) (hold.Hold, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.votes = append(f.votes, v)
	if f.fail != nil {
		return hold.Hold{}, f.fail
	}
	return f.Show(ctx, v.ID)
}

func (f *fakeHolds) Watch(context.Context) <-chan hold.Hold { return f.watch }

// fakeSessions has one session of a few frames.
type fakeSessions struct {
	more    chan record.Frame
	noReads bool // the access log cannot be written
}

const session = "ses_1"

func frames() []record.Frame {
	return []record.Frame{
		{Seq: 0, Kind: record.KindOpen, Payload: []byte(`{"format":1}`)},
		{Seq: 1, Kind: record.KindRequest, Action: 1, Payload: []byte{'Q', 0, 0, 0, 5, 0}},
		{Seq: 2, Kind: 200, Payload: []byte("?")},
	}
}

type list struct {
	left []record.Frame
	more <-chan record.Frame
	ctx  context.Context
}

func (l *list) Next() (record.Frame, error) {
	if len(l.left) > 0 {
		f := l.left[0]
		l.left = l.left[1:]
		return f, nil
	}
	if l.more == nil {
		return record.Frame{}, io.EOF
	}
	select {
	case f, ok := <-l.more:
		if !ok {
			return f, io.EOF
		}
		return f, nil
	case <-l.ctx.Done():
		return record.Frame{}, l.ctx.Err()
	}
}

func (*list) Close() error { return nil }

func (*fakeSessions) List(_ context.Context, f audit.Filter) (audit.Page, error) {
	return audit.Page{Sessions: []audit.Session{{ID: session, Target: f.Target}}}, nil
}

func (*fakeSessions) Get(_ context.Context, id string) (audit.Session, error) {
	if id != session {
		return audit.Session{}, fmt.Errorf("%w: no such session", ErrNotFound)
	}
	return audit.Session{ID: id}, nil
}

func (*fakeSessions) Actions(context.Context, string, uint64, int) ([]audit.Action, error) {
	return []audit.Action{}, nil
}

func (s *fakeSessions) Frames(ctx context.Context, id string) (Frames, error) {
	_, err := s.Get(ctx, id)
	return &list{left: frames(), ctx: ctx}, err
}

func (s *fakeSessions) Tail(ctx context.Context, id string, _ bool) (Frames, error) {
	_, err := s.Get(ctx, id)
	return &list{left: frames(), more: s.more, ctx: ctx}, err
}

func (s *fakeSessions) End(ctx context.Context, id, _ string) error {
	_, err := s.Get(ctx, id)
	return err
}

func (s *fakeSessions) Lost(ctx context.Context, id string) error {
	_, err := s.Get(ctx, id)
	return err
}

func (s *fakeSessions) Delete(ctx context.Context, id string) error {
	_, err := s.Get(ctx, id)
	return err
}

type fakeSystem struct{}

func (fakeSystem) Status() Status {
	return Status{Version: "test", Ready: true, Policy: map[string]string{"revision": "r1"}, Nodes: []string{}}
}

func (fakeSystem) Metrics(context.Context) ([]byte, error) { return []byte("a 2.5\n"), nil }

func (fakeSystem) EnvoyMetrics(context.Context) ([]byte, error) { return nil, errors.New("no Envoy") }

// rig is the API on a unix socket and on a port, over one backend whose tokens are real.
type rig struct {
	t        *testing.T
	holds    *fakeHolds
	sessions *fakeSessions
	store    *audit.Store
	reads    *access.Log
	issuer   *token.Issuer
	unix     *http.Client
	port     string
}

const fixedToken = "a-fixed-token-of-the-tests"

func newRig(t *testing.T) *rig {
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	store, err := token.NewStore(t.Context(), db, time.Now, log)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.OpenKeys(filepath.Join(t.TempDir(), "keys"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, holds: &fakeHolds{watch: make(chan hold.Hold), holds: []hold.Hold{{ID: "hld_1", State: hold.Pending}}}, sessions: &fakeSessions{more: make(chan record.Frame)}}
	r.issuer = token.NewIssuer(keys, store, token.Config{Now: time.Now})
	auth, err := identity.NewAuthenticator([]identity.Verifier{r.issuer}, nil, store)
	if err != nil {
		t.Fatal(err)
	}
	if r.reads, err = access.Open(access.Options{Dir: filepath.Join(t.TempDir(), "reads"), Ingest: r.openStore(), Node: "control", Log: log, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.reads.Close(); r.store.Close() })
	b := Backend{Tokens: tokens{r.issuer, store}, Approvals: r.holds, Sessions: r.sessions, Reads: reads{r}, Proofs: r.store, System: fakeSystem{}, Log: log}
	fixed := identity.New("ci:export")
	bearer := Bearer{Authenticator: auth, Fixed: []Fixed{{SHA256: sha256.Sum256([]byte(fixedToken)), Identity: fixed, Roles: []Role{Reader}}},
		Grants: []Grant{{Groups: []string{"dba"}, Roles: []Role{Approver}}, {Groups: []string{"revision"}, Roles: []Role{Auditor}},
			{Groups: []string{"admins"}, Roles: []Role{Admin}}, {Subjects: []string{"user:erin@example.com"}, Roles: []Role{Reader}}}}

	tcp := httptest.NewServer(New(b, bearer))
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	unix := &http.Server{Handler: New(b, Socket{}), ConnContext: ConnContext}
	go unix.Serve(l)
	r.port = tcp.URL
	r.unix = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	t.Cleanup(func() { unix.Close(); tcp.CloseClientConnections(); tcp.Close(); store.Close(); db.Close() })
	return r
}

// openStore is a real store: the access log and the proofs are in it.
func (r *rig) openStore() *audit.Store {
	var err error
	if r.store, err = audit.Open(r.t.TempDir(), audit.Options{Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}); err != nil {
		r.t.Fatal(err)
	}
	return r.store
}

// reads is the access log and its store as one.
type reads struct{ r *rig }

func (x reads) Record(one access.Read) error {
	if x.r.sessions.noReads {
		return errors.New("the disk is full")
	}
	return x.r.reads.Record(one)
}

func (x reads) List(ctx context.Context, f access.Filter) ([]access.Entry, error) {
	if err := x.r.reads.Settle(ctx); err != nil {
		return nil, err
	}
	return access.Find(ctx, x.r.store, f)
}

// tokens is the store and the issuer as one.
type tokens struct {
	*token.Issuer
	*token.Store
}

func (r *rig) token(groups ...string) string { return r.tokenOf("user:dana@example.com", groups...) }

func (r *rig) tokenOf(subject string, groups ...string) string {
	raw, _, err := r.issuer.Mint(r.t.Context(), token.MintRequest{Subject: subject, Groups: groups})
	if err != nil {
		r.t.Fatal(err)
	}
	return raw
}

// call sends a request; an empty token means the unix socket.
func (r *rig) call(bearer, method, path, body string) (int, string) {
	r.t.Helper()
	return r.callAs("", bearer, method, path, body)
}

// callAs states who acts.
func (r *rig) callAs(as, bearer, method, path, body string) (int, string) {
	r.t.Helper()
	base, c := r.port, http.DefaultClient
	if bearer == "" {
		base, c = "http://socket", r.unix
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if bearer != "" && bearer != "none" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if as != "" {
		req.Header.Set(AsHeader, as)
	}
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}
