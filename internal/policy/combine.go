package policy

import (
	"fmt"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/action"
)

// entry combines what the policy said about one action: a block wins over a
// hold, a hold over an allow, and all of the action must be covered.
func (e *Engine) entry(a *action.Action, res result) (*entry, error) {
	pl, err := e.plans.of(res.masks)
	if err != nil {
		return nil, fmt.Errorf("mask plan: %w", err)
	}
	en := &entry{plan: pl}
	en.decision = e.combine(en, a, res.candidates)
	en.decision.Mask, en.decision.Revision = pl.specs, e.revision
	return en, nil
}

func (e *Engine) combine(en *entry, a *action.Action, all []candidate) Decision {
	if i := slices.IndexFunc(all, func(c candidate) bool { return c.verdict == Block }); i >= 0 {
		return Decision{Rule: all[i].rule, Hint: all[i].hint,
			Reason: orText(all[i].reason, "rule "+all[i].rule+" blocks it")}
	}
	if gap := uncovered(a, all, e.refs.body); gap != nil {
		return *gap
	}
	for _, c := range all {
		if c.coversObjects(a) {
			en.features = append(en.features, c.features...)
		}
	}
	var d Decision
	for _, c := range all {
		if c.verdict != Hold {
			continue
		}
		h := Decision{Verdict: Hold, Rule: c.rule, Hint: c.hint, Approvers: c.approvers,
			Quorum: max(c.quorum, 1), Timeout: c.timeout, ShapeFor: c.shapeFor, ShapePool: c.shapePool && c.shapeFor > 0,
			Reason: orText(c.reason, "rule "+c.rule+" asks for approval")}
		if d.Verdict == Hold {
			h = mergeHolds(d, h)
		}
		if d = h; d.Verdict == Block {
			return d
		}
	}
	if d.Verdict == Hold {
		return d
	}
	c := speaker(a, all)
	return Decision{Verdict: Allow, Rule: c.rule, Reason: c.reason, Hint: c.hint}
}

// speaker is the candidate that an allow is named after: the first that covers
// the whole action, or else most of what matters: tables written, tables
// read, verbs.
func speaker(a *action.Action, all []candidate) candidate {
	best, most := all[0], -1
	for _, c := range all {
		score := 0
		for i, yes := range []bool{
			!c.builtin,
			!slices.ContainsFunc(a.Verbs, func(v string) bool { return !c.coversVerb(v, false) }),
			c.covers == nil || len(c.covers.reads) > 0,
			c.covers == nil || len(c.covers.writes) > 0,
			c.coversObjects(a),
		} {
			if yes {
				score |= 1 << i
			}
		}
		if score > most {
			best, most = c, score
		}
	}
	return best
}

// mergeHolds makes one hold of two: who may approve both, the larger quorum, the
// shorter wait. When nobody may approve both, it blocks.
func mergeHolds(a, b Decision) Decision {
	both := slices.DeleteFunc(slices.Clone(a.Approvers), func(g string) bool { return !slices.Contains(b.Approvers, g) })
	if len(both) == 0 {
		return Decision{Rule: RuleConflict, Revision: a.Revision, Mask: a.Mask,
			Reason: fmt.Sprintf("rules %s and %s ask for the approval of different groups", a.Rule, b.Rule),
			Hint:   "split the action, so that each part needs one approval"}
	}
	a.Approvers, a.Quorum = both, max(a.Quorum, b.Quorum)
	a.Timeout = shorter(a.Timeout, b.Timeout)
	a.ShapeFor = min(a.ShapeFor, b.ShapeFor)
	a.ShapePool = a.ShapePool && b.ShapePool && a.ShapeFor > 0
	return a
}

// shorter is the shorter of two waits; 0 is the default, not the shortest.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
