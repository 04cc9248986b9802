package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// spanRuntime is a Runtime with a spool of its own.
func spanRuntime(t *testing.T, a *authorizer, budget int64) *Runtime {
	t.Helper()
	spool, err := record.OpenSpool(t.TempDir(), record.Options{MaxBytes: budget})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	return New(Options{Node: "n", Authorizer: a, Spool: spool})
}

func spanOpening(mode record.Mode) SpanOpening {
	return SpanOpening{Request: check.OpenRequest{Target: "api"}, Mode: mode, Timeout: time.Minute}
}

// TestSpanConcurrent has many users record into one session; every ordinal is used once and no frame is lost.
func TestSpanConcurrent(t *testing.T) {
	for _, mode := range []record.Mode{record.ModeWrite, record.ModeFsync} {
		rt := spanRuntime(t, &authorizer{}, 0)
		var wg sync.WaitGroup
		var mu sync.Mutex
		ids, ordinals := map[string]bool{}, map[uint64]bool{}
		for range 20 {
			wg.Add(1)
			rt.Span(SpanKey("api", "token"), spanOpening(mode), func(s *Span, err error) {
				defer wg.Done()
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Release()
				for range 10 {
					var n uint64
					if err := s.Commit(func(b *Batch) {
						n = b.Action([]byte(`{}`))
						b.Request(n, []byte("GET"))
						b.Response(n, []byte("200"))
					}); err != nil {
						t.Error(err)
					}
					mu.Lock()
					ids[s.ID()], ordinals[n] = true, true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(ids) != 1 || len(ordinals) != 200 {
			t.Errorf("mode %v: %d sessions, %d ordinals, want 1 and 200", mode, len(ids), len(ordinals))
		}
		var id string
		for id = range ids {
		}
		if !rt.EndSession(id, "revoked", "its credential was revoked") || rt.Sessions() != 0 {
			t.Error("the session is not ended")
		}
	}
}

// TestSpanEnds says that a span which has ended refuses what comes, and that the next request opens another.
func TestSpanEnds(t *testing.T) {
	rt := spanRuntime(t, &authorizer{}, 0)
	get := func() *Span {
		got := make(chan *Span, 1)
		o := spanOpening(record.ModeWrite)
		rt.Span("k", o, func(s *Span, err error) {
			if err != nil {
				t.Error(err)
			}
			got <- s
		})
		return <-got
	}
	a := get()
	if b := get(); b != a {
		t.Fatal("two sessions for one key")
	}
	a.End("client", "")
	select {
	case <-a.Done():
	default:
		t.Fatal("Done is open after End")
	}
	if err := a.Commit(func(b *Batch) { b.Action([]byte(`{}`)) }); !errors.Is(err, record.ErrClosed) {
		t.Errorf("recording after the end gives %v", err)
	}
	if b := get(); b == a || b == nil {
		t.Error("the ended session is given again")
	}
}

func TestSpanRefused(t *testing.T) {
	refusal := &check.Refusal{Code: check.CodeForbidden, Message: "no"}
	rt := spanRuntime(t, &authorizer{err: refusal}, 0)
	for range 2 {
		got := make(chan error, 1)
		rt.Span("k", spanOpening(record.ModeWrite), func(s *Span, err error) { got <- err })
		if err := <-got; err != error(refusal) {
			t.Errorf("got %v", err)
		}
	}
	if rt.Sessions() != 0 {
		t.Error("a refused session is live")
	}
}

// TestSpanIdle says that idleness counts from the last user's going, and that a waiting hold is no idleness.
func TestSpanIdle(t *testing.T) {
	a := &authorizer{held: make(chan check.HoldResponse)}
	rt := spanRuntime(t, a, 0)
	o := spanOpening(record.ModeWrite)
	o.Limits.Idle = 150 * time.Millisecond
	ended := make(chan string, 1)
	o.Ended = func(reason, _ string) { ended <- reason }
	s, err := rt.OpenSpan(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	decided := make(chan check.HoldResponse, 1)
	h, err := s.Hold(Holding{Ordinal: 1, Digest: "d", Decision: policy.Decision{Rule: "r"}}, func(r check.HoldResponse, err error) { decided <- r })
	if err != nil {
		t.Fatal(err)
	}
	s.Release()
	select {
	case reason := <-ended:
		t.Fatalf("ended (%s) while a hold waits", reason)
	case <-time.After(500 * time.Millisecond):
	}
	a.held <- check.HoldResponse{State: hold.Used, Digest: h.Hold.Digest}
	if r := <-decided; r.State != hold.Used {
		t.Errorf("decided as %v", r.State)
	}
	select {
	case reason := <-ended:
		if reason != "expired" {
			t.Errorf("ended as %q", reason)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("an idle session goes on")
	}
}

// TestSpanHold says that an approval counts for its own action only, and that the end of the session withdraws.
func TestSpanHold(t *testing.T) {
	a := &authorizer{held: make(chan check.HoldResponse)}
	rt := spanRuntime(t, a, 0)
	s, err := rt.OpenSpan(context.Background(), spanOpening(record.ModeWrite))
	if err != nil {
		t.Fatal(err)
	}
	type end struct {
		r   check.HoldResponse
		err error
	}
	decided := make(chan end, 1)
	done := func(r check.HoldResponse, err error) { decided <- end{r, err} }
	if _, err := s.Hold(Holding{Ordinal: 1, Digest: "mine"}, done); err != nil {
		t.Fatal(err)
	}
	a.held <- check.HoldResponse{State: hold.Used, Digest: "another"}
	if e := <-decided; e.err == nil || e.r.State == hold.Used {
		t.Errorf("an approval of something else gives %+v", e)
	}
	if _, err := s.Hold(Holding{Ordinal: 2, Digest: "mine"}, done); err != nil {
		t.Fatal(err)
	}
	s.End("client", "")
	if e := <-decided; e.r.State == hold.Used {
		t.Error("a hold of an ended session is used")
	}
	if _, err := s.Hold(Holding{Ordinal: 3, Digest: "mine"}, done); !errors.Is(err, record.ErrClosed) {
		t.Errorf("a hold after the end gives %v", err)
	}
}

// TestSpanDiskFull says that what cannot be recorded is refused and that the session goes on.
func TestSpanDiskFull(t *testing.T) {
	rt := spanRuntime(t, &authorizer{}, 64<<10)
	s, err := rt.OpenSpan(context.Background(), spanOpening(record.ModeWrite))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(func(b *Batch) { b.Response(1, make([]byte, 1<<20)) }); err == nil {
		t.Error("1 MiB fits into a spool of 64 KiB")
	}
	if err := s.Commit(func(b *Batch) { b.Action([]byte(`{}`)) }); err != nil {
		t.Errorf("a small action afterwards: %v", err)
	}
	s.End("client", "")
	if rt.Sessions() != 0 {
		t.Error("the session is live")
	}
}
