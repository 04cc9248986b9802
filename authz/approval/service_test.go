package approval_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/authz/approval/storetest"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

func newService(t *testing.T, path string) (*approval.Service, *sql.DB) {
	t.Helper()
	store, db := openSQLite(t, path)
	s, err := approval.New(t.Context(), store, approval.Config{Owner: "one", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, db
}

// Waits in these tests are real time: one that is meant to run out is long enough for a stalled machine to begin it,
// since a hold whose time is over before it begins is refused.
const shortWait = 3 * time.Second

func sample(n int, wait time.Duration) hold.Hold {
	h := storetest.Sample(n)
	h.Deadline = time.Now().Add(wait)
	return h
}

func dba(name string) identity.Identity {
	id := identity.New("user:" + name)
	id.Groups = []string{"dba"}
	return id
}

type outcome struct {
	h   hold.Hold
	err error
}

func holding(ctx context.Context, s *approval.Service, h hold.Hold) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		got, err := s.Hold(ctx, h)
		out <- outcome{got, err}
	}()
	return out
}

// pendingOne waits until the hold is listed.
func pendingOne(t *testing.T, watch <-chan hold.Hold) hold.Hold {
	t.Helper()
	for {
		select {
		case h := <-watch:
			if h.State == hold.Pending {
				return h
			}
		case <-time.After(60 * time.Second):
			t.Fatal("no hold appears")
		}
	}
}

func TestHoldOutcomes(t *testing.T) {
	s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
	for n, c := range []struct {
		wait time.Duration
		act  func(t *testing.T, h hold.Hold, cancel func())
		want hold.State
		says string
	}{
		{time.Minute, func(t *testing.T, h hold.Hold, _ func()) {
			got, err := s.Approve(t.Context(), approval.Vote{ID: h.ID, Digest: h.Digest, By: dba("dana"), Reason: "fine", Via: "api"})
			if err != nil || got.State != hold.Approved {
				t.Error(got.State, err)
			}
		}, hold.Used, "approved"},
		{time.Minute, func(t *testing.T, h hold.Hold, _ func()) {
			if _, err := s.Deny(t.Context(), approval.Vote{ID: h.ID, By: dba("dana"), Reason: "not today"}); err != nil {
				t.Error(err)
			}
		}, hold.Denied, "denied by user:dana: not today"},
		{time.Minute, func(_ *testing.T, _ hold.Hold, cancel func()) { cancel() }, hold.Withdrawn, "withdrawn"},
		{shortWait, func(*testing.T, hold.Hold, func()) {}, hold.Expired, "in time"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		watch := s.Watch(ctx)
		hctx, hcancel := context.WithCancel(t.Context())
		out := holding(hctx, s, sample(n, c.wait))
		h := pendingOne(t, watch)
		start := time.Now()
		c.act(t, h, hcancel)
		got := <-out
		if got.err != nil || got.h.State != c.want || !strings.Contains(approval.Explain(got.h), c.says) {
			t.Errorf("%d: %s %q %v", n, got.h.State, approval.Explain(got.h), got.err)
		}
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("%d: woken after %s", n, d)
		}
		if stored, err := s.Show(t.Context(), h.ID); err != nil || stored.State != c.want {
			t.Errorf("%d: stored %s %v", n, stored.State, err)
		}
		if _, err := s.Approve(t.Context(), approval.Vote{ID: h.ID, By: dba("erin")}); !errors.Is(err, approval.ErrEnded) {
			t.Errorf("%d: approved after the end: %v", n, err)
		}
		cancel()
		hcancel()
	}
	if list, err := s.List(t.Context(), approval.Filter{States: []hold.State{hold.Used}}); err != nil || len(list) != 1 || len(list[0].Decisions) != 1 || list[0].Decisions[0].Via != "api" {
		t.Fatalf("%+v %v", list, err)
	}
}

func TestHoldRefuses(t *testing.T) {
	s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
	for name, spoil := range map[string]func(*hold.Hold){
		"no approvers": func(h *hold.Hold) { h.Approvers = nil },
		"digest":       func(h *hold.Hold) { h.Digest = "abc" },
		"id":           func(h *hold.Hold) { h.ID = "hld_../../../../../etc" },
		"late":         func(h *hold.Hold) { h.Deadline = time.Now() },
		"nobody":       func(h *hold.Hold) { h.Identity = identity.Identity{} },
		"quorum":       func(h *hold.Hold) { h.Quorum = 1000 },
		"session":      func(h *hold.Hold) { h.Session = "" },
	} {
		h := sample(1, time.Minute)
		spoil(&h)
		if got, err := s.Hold(t.Context(), h); !errors.Is(err, approval.ErrInvalid) || got.State != "" {
			t.Errorf("%s: %s %v", name, got.State, err)
		}
	}
	// What the asker says of state and decisions is not believed.
	h := sample(2, shortWait)
	h.State, h.Decisions = hold.Approved, []hold.Decision{{By: dba("dana"), Approve: true}}
	if got, err := s.Hold(t.Context(), h); err != nil || got.State != hold.Expired || len(got.Decisions) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	// An id is good once.
	if got, err := s.Hold(t.Context(), sample(2, time.Minute)); !errors.Is(err, approval.ErrExists) || got.State != "" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := s.Approve(t.Context(), approval.Vote{ID: "hld_none", By: dba("dana")}); !errors.Is(err, approval.ErrNotFound) {
		t.Error(err)
	}
}

func TestDigestOfVote(t *testing.T) {
	s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
	watch := s.Watch(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	out := holding(ctx, s, sample(1, time.Minute))
	h := pendingOne(t, watch)
	if _, err := s.Approve(t.Context(), approval.Vote{ID: h.ID, Digest: strings.Repeat("f", 64), By: dba("dana")}); !errors.Is(err, approval.ErrDigest) {
		t.Fatal(err)
	}
	cancel()
	if got := <-out; got.h.State != hold.Withdrawn {
		t.Fatal(got.h.State)
	}
}

// A control plane that dies leaves nothing that could run later.
func TestRestartWithdraws(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	store, _ := openSQLite(t, path)
	for n, owner := range []string{"one", "one", "two"} {
		h := sample(n, time.Hour)
		if n == 1 { // approved, not used
			h.State, h.Decisions = hold.Approved, []hold.Decision{{By: dba("dana"), Approve: true}}
		}
		if err := store.Create(t.Context(), approval.Record{Hold: h, Owner: owner}); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := newService(t, path)
	for n, want := range []hold.State{hold.Withdrawn, hold.Withdrawn, hold.Pending} { // the last is another replica's
		if h, err := s.Show(t.Context(), sample(n, 0).ID); err != nil || h.State != want {
			t.Errorf("%d: %s %v", n, h.State, err)
		}
	}
}

// Approve, deny, withdraw and expiry race; the callers' view and the store's
// must agree on one end, and Used be given at most once.
func TestRaces(t *testing.T) {
	s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
	watch := s.Watch(t.Context())
	seen := map[string][]hold.State{}
	var seenMu sync.Mutex
	go func() {
		for h := range watch {
			seenMu.Lock()
			if approval.Ended(h.State) {
				seen[h.ID] = append(seen[h.ID], h.State)
			}
			seenMu.Unlock()
		}
	}()
	counts := map[hold.State]int{}
	const rounds = 60
	for n := range rounds {
		within := 30 * time.Millisecond
		calm := n%6 == 0 // nobody disturbs these, so that some are used on a slow machine, too
		if calm {
			within = time.Minute
		}
		h := sample(n, within)
		h.Quorum = 1 + n%2
		ctx, cancel := context.WithCancel(t.Context())
		out := holding(ctx, s, h)
		delay := time.Duration(n%15) * 2 * time.Millisecond
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				time.Sleep(delay)
				for calm { // the hold must be there, or nobody ends it before its deadline
					if _, err := s.Show(t.Context(), h.ID); err == nil {
						break
					}
					time.Sleep(time.Millisecond)
				}
				s.Approve(t.Context(), approval.Vote{ID: h.ID, By: dba(fmt.Sprint("p", i))})
			})
		}
		if !calm {
			wg.Go(func() { time.Sleep(delay + time.Duration(n%3)*time.Millisecond); cancel() })
		}
		if n%5 == 0 && !calm {
			wg.Go(func() { time.Sleep(delay); s.Deny(t.Context(), approval.Vote{ID: h.ID, By: dba("no")}) })
		}
		got := <-out
		wg.Wait()
		if errors.Is(got.err, approval.ErrInvalid) && !calm {
			cancel()
			continue // it took longer to begin than it had
		}
		if got.err != nil || !approval.Ended(got.h.State) {
			t.Fatal(got.h.State, got.err)
		}
		stored, err := s.Show(t.Context(), h.ID)
		if err != nil || stored.State != got.h.State {
			t.Fatalf("the caller heard %s, the store has %s, %v", got.h.State, stored.State, err)
		}
		counts[got.h.State]++
		cancel()
	}
	t.Log(counts)
	if counts[hold.Used] == 0 || counts[hold.Withdrawn]+counts[hold.Expired]+counts[hold.Denied] == 0 {
		t.Errorf("the race is no race: %v", counts)
	}
	time.Sleep(50 * time.Millisecond)
	seenMu.Lock()
	defer seenMu.Unlock()
	for id, ends := range seen {
		for _, e := range ends { // a watch may say a thing twice, never two things
			if e != ends[0] {
				t.Errorf("%s ended %v", id, ends)
			}
		}
	}
}

func TestWatchEndsWhenBehind(t *testing.T) {
	s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
	ctx, cancel := context.WithCancel(t.Context())
	watch := s.Watch(ctx)
	cancel()
	for range watch { // is closed
	}
}
