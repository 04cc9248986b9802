package approval_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
)

// shaped is a hold of an UPDATE that policy lets people approve the shape of.
func shaped(n int, pool bool) hold.Hold {
	h := sample(n, time.Minute)
	h.Session, h.Target, h.Rule = "ses_one", "shop", "dba-change"
	h.Identity.TokenID, h.Identity.Issuer = "tok_1", "dragoman"
	h.ShapeFor, h.ShapePool = 10*time.Minute, pool
	h.Action = action.Action{Kind: action.KindSQL, Verbs: []string{"update"}, Fingerprint: "f1", Text: fmt.Sprintf("UPDATE orders SET q = %d", n),
		Writes: []action.Object{{Schema: "public", Name: "orders", Columns: []string{"q"}, Resolved: true}}, Features: map[string]any{"where": true}}
	return h
}

func approveShape(t *testing.T, s *approval.Service, h hold.Hold, life time.Duration, pool bool) error {
	t.Helper()
	_, err := s.Approve(t.Context(), approval.Vote{ID: h.ID, Digest: h.Digest, By: dba("dana"), Reason: "all of these", Via: "page", ShapeFor: life, ShapePool: pool})
	return err
}

// TestShape: an approval of a shape decides what is of that shape and session later, and nothing else.
func TestShape(t *testing.T) {
	for _, pool := range []bool{false, true} {
		s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
		watch := s.Watch(t.Context())
		first := holding(t.Context(), s, shaped(1, pool))
		h := pendingOne(t, watch)
		if err := approveShape(t, s, h, 20*time.Minute, false); !errors.Is(err, approval.ErrForbidden) {
			t.Fatalf("a shape for longer than policy says: %v", err)
		}
		if err := approveShape(t, s, h, time.Minute, true); (err == nil) != pool {
			t.Fatalf("for the pool, where policy says %v: %v", pool, err)
		}
		if !pool {
			if err := approveShape(t, s, h, time.Minute, false); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-first; got.h.State != hold.Used {
			t.Fatalf("%+v", got)
		}
		got := <-holding(t.Context(), s, shaped(2, pool))
		if got.err != nil || got.h.State != hold.Used || len(got.h.Decisions) != 1 {
			t.Fatalf("%+v", got)
		}
		d := got.h.Decisions[0]
		if d.Of != h.ID || d.By.Subject != "user:dana" || d.Group != "dba" || d.ShapeFor != 0 {
			t.Errorf("decided by %+v", d)
		}
		n := 100
		for name, change := range map[string]func(*hold.Hold){
			"another rule":         func(h *hold.Hold) { h.Rule = "other" },
			"another target":       func(h *hold.Hold) { h.Target = "other" },
			"another shape":        func(h *hold.Hold) { h.Action.Fingerprint = "f2" },
			"another table":        func(h *hold.Hold) { h.Action.Writes[0].Schema = "secret" },
			"no WHERE":             func(h *hold.Hold) { h.Action.Features = map[string]any{} },
			"a call":               func(h *hold.Hold) { h.Action.Functions = []action.Function{{Name: "dblink", Opaque: true}} },
			"policy now says no":   func(h *hold.Hold) { h.ShapeFor = 0 },
			"another quorum":       func(h *hold.Hold) { h.Quorum = 2 },
			"other approvers":      func(h *hold.Hold) { h.Approvers = []string{"owners"} },
			"policy now says less": func(h *hold.Hold) { h.ShapeFor = time.Nanosecond },
			"another session, other database": func(h *hold.Hold) {
				h.Session, h.Database = "ses_two", "prod"
			},
			"another session, other login": func(h *hold.Hold) {
				h.Session, h.User = "ses_two", "owner"
			},
			"another session, other token": func(h *hold.Hold) {
				h.Session, h.Identity.TokenID = "ses_two", "tok_2"
			},
		} {
			h := shaped(3, pool)
			h.Deadline = time.Now().Add(300 * time.Millisecond)
			n++
			h.ID = fmt.Sprintf("hld_%020d", n)
			change(&h)
			if got := <-holding(t.Context(), s, h); got.h.State == hold.Used {
				t.Errorf("pool %v: %s runs by an approval of something else", pool, name)
			}
		}
		other := shaped(4, pool)
		other.Session = "ses_two"
		other.Deadline = time.Now().Add(300 * time.Millisecond)
		if pool {
			other.Deadline = time.Now().Add(time.Minute)
		}
		if got := <-holding(t.Context(), s, other); (got.h.State == hold.Used) != pool {
			t.Errorf("pool %v: another connection of the same token ends as %s", pool, got.h.State)
		}
	}
}

// TestShapeless: no shape is approved of a statement whose literals are the thing itself.
func TestShapeless(t *testing.T) {
	for _, feature := range []string{"", action.FeatureServerFile, action.FeatureSetting, action.FeatureRole, action.FeatureProgram, action.FeatureDynamic,
		action.FeatureOpaque, action.FeatureMulti, action.FeatureUnparsed, action.FeatureUnresolved, action.FeatureReplication} {
		h := shaped(1, false)
		h.Action.Features = map[string]any{feature: true}
		if got := approval.Shaped(&h); got != (feature == "") {
			t.Errorf("%q: %v", feature, got)
		}
	}
}

// TestShapeOfThoseWaiting: one word frees all connections of a pool that wait already; nobody's own word counts.
func TestShapeOfThoseWaiting(t *testing.T) {
	s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
	var outs []<-chan outcome
	for n := range 5 {
		h := shaped(n, true)
		h.Session = fmt.Sprintf("ses_%d", n)
		watch := s.Watch(t.Context())
		outs = append(outs, holding(t.Context(), s, h))
		pendingOne(t, watch)
	}
	list, err := s.List(t.Context(), approval.Filter{States: []hold.State{hold.Pending}})
	if err != nil || len(list) != 5 {
		t.Fatal(len(list), err)
	}
	if err := approveShape(t, s, list[0], time.Minute, true); err != nil {
		t.Fatal(err)
	}
	for _, out := range outs {
		if got := <-out; got.h.State != hold.Used {
			t.Errorf("%s %v", got.h.State, got.err)
		}
	}
}

// TestPurpose: an agent's words are its own hold's only, and not after somebody has decided.
func TestPurpose(t *testing.T) {
	s, _ := newService(t, filepath.Join(t.TempDir(), "a.db"))
	h := shaped(1, false)
	h.Quorum = 2
	if err := s.Purpose(h.Identity, h.Target, "ticket 7:\x1b[31m\n fix it "); err != nil {
		t.Fatal(err)
	}
	watch := s.Watch(t.Context())
	holding(t.Context(), s, h)
	got := pendingOne(t, watch)
	if got.Purpose != "ticket 7: [31m fix it" {
		t.Errorf("purpose %q", got.Purpose)
	}
	if _, err := s.Tell(t.Context(), h.ID, dba("mallory"), "x"); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	if now, err := s.Tell(t.Context(), h.ID, h.Identity, "better words"); err != nil || now.Purpose != "better words" || now.State != hold.Pending {
		t.Errorf("%+v %v", now, err)
	}
	if _, err := s.Approve(t.Context(), approval.Vote{ID: h.ID, By: dba("dana")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Tell(t.Context(), h.ID, h.Identity, "others"); !errors.Is(err, approval.ErrIllegal) {
		t.Errorf("after a decision: %v", err)
	}
	for _, bad := range []string{"", " \n ", strings.Repeat("x", 501)} {
		if err := s.Purpose(h.Identity, "shop", bad); !errors.Is(err, approval.ErrInvalid) {
			t.Errorf("%.10q: %v", bad, err)
		}
	}
}
