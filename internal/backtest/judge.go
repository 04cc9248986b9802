package backtest

import (
	"context"
	"slices"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
)

// certainty is how well a verdict is known.
type certainty uint8

const (
	// unsure: the lineage decides, and it is not recorded. The verdict is the most that the
	// rules give; masks may block it.
	unsure certainty = iota
	// carried: what masks ask of the statement was settled when it was recorded, under masks that
	// ask the same of it.
	carried
	// analysed: the lineage was found by analysing the text again.
	analysedAgain
	// exact: whatever the lineage is, the verdict is this.
	exact
)

// verdict is what the new policy says of a recorded action.
type verdict struct {
	policy.Decision
	certainty
	plan *plan
	old  *plan // the masks of the record
	why  string
	// worst is what masks would say at worst, of one whose lineage decides.
	worst policy.Decision
}

// Gateway's own refusals of the fast-path function call, whatever policy says.
const ruleFunctionCall = "function_call"

const (
	whyLineage = "the masks ask about the statement's lineage, which is not recorded"
	whyInner   = "it runs a statement that was prepared before, which is not in its record"
)

// again judges a recorded action. A SQL statement is judged between two bounds: with the most innocent lineage that
// it can have, and with the worst.
func (w *worker) again(ctx context.Context, j *policy.SessionJudge, p *payload) verdict {
	a := &p.Action
	v := verdict{certainty: exact, old: w.masks.of(p.Decision.Mask)}
	if a.Kind != action.KindSQL {
		v.Decision = j.Judge(ctx, a, nil)
		if a.Kind == action.KindFunction && (p.Decision.Rule == ruleFunctionCall || v.Verdict == policy.Hold) {
			v.Verdict = policy.Block // it is never held, and the target's own setting comes first
		}
		v.plan = w.masks.ownOf(v.Mask)
		return v
	}
	v.Decision = j.Judge(ctx, a, &sql.Statement{Inner: named(a)})
	v.plan = w.masks.ownOf(v.Mask)
	switch {
	case v.Verdict == policy.Block:
	case has(a, "execute", "fetch", "move"):
		v.inner(&p.Decision)
	case len(v.plan.columns) > 0:
		w.lineage(ctx, j, p, &v)
	}
	return v
}

func has(a *action.Action, verbs ...string) bool {
	return slices.ContainsFunc(a.Verbs, func(v string) bool { return slices.Contains(verbs, v) })
}

// named is the statement that PREPARE and DECLARE give a name to: its facts are those of the action.
func named(a *action.Action) *sql.Statement {
	if !has(a, "prepare", "declare") {
		return nil
	}
	in := *a
	in.Verbs = slices.DeleteFunc(slices.Clone(a.Verbs), func(v string) bool { return v == "prepare" || v == "declare" })
	return &sql.Statement{Action: in}
}

// inner is for a statement that runs another one: the record says how both were judged together, and
// nothing of the other one. It stays as it was unless it is the stricter now.
func (v *verdict) inner(old *decision) {
	v.certainty, v.why = unsure, whyInner
	if strictness(old.Verdict) > strictness(v.Verdict) {
		v.Verdict, v.Rule, v.Reason, v.Approvers, v.Quorum = old.Verdict, old.Rule, old.Reason, old.Approvers, old.Quorum
	}
}

func strictness(v policy.Verdict) int {
	switch v {
	case policy.Allow:
		return 0
	case policy.Hold:
		return 1
	}
	return 2
}

func lineageRule(rule string) bool {
	return rule == policy.RulePredicate || rule == policy.RuleWrite || rule == policy.RuleUnresolved
}

// lineage settles whether masks that name columns block a statement that the rules let through or hold.
func (w *worker) lineage(ctx context.Context, j *policy.SessionJudge, p *payload, v *verdict) {
	a, old := &p.Action, &p.Decision
	// Without a statement the engine blocks by RuleUnresolved, unless a rule lets what is unresolved through.
	open := j.Judge(ctx, a, nil).Verdict != policy.Block
	passed := old.Verdict != policy.Block && len(v.old.columns) > 0
	if sameColumns(v.old, v.plan) && (passed || lineageRule(old.Rule)) {
		v.certainty = carried
		if lineageRule(old.Rule) && !(old.Rule == policy.RuleUnresolved && open) {
			v.stays(old)
		}
		return
	}
	if !v.plan.mayAsk(a, true) && !(len(a.Writes) > 0 && v.plan.mayAsk(a, false)) && (open || !blurred(a)) {
		return
	}
	v.certainty = carried
	switch {
	case old.Rule == policy.RuleUnresolved && !open:
		v.stays(old)
	case old.Rule == policy.RulePredicate && asStrict(a, v.plan, v.old, true), old.Rule == policy.RuleWrite && asStrict(a, v.plan, v.old, false):
		v.stays(old)
	case passed && asStrict(a, v.old, v.plan, true) && asStrict(a, v.old, v.plan, false):
	default:
		w.fromText(ctx, j, a, v)
	}
}

// fromText judges with the lineage that the text shows.
func (w *worker) fromText(ctx context.Context, j *policy.SessionJudge, a *action.Action, v *verdict) {
	if st := w.analyses.of(w.protocol, a); st != nil {
		d := j.Judge(ctx, a, st)
		if d.Verdict == policy.Block || !v.plan.elsewhere(st) {
			v.Decision, v.certainty = d, analysedAgain
			return
		}
	}
	v.certainty, v.why = unsure, whyLineage
	if v.worst = j.Judge(ctx, a, worstOf(a)); v.worst.Verdict != policy.Block {
		v.worst = policy.Decision{Rule: policy.RulePredicate, Reason: "a column that it uses may belong to a table with masked columns"}
	}
}

// stays: the masks block it as they did.
func (v *verdict) stays(old *decision) {
	v.Verdict, v.Rule, v.Reason, v.Approvers, v.Quorum = policy.Block, old.Rule, old.Reason, nil, 0
}

// asStrict reports whether plan a asks of every column that the action reads, and of those of the same name in related
// tables, at least what plan b asks: of predicates, or of copying.
func asStrict(act *action.Action, a, b *plan, predicates bool) bool {
	for _, c := range columnsOf(act) {
		if c.Name == "" && b.anySpec(c, predicates, nil) && !sameColumns(a, b) {
			return false // which of its columns is not known
		}
		if b.asks(c, predicates) && !a.asks(c, predicates) {
			return false
		}
		if c.Name != "" && !a.asks(c, predicates) && b.anySpec(sql.Column{Name: c.Name}, predicates, a) {
			return false
		}
	}
	return true
}

// blurring features and functions make outputs whose origins are not known.
var blurring = []string{action.FeatureUnresolved, action.FeatureOpaque, action.FeatureDynamic, action.FeatureUnparsed, action.FeatureFunctionCall}

// worstOf is the worst that a statement can be with the facts that an action has: every column that it reads decides
// about rows, and is copied to all that it writes; its result may have come from anywhere if it calls functions.
func worstOf(a *action.Action) *sql.Statement {
	st := &sql.Statement{Returns: true, Outputs: []sql.Output{}, Probes: columnsOf(a)}
	for i := range a.Writes {
		st.Flows = append(st.Flows, sql.Flow{To: sql.Column{Schema: a.Writes[i].Schema, Table: a.Writes[i].Name}, From: st.Probes})
	}
	if blurred(a) {
		st.Outputs = nil
	}
	return st
}

func blurred(a *action.Action) bool {
	return len(a.Functions) > 0 || slices.ContainsFunc(blurring, a.Has)
}
