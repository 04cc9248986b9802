// Package storetest is the conformance suite of approval.Store: what every
// implementation promises, as tests.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

// Run runs the suite; open gives an empty store for each test.
func Run(t *testing.T, open func(t *testing.T) approval.Store) {
	for name, test := range map[string]func(*testing.T, approval.Store){
		"create and get":    createGet,
		"versions":          versions,
		"ended is final":    endedIsFinal,
		"one winner":        oneWinner,
		"list":              list,
		"watch":             watch,
		"results are owned": owned,
		"context":           contextEnds,
		"prune":             prune,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

// Sample is a pending hold with every field set; n makes it different.
func Sample(n int) hold.Hold {
	id := identity.New("user:alice@example.com", "agent:ci-bot")
	id.Groups = []string{"analysts"}
	id.Expires = epoch.Add(time.Hour)
	return hold.Hold{
		ID: fmt.Sprintf("hld_%020d", n), Session: fmt.Sprintf("ses_%d", n%3), Target: fmt.Sprintf("target%d", n%2), Identity: id,
		Action: action.Action{Kind: action.KindSQL, Verbs: []string{"delete"}, Text: "DELETE FROM t WHERE \"é\" = $1 -- '",
			Features: map[string]any{"where": true}, Params: []action.Param{{Value: "x"}}, Reads: []action.Object{}, Writes: []action.Object{}, Functions: []action.Function{}},
		Digest: fmt.Sprintf("%064x", n), Rule: "r", Reason: "why", Approvers: []string{"dba"}, Quorum: 1,
		Created: epoch.Add(time.Duration(n) * time.Second), Deadline: epoch.Add(time.Hour), State: hold.Pending, Decisions: []hold.Decision{},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func createGet(t *testing.T, s approval.Store) {
	r := approval.Record{Hold: Sample(1), Owner: "a", Version: 99}
	must(t, s.Create(t.Context(), r))
	got, err := s.Get(t.Context(), r.Hold.ID)
	r.Version = 1
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Fatalf("got  %+v\nwant %+v\n%v", got, r, err)
	}
	if err := s.Create(t.Context(), r); !errors.Is(err, approval.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	for _, id := range []string{"a\x00b", "\x00", "\xff"} { // as a path may have it
		if _, err := s.Get(t.Context(), id); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		if list, err := s.List(t.Context(), approval.Filter{Session: id}); err != nil || len(list) > 0 {
			t.Errorf("%q: %v %v", id, list, err)
		}
	}
	if _, err := s.Get(t.Context(), "hld_none"); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	if _, err := s.Update(t.Context(), approval.Record{Hold: Sample(2), Version: 1}); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("update none: %v", err)
	}
}

func versions(t *testing.T, s approval.Store) {
	r := approval.Record{Hold: Sample(1), Owner: "a"}
	must(t, s.Create(t.Context(), r))
	r.Version, r.Hold.State = 1, hold.Approved
	r.Hold.Decisions = []hold.Decision{{By: identity.New("user:dana"), Group: "dba", Approve: true, Reason: "ok", At: epoch, Via: "api"}}
	v, err := s.Update(t.Context(), r)
	if err != nil || v != 2 {
		t.Fatal(v, err)
	}
	if _, err := s.Update(t.Context(), r); !errors.Is(err, approval.ErrConflict) {
		t.Fatalf("stale version: %v", err)
	}
	r.Version = 2
	if got, err := s.Get(t.Context(), r.Hold.ID); err != nil || !reflect.DeepEqual(got, r) {
		t.Fatalf("%+v %v", got, err)
	}
}

func endedIsFinal(t *testing.T, s approval.Store) {
	for i, state := range []hold.State{hold.Used, hold.Denied, hold.Expired, hold.Withdrawn} {
		r := approval.Record{Hold: Sample(i), Owner: "a"}
		must(t, s.Create(t.Context(), r))
		r.Version, r.Hold.State = 1, state
		_, err := s.Update(t.Context(), r)
		must(t, err)
		r.Version, r.Hold.State = 2, hold.Approved
		if _, err := s.Update(t.Context(), r); !errors.Is(err, approval.ErrConflict) {
			t.Errorf("%s: %v", state, err)
		}
	}
}

func oneWinner(t *testing.T, s approval.Store) {
	must(t, s.Create(t.Context(), approval.Record{Hold: Sample(1), Owner: "a"}))
	var wins, conflicts atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := approval.Record{Hold: Sample(1), Version: 1}
			r.Hold.State = []hold.State{hold.Approved, hold.Withdrawn, hold.Expired, hold.Denied}[i%4]
			switch _, err := s.Update(t.Context(), r); {
			case err == nil:
				wins.Add(1)
			case errors.Is(err, approval.ErrConflict):
				conflicts.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 || conflicts.Load() != 15 {
		t.Fatalf("%d won, %d lost", wins.Load(), conflicts.Load())
	}
}

func list(t *testing.T, s approval.Store) {
	for n := range 6 {
		owner := "a"
		if n == 5 {
			owner = "b"
		}
		must(t, s.Create(t.Context(), approval.Record{Hold: Sample(n), Owner: owner}))
	}
	done := approval.Record{Hold: Sample(0), Version: 1}
	done.Hold.State = hold.Denied
	_, err := s.Update(t.Context(), done)
	must(t, err)
	for name, c := range map[string]struct {
		f    approval.Filter
		want []int
	}{
		"all":     {approval.Filter{}, []int{5, 4, 3, 2, 1, 0}},
		"limit":   {approval.Filter{Limit: 2}, []int{5, 4}},
		"state":   {approval.Filter{States: []hold.State{hold.Denied, hold.Used}}, []int{0}},
		"target":  {approval.Filter{Target: "target1"}, []int{5, 3, 1}},
		"session": {approval.Filter{Session: "ses_2"}, []int{5, 2}},
		"owner":   {approval.Filter{Owner: "a", States: []hold.State{hold.Pending}}, []int{4, 3, 2, 1}},
		"since":   {approval.Filter{Since: Sample(4).Created}, []int{5, 4}},
		"quote":   {approval.Filter{Target: "' OR 1=1 --"}, []int{}},
	} {
		got, err := s.List(t.Context(), c.f)
		must(t, err)
		ids := []string{}
		for _, r := range got {
			ids = append(ids, r.Hold.ID)
		}
		want := []string{}
		for _, n := range c.want {
			want = append(want, Sample(n).ID)
		}
		if !reflect.DeepEqual(ids, want) {
			t.Errorf("%s: %v, want %v", name, ids, want)
		}
	}
}

func watch(t *testing.T, s approval.Store) {
	seen := make(chan approval.Change, 100)
	cancel := s.Watch(func(c approval.Change) { seen <- c })
	next := func() {
		t.Helper()
		select {
		case c := <-seen:
			if c.ID != "" && c.ID != Sample(1).ID {
				t.Fatalf("%+v", c)
			}
		case <-time.After(60 * time.Second):
			t.Fatal("no notification")
		}
	}
	r := approval.Record{Hold: Sample(1), Owner: "a", Version: 1}
	must(t, s.Create(t.Context(), r))
	next()
	_, err := s.Update(t.Context(), r)
	must(t, err)
	next()
	cancel()
	must(t, s.Create(t.Context(), approval.Record{Hold: Sample(2), Owner: "a"}))
	select {
	case c := <-seen:
		t.Fatalf("after cancel: %+v", c)
	case <-time.After(50 * time.Millisecond):
	}
}

func owned(t *testing.T, s approval.Store) {
	in := approval.Record{Hold: Sample(1), Owner: "a"}
	must(t, s.Create(t.Context(), in))
	in.Hold.Identity.Actors[0] = "user:mallory"
	one, err := s.Get(t.Context(), in.Hold.ID)
	must(t, err)
	one.Hold.Approvers[0] = "everyone"
	two, err := s.Get(t.Context(), in.Hold.ID)
	must(t, err)
	if !reflect.DeepEqual(two.Hold, Sample(1)) {
		t.Fatalf("%+v", two.Hold)
	}
}

func contextEnds(t *testing.T, s approval.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Create(ctx, approval.Record{Hold: Sample(1), Owner: "a"}); err == nil {
		t.Error("created after the context ended")
	}
	if _, err := s.Get(ctx, Sample(1).ID); err == nil || errors.Is(err, approval.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
}

func prune(t *testing.T, s approval.Store) {
	for n := range 4 {
		must(t, s.Create(t.Context(), approval.Record{Hold: Sample(n), Owner: "a"}))
	}
	for _, n := range []int{0, 2, 3} {
		r := approval.Record{Hold: Sample(n), Version: 1}
		r.Hold.State = hold.Expired
		_, err := s.Update(t.Context(), r)
		must(t, err)
	}
	if n, err := s.Prune(t.Context(), Sample(3).Created); err != nil || n != 2 { // 1 is open, 3 is young
		t.Fatal(n, err)
	}
	left, err := s.List(t.Context(), approval.Filter{})
	if err != nil || len(left) != 2 || left[0].Hold.ID != Sample(3).ID || left[1].Hold.ID != Sample(1).ID {
		t.Fatalf("%+v %v", left, err)
	}
}
