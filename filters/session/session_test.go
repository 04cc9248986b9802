package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/ulid"
)

// worker is a connection whose posted functions run when the test takes them.
type worker struct {
	filters.Conn
	posts  chan func()
	sent   []string // in order: "up:…", "down:…", "close"
	paused bool
}

type target struct {
	api.ConnectionCallback
	w *worker
}

func (t target) Write(b []byte, _ bool)            { t.w.sent = append(t.w.sent, "up:"+string(b)) }
func (w *worker) Upstream() api.ConnectionCallback { return target{w: w} }
func (w *worker) Write(b []byte, _ bool)           { w.sent = append(w.sent, "down:"+string(b)) }
func (w *worker) Close(api.ConnectionCloseType)    { w.sent = append(w.sent, "close") }
func (w *worker) PauseReads(p bool)                { w.paused = p }
func (w *worker) Post(f func()) bool               { w.posts <- f; return true }
func (w *worker) take(t *testing.T)                { t.Helper(); w.takeFor(t, 60*time.Second) }
func (w *worker) takeFor(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case f := <-w.posts:
		f()
	case <-time.After(d):
		t.Fatal("nothing was posted")
	}
}

type words struct{}

func (words) Expired(string, string) []byte { return []byte("expired") }
func (words) Lost(error) []byte             { return []byte("lost") }

type authorizer struct {
	err  error
	ends time.Time
	held chan check.HoldResponse
}

func (a *authorizer) Open(_ context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	return check.OpenResponse{Session: ulid.New("ses_", time.Now()), Identity: identity.New("user:a", "agent:b"), Ends: a.ends,
		Target: policy.Target{Name: req.Target}, Decision: policy.Decision{Verdict: policy.Allow}}, a.err
}

func (a *authorizer) Hold(ctx context.Context, _ check.HoldRequest) (check.HoldResponse, error) {
	select {
	case r := <-a.held:
		return r, nil
	case <-ctx.Done():
		return check.HoldResponse{}, ctx.Err()
	}
}

func open(t *testing.T, mode record.Mode, a *authorizer, budget int64) (*Session, *worker, *Runtime) {
	t.Helper()
	spool, err := record.OpenSpool(t.TempDir(), record.Options{MaxBytes: budget})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(spool.Close)
	rt := New(Options{Node: "n", Authorizer: a, Spool: spool})
	w := &worker{posts: make(chan func(), 64)}
	var s *Session
	rt.Open(w, Opening{Request: check.OpenRequest{Target: "t"}, Mode: mode, Protocol: words{}, Timeout: time.Minute}, func(got *Session, err error) {
		if s = got; err != nil {
			t.Fatal(err)
		}
	})
	w.take(t)
	return s, w, rt
}

func TestOrderAndDurability(t *testing.T) {
	s, w, _ := open(t, record.ModeWrite, &authorizer{}, 0)
	s.Request(1, []byte("a"))
	if len(w.sent) != 0 {
		t.Fatal("sent before it was recorded")
	}
	if err := s.Commit(); err != nil || len(w.sent) != 1 || w.sent[0] != "up:a" {
		t.Fatal(err, w.sent)
	}
	s.End("client", "")
	if !s.Ended() || w.sent[1] != "close" {
		t.Fatal(w.sent)
	}

	s, w, rt := open(t, record.ModeFsync, &authorizer{}, 0)
	for _, b := range []string{"a", "b", "c"} {
		s.Request(1, []byte(b))
		s.Respond(1, []byte(b))
		if err := s.Commit(); err != nil || len(w.sent) != 0 {
			t.Fatal("sent before the disk has it", err, w.sent)
		}
	}
	s.End("client", "")
	for len(w.sent) < 7 {
		w.take(t)
	}
	want := []string{"up:a", "down:a", "up:b", "down:b", "up:c", "down:c", "close"}
	for i := range want {
		if w.sent[i] != want[i] {
			t.Fatal(w.sent)
		}
	}
	if rt.Sessions() != 0 {
		t.Error("a session is left")
	}
}

// TestNotRecordedNotSent: what cannot be recorded goes nowhere, and the session can go on.
func TestNotRecordedNotSent(t *testing.T) {
	for _, mode := range []record.Mode{record.ModeWrite, record.ModeFsync} {
		s, w, _ := open(t, mode, &authorizer{}, 4<<10)
		s.Request(1, make([]byte, 64<<10))
		if err := s.Commit(); !errors.Is(err, record.ErrSpoolFull) {
			t.Fatal(err)
		}
		if len(w.sent) != 0 {
			t.Fatal("it was sent")
		}
		s.Request(2, []byte("small"))
		if err := s.Commit(); err != nil {
			t.Fatal(err)
		}
		if mode == record.ModeFsync {
			w.take(t)
		}
		if len(w.sent) != 1 || w.sent[0] != "up:small" {
			t.Fatal(w.sent)
		}
		s.Gone("client", "")
	}
}

func TestAdjacentBytesAreNotCopied(t *testing.T) {
	var b batchBytes
	buf := []byte("abcdef")
	b.add(buf[:2])
	b.add(buf[2:4])
	if got := b.bytes(); string(got) != "abcd" || &got[0] != &buf[0] {
		t.Fatalf("%q", got)
	}
	b.add([]byte("x"))
	b.add(buf[4:])
	if string(b.bytes()) != "abcdxef" || string(buf) != "abcdef" {
		t.Fatalf("%q %q", b.bytes(), buf)
	}
}

func TestHoldWithdrawnWinsOverApproval(t *testing.T) {
	a := &authorizer{held: make(chan check.HoldResponse, 1)}
	s, w, _ := open(t, record.ModeWrite, a, 0)
	var got check.HoldResponse
	h := s.Hold(Holding{Ordinal: 1, Digest: "digest", Timeout: time.Minute}, func(r check.HoldResponse, err error) { got = r })
	if h.Hold.Quorum != 1 || len(h.Hold.ID) != len("hld_")+26 {
		t.Fatalf("%+v", h.Hold)
	}
	a.held <- check.HoldResponse{State: hold.Used, Digest: "digest"}
	f := <-w.posts // the approval is on its way
	h.Withdraw()
	f()
	if got.State != hold.Withdrawn {
		t.Fatal(got.State)
	}
	// An approval of another digest is none.
	var err error
	s.Hold(Holding{Ordinal: 2, Digest: "digest", Timeout: time.Minute}, func(r check.HoldResponse, e error) { got, err = r, e })
	a.held <- check.HoldResponse{State: hold.Used, Digest: "other"}
	w.take(t)
	if err == nil || got.State == hold.Used {
		t.Fatal(got, err)
	}
	// The end of the session withdraws.
	s.Hold(Holding{Ordinal: 3, Digest: "digest", Timeout: time.Minute}, func(check.HoldResponse, error) { t.Error("called after the end") })
	s.Gone("client", "")
	w.take(t)
}

func TestEnds(t *testing.T) {
	s, w, _ := open(t, record.ModeWrite, &authorizer{ends: time.Now().Add(50 * time.Millisecond)}, 0)
	w.take(t)
	if !s.Ended() || len(w.sent) != 2 || w.sent[0] != "down:expired" || w.sent[1] != "close" {
		t.Fatal(w.sent)
	}
}

func TestRuntimeWithoutEnvironmentRefuses(t *testing.T) {
	rt, err := NewRuntime(func(string) string { return "" }, nil)
	if err == nil || rt.Err() == nil {
		t.Fatal("no error")
	}
	w := &worker{posts: make(chan func(), 1)}
	rt.Open(w, Opening{Timeout: time.Second}, func(s *Session, err error) {
		var no *check.Refusal
		if s != nil || !errors.As(err, &no) || no.Code != check.CodeUnavailable {
			t.Error(s, err)
		}
	})
	w.take(t)
	env := map[string]string{nodeconfig.EnvControl: "host:1", nodeconfig.EnvNode: "n", nodeconfig.EnvSpool: t.TempDir()}
	if _, err := NewRuntime(func(k string) string { return env[k] }, nil); err == nil {
		t.Error("a control plane over the network without TLS was accepted")
	}
	env[nodeconfig.EnvControl] = "unix:///nowhere/control.sock"
	rt, err = NewRuntime(func(k string) string { return env[k] }, nil)
	if err != nil {
		t.Fatal(err)
	}
	rt.Close()
}
