package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/holdnotice"
	"dragoman.dev/dragoman/internal/identity"
)

// TestNoticesOnce: of two replicas that see the same holds, one tells of each: that in which it waits.
func TestNoticesOnce(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	total := 0
	place := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		for _, id := range []string{replicaHold(0), replicaHold(1)} {
			told[id] += strings.Count(string(b), `"hold":"`+id)
		}
		total++
	}))
	defer place.Close()
	t.Setenv("NOTICE_SECRET", "a-secret-of-more-than-twenty-letters")
	cfg, store := noticeRig(t, `
approvals:
  notify: [{name: pager, kind: webhook, url: "`+place.URL+`", secret: "env:NOTICE_SECRET"}]
`)
	var replicas []*control
	for i := range 2 {
		replicas = append(replicas, noticesOf(t, cfg, store, fmt.Sprint(i)))
	}
	var ended sync.WaitGroup
	for i, c := range replicas {
		h := hold.Hold{ID: replicaHold(i), Session: "ses_1", Target: "shop", Identity: identity.New("user:alice@example.com"), Digest: strings.Repeat("ab", 32),
			Rule: "r", Approvers: []string{"dba"}, Deadline: time.Now().Add(5 * time.Minute)}
		ended.Go(func() {
			if got, err := c.approvals.Hold(t.Context(), h); err != nil || got.State != hold.Denied {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		both := len(told) == 2 && told[replicaHold(0)] > 0 && told[replicaHold(1)] > 0
		mu.Unlock()
		if both {
			break
		}
		if time.Now().After(end) {
			t.Fatal("not told")
		}
	}
	dana := identity.New("user:dana@example.com")
	dana.Groups = []string{"dba"}
	for i := range replicas { // whichever is asked to decide
		if _, err := replicas[1-i].approvals.Deny(t.Context(), approval.Vote{ID: replicaHold(i), By: dana, Via: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	ended.Wait()
	for _, c := range replicas { // what was under way has come to its end
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
	if total != 2 || told[replicaHold(0)] != 1 || told[replicaHold(1)] != 1 {
		t.Errorf("told %d times: %v", total, told)
	}
}

func replicaHold(i int) string { return "hld_" + strings.Repeat(fmt.Sprint(i), 26) }

// TestNoticesOfTheDead: a hold whose process is gone is told of once more, by whichever replica found it, or by the one that was restarted: it waits
// no more. What the agent then asks again is another hold, which is told like any other.
func TestNoticesOfTheDead(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{} // events and holds
	place := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var n holdnotice.Notice
		mu.Lock()
		defer mu.Unlock()
		if err := json.Unmarshal(b, &n); err != nil {
			t.Error(err)
		}
		told[n.Event+" "+n.Hold]++
	}))
	defer place.Close()
	t.Setenv("NOTICE_SECRET", "a-secret-of-more-than-twenty-letters")
	cfg, store := noticeRig(t, `
approvals:
  notify: [{name: pager, kind: webhook, url: "`+place.URL+`", secret: "env:NOTICE_SECRET"}]
`)
	wait := func(n int, owner string, deadline time.Duration) hold.Hold {
		h := hold.Hold{ID: replicaHold(n), Session: "ses_1", Target: "shop", Identity: identity.New("user:alice@example.com"), Digest: strings.Repeat("ab", 32), Decisions: []hold.Decision{},
			Rule: "r", Approvers: []string{"dba"}, State: hold.Pending, Quorum: 1, Created: time.Now().Add(-time.Hour), Deadline: time.Now().Add(deadline)}
		if err := store.Create(t.Context(), approval.Record{Hold: h, Owner: owner}); err != nil {
			t.Fatal(err)
		}
		return h
	}
	wait(0, "dead", 5*time.Minute)
	wait(1, "dead", -time.Minute) // it is over by itself
	wait(2, "restarted", 5*time.Minute)
	var replicas []*control
	for _, owner := range []string{"a", "b", "restarted"} {
		replicas = append(replicas, noticesOf(t, cfg, store, owner))
	}
	var both sync.WaitGroup
	for _, c := range replicas[:2] {
		both.Go(func() {
			if err := c.approvals.WithdrawLeft(t.Context(), "dead"); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	again := hold.Hold{ID: replicaHold(3), Session: "ses_2", Target: "shop", Identity: identity.New("user:alice@example.com"), Digest: strings.Repeat("ab", 32),
		Rule: "r", Approvers: []string{"dba"}, Deadline: time.Now().Add(5 * time.Minute)}
	ctx, cancel := context.WithCancel(t.Context())
	both.Go(func() { _, _ = replicas[0].approvals.Hold(ctx, again) })
	want := map[string]int{"hold.withdrawn " + replicaHold(0): 1, "hold.withdrawn " + replicaHold(2): 1, "hold.pending " + replicaHold(3): 1}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		done := len(told) >= len(want)
		mu.Unlock()
		if done {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("told %v", told)
		}
	}
	cancel()
	both.Wait()
	for _, c := range replicas { // what was under way has come to its end
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
	if !maps.Equal(told, want) {
		t.Errorf("told %v", told)
	}
}
