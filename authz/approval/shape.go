package approval

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
)

// An approval may be for an action's shape: later actions of the same session, or of the same credential on the
// same target, that differ in literals only are then decided at once by the same people's word. Each is a hold of
// its own, bound to its own bytes and used once, on which the word is repeated as a decision that says where it was
// given; every rule of who may decide is applied again. Nothing is kept beside the holds themselves.

// maxShapes bounds how many earlier holds are looked at.
const maxShapes = 1000

// shapeVerbs are those of statements whose literals are values. In others (SET, COPY, DO, CALL) a literal
// can be the thing itself, so they have no shape.
var shapeVerbs = []string{"select", "insert", "update", "delete", "merge"}

// shapeless are features of statements whose literals say more than which rows: what is set or run, and which file is meant; and of those that are not alone.
var shapeless = []string{action.FeatureUnparsed, action.FeatureMulti, action.FeatureUnresolved, action.FeatureDynamic, action.FeatureOpaque, action.FeatureProgram, action.FeatureServerFile,
	action.FeatureRole, action.FeatureSetting, action.FeatureReplication, action.FeatureDDL, action.FeatureCopy, action.FeatureFunctionCall}

// shapeOf is a digest of everything of an action but its literals, "" when it has no shape.
func shapeOf(a *action.Action) string {
	if a.Kind != action.KindSQL || a.Fingerprint == "" || len(a.Verbs) == 0 || slices.ContainsFunc(shapeless, a.Has) {
		return ""
	}
	for _, v := range a.Verbs {
		if !slices.Contains(shapeVerbs, v) {
			return ""
		}
	}
	for _, f := range a.Functions {
		if f.Opaque { // its arguments may be statements
			return ""
		}
	}
	b, err := json.Marshal([]any{a.Fingerprint, a.Verbs, a.Reads, a.Writes, a.Functions, a.Features})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return string(sum[:])
}

// Shaped reports whether approvers may approve the hold's shape.
func Shaped(h *hold.Hold) bool { return h.ShapeFor > 0 && shapeOf(&h.Action) != "" }

// checkShape refuses a decision about the shape that policy does not let anybody take.
func checkShape(h *hold.Hold, d *hold.Decision) error {
	switch {
	case d.ShapeFor == 0 && !d.ShapePool:
		return nil
	case d.ShapeFor <= 0 || !d.Approve || d.Of != "":
		return fmt.Errorf("%w: only an approval of one's own is for a shape, and for a time", ErrForbidden)
	case !Shaped(h):
		return fmt.Errorf("%w: this action can be approved once only", ErrForbidden)
	case d.ShapeFor > min(h.ShapeFor, hold.MaxShape):
		return fmt.Errorf("%w: policy lets its shape be approved for %s at most", ErrForbidden, min(h.ShapeFor, hold.MaxShape))
	case d.ShapePool && !h.ShapePool:
		return fmt.Errorf("%w: policy lets its shape be approved for this session only", ErrForbidden)
	}
	return nil
}

// covers reports whether a word given at g counts for h at a time.
func covers(g *hold.Hold, d *hold.Decision, h *hold.Hold, now time.Time) bool {
	life := min(d.ShapeFor, h.ShapeFor, hold.MaxShape) // policy may say less by now than when the word was given
	if !d.Approve || d.ShapeFor <= 0 || d.Of != "" || !now.Before(d.At.Add(life)) || g.ID == h.ID || g.Target != h.Target || g.Rule != h.Rule {
		return false
	}
	if g.Session != h.Session && !(d.ShapePool && h.ShapePool && sameCredential(g, h)) {
		return false
	}
	return Shaped(h) && shapeOf(&g.Action) == shapeOf(&h.Action)
}

func sameCredential(g, h *hold.Hold) bool {
	a, b := &g.Identity, &h.Identity
	return a.TokenID != "" && a.TokenID == b.TokenID && a.Issuer == b.Issuer && slices.Equal(a.Actors, b.Actors) &&
		g.Database == h.Database && g.User == h.User // a table of another database is another one
}

// repeat decides on a hold what was said about its shape before. What cannot be repeated is left to people.
func (s *Service) repeat(ctx context.Context, h hold.Hold) {
	if !Shaped(&h) {
		return
	}
	f := Filter{Session: h.Session, States: []hold.State{hold.Approved, hold.Used}, Limit: maxShapes, Since: h.Created.Add(-hold.MaxShape - MaxWait)}
	if h.ShapePool {
		f.Session, f.Target = "", h.Target
	}
	list, err := s.store.List(ctx, f)
	if err != nil {
		s.c.Log.Error("what was approved before cannot be looked up; people are asked", "hold", h.ID, "err", err)
		return
	}
	now := s.c.Now()
	for i := range list {
		g := &list[i].Hold
		for j := range g.Decisions {
			d := g.Decisions[j]
			if !covers(g, &d, &h, now) {
				continue
			}
			left, err := s.change(ctx, h.ID, Event{Kind: Decide, Decision: hold.Decision{By: d.By, Approve: true, Reason: d.Reason, Via: d.Via, Of: g.ID}})
			switch {
			case err == nil:
				s.c.Log.Info("a hold is decided by an approval of its shape", "hold", h.ID, "of", g.ID, "by", d.By.Chain(), "state", string(left.State))
			case !errors.Is(err, ErrForbidden):
				return // it has ended, or is approved
			}
			if left.State != hold.Pending {
				return
			}
		}
	}
}

// spread repeats a new word about a shape on what waits already: a connection pool's other connections.
func (s *Service) spread(ctx context.Context, g hold.Hold) {
	f := Filter{Target: g.Target, States: []hold.State{hold.Pending}, Limit: maxShapes}
	list, err := s.store.List(ctx, f)
	if err != nil {
		s.c.Log.Error("what waits cannot be looked up", "err", err)
		return
	}
	for _, r := range list {
		if h := r.Hold; h.ID != g.ID && (h.Session == g.Session || h.ShapePool && sameCredential(&g, &h)) {
			s.repeat(ctx, h)
		}
	}
}
