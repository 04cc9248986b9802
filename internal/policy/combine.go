package policy

import (
	"fmt"
	"slices"
	"strings"
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
	if gap := uncovered(a, all); gap != nil {
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
			Quorum: max(c.quorum, 1), Timeout: c.timeout,
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

// uncovered names the first part of the action that no allow or hold covers.
func uncovered(a *action.Action, all []candidate) *Decision {
	if len(all) == 0 {
		return refuse("no rule allows "+describe(a), "ask for a rule that allows it, or do something that is allowed")
	}
	if d := uncoveredFeature(a, all); d != nil {
		return d
	}
	some := func(ok func(*candidate) bool) bool {
		for i := range all {
			if ok(&all[i]) {
				return true
			}
		}
		return false
	}
	verbs := a.Verbs
	if a.Kind == action.KindConnect && !slices.Contains(verbs, "connect") {
		verbs = append([]string{"connect"}, verbs...)
	}
	if len(verbs) == 0 && !some(func(c *candidate) bool { return c.covers == nil || !c.covers.scoped }) {
		return refuse("no rule allows "+describe(a), "")
	}
	var writing []string
	for _, v := range verbs {
		writes := isWriting(a, v)
		if writes && len(a.Writes) > 0 {
			writing = append(writing, v)
		}
		if !some(func(c *candidate) bool { return c.coversVerb(v, writes && len(a.Writes) == 0) }) {
			return refuse("no rule allows "+strings.ToUpper(v)+onWhat(a, v), "")
		}
	}
	for _, o := range a.Writes {
		for _, v := range writing {
			if !some(func(c *candidate) bool { return c.coversVerb(v, false) && c.coversWrite(o) }) {
				return refuse(fmt.Sprintf("no rule allows %s on %s", strings.ToUpper(v), objectName(o)), "")
			}
		}
		if !some(func(c *candidate) bool { return c.coversWrite(o) }) {
			return refuse("no rule allows writing "+objectName(o), "")
		}
	}
	for _, o := range a.Reads {
		if !some(func(c *candidate) bool { return c.coversRead(o) }) {
			return refuse("no rule allows reading "+objectName(o)+columnsOf(o), "")
		}
	}
	for _, f := range a.Functions {
		if !some(func(c *candidate) bool { return c.coversFunction(f) }) {
			return refuse(fmt.Sprintf("no rule allows the function %s.%s", f.Schema, f.Name), "")
		}
	}
	return nil
}

func refuse(reason, hint string) *Decision {
	return &Decision{Rule: RuleDefault, Reason: reason, Hint: hint}
}

func describe(a *action.Action) string {
	if len(a.Verbs) == 0 {
		return "this " + a.Kind + " action"
	}
	return strings.ToUpper(strings.Join(a.Verbs, ", ")) + onWhat(a, a.Verbs[0])
}

func onWhat(a *action.Action, verb string) string {
	objects := a.Reads
	if isWriting(a, verb) {
		objects = a.Writes
	}
	if len(objects) == 0 {
		return ""
	}
	return " on " + objectName(objects[0])
}

func objectName(o action.Object) string {
	if o.Schema == "" {
		return o.Name
	}
	return o.Schema + "." + o.Name
}

func columnsOf(o action.Object) string {
	if len(o.Columns) == 0 {
		return ""
	}
	return " (" + strings.Join(o.Columns[:min(len(o.Columns), 8)], ", ") + ")"
}

// readingVerbs do not write, whatever else the statement does.
var readingVerbs = []string{
	"select", "explain", "show", "declare", "fetch", "move", "close", "prepare", "execute", "deallocate",
	"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "set", "reset", "discard",
	"connect", "values", "table",
}

// isWriting reports whether a verb is about the objects that the action writes.
func isWriting(a *action.Action, verb string) bool {
	if a.Kind != action.KindSQL {
		return false
	}
	if verb == "copy" {
		return a.Features[action.FeatureCopy] != "out"
	}
	return !slices.Contains(readingVerbs, verb)
}

func (c *candidate) coversVerb(v string, unscoped bool) bool {
	if c.covers == nil {
		return true
	}
	return slices.Contains(c.covers.verbs, v) && !(unscoped && c.covers.scoped)
}

func (c *candidate) coversWrite(o action.Object) bool {
	return c.covers == nil || slices.Contains(c.covers.writes, [2]string{o.Schema, o.Name})
}

func (c *candidate) coversRead(o action.Object) bool {
	return c.covers == nil || slices.Contains(c.covers.reads, [2]string{o.Schema, o.Name})
}

func (c *candidate) coversFunction(f action.Function) bool {
	return c.covers == nil || slices.Contains(c.covers.functions, [2]string{f.Schema, f.Name})
}

// coversObjects reports whether the candidate alone covers all that is read and written.
func (c *candidate) coversObjects(a *action.Action) bool {
	return !slices.ContainsFunc(a.Reads, func(o action.Object) bool { return !c.coversRead(o) }) &&
		!slices.ContainsFunc(a.Writes, func(o action.Object) bool { return !c.coversWrite(o) })
}
