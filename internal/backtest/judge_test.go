package backtest

import (
	"bytes"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/backtest/backtesttest"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

func sqlOf(verb, text string, functions ...action.Function) action.Action {
	return action.Action{Kind: action.KindSQL, Verbs: []string{verb}, Text: text, Reads: []action.Object{}, Writes: []action.Object{}, Functions: functions,
		Features: map[string]any{}, Params: []action.Param{}}
}

// reportOf judges one session with the actions as they were decided.
func reportOf(t *testing.T, e *policy.Engine, open record.Open, actions ...record.ActionPayload) *Report {
	t.Helper()
	dir := t.TempDir()
	must(t, backtesttest.Write(t.Context(), dir, backtesttest.Session{Open: open, Actions: actions}))
	rep, err := Run(t.Context(), Options{Dir: dir, Engine: e})
	must(t, err)
	return rep
}

func TestUnsure(t *testing.T) {
	all := policy.Rule{Name: "all", Verdict: "allow"}
	before := engineOf(t, policy.Source{Rules: []policy.Rule{all}})
	now := engineOf(t, policy.Source{Rules: []policy.Rule{all}, Masks: []policy.MaskRule{{Name: "m", Columns: []string{"public.customers.email"}}}})
	open := backtesttest.Open("ses_00000000000000000000000001", start, "shop", []string{"analysts"}, "user:x")
	lower := backtesttest.Select("SELECT lower(email) FROM customers", "customers", []string{"email"}, nil)
	lower.Action.Functions = []action.Function{{Schema: "pg_catalog", Name: "lower", Volatility: "immutable"}}
	rep := reportOf(t, now, open, backtesttest.Judge(before, open, lower),
		record.ActionPayload{Action: sqlOf("execute", "EXECUTE p"), Decision: policy.Decision{Verdict: policy.Hold, Rule: "inner", Approvers: []string{"dba"}}})
	blocked, masked := rep.Change(NewlyBlocked), rep.Change(NewlyMasked)
	if rep.Unsure != 2 || blocked.Count != 0 || blocked.Perhaps != 1 || masked.Perhaps != 1 || rep.Change(NewlyAllowed).Perhaps != 0 {
		t.Fatalf("%+v", rep)
	}
	if e := blocked.Examples[0]; !e.Perhaps || e.Why != whyLineage || e.New.Verdict != policy.Block || e.New.Rule != policy.RulePredicate {
		t.Errorf("%+v", e)
	}
	var text bytes.Buffer
	must(t, rep.WriteText(&text))
	for _, want := range []string{"0, perhaps 1 more", "allow by all → perhaps block by masked-predicate", "not sure: " + whyLineage, "customers.email: clear → redact"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestOtherActions(t *testing.T) {
	hold := policy.Rule{Name: "ask", Verdict: "hold", Approvers: []string{"leads"}, FeaturesAllowed: []string{"function_call", "opaque", "unresolved"}}
	now := engineOf(t, policy.Source{Rules: []policy.Rule{hold}, Off: []string{policy.BuiltinConnect}})
	open := backtesttest.Open("ses_00000000000000000000000001", start, "shop", []string{"analysts"}, "user:x")
	call := action.Action{Kind: action.KindFunction, Verbs: []string{"call"}, Text: "function call", Functions: []action.Function{{Opaque: true}},
		Features: map[string]any{action.FeatureFunctionCall: true, action.FeatureOpaque: true}}
	allowed := policy.Decision{Verdict: policy.Allow, Rule: "was"}
	rep := reportOf(t, now, open,
		record.ActionPayload{Action: call, Decision: allowed}, // never held, so blocked
		record.ActionPayload{Action: call, Decision: policy.Decision{Rule: ruleFunctionCall}},
		record.ActionPayload{Action: action.Action{Kind: action.KindHTTP, Verbs: []string{"get"}, Text: "GET /"}, Decision: allowed},
		record.ActionPayload{Action: sqlOf("select", "SELECT 1"), Decision: policy.Decision{Verdict: policy.Hold, Rule: "was", Approvers: []string{"dba"}}},
		record.ActionPayload{Action: sqlOf("select", "SELECT 2"), Decision: policy.Decision{Verdict: policy.Hold, Rule: "was", Approvers: []string{"leads"}, Quorum: 1}})
	held := rep.Change(NewlyHeld)
	if rep.Actions != 6 || held.Count != 2 || held.Examples[0].Ordinal != 0 || held.Examples[0].Kind != action.KindConnect ||
		rep.Change(NewlyBlocked).Count != 1 || rep.Change(HoldChanged).Count != 1 || rep.Unchanged != 2 || rep.OtherRule != 2 || rep.Exact != 6 {
		t.Errorf("%+v", rep)
	}
	// An opening that was held and approved is recorded as allowed, with its approvers.
	open.Decision = policy.Decision{Verdict: policy.Allow, Rule: "ask", Approvers: []string{"leads"}, Quorum: 1}
	if rep := reportOf(t, now, open); rep.Unchanged != 1 {
		t.Errorf("an approved opening: %+v", rep)
	}
}

// The clock of a policy stands at the time of each action.
func TestClock(t *testing.T) {
	const hours = `package dragoman.policy

verdicts contains {"verdict": "allow", "rule": "early"} if time.now_ns() < time.parse_rfc3339_ns("2026-03-02T09:00:03Z")
`
	e, err := policy.Compile(t.Context(), policy.Bundle{Modules: map[string]string{"hours.rego": hours}})
	must(t, err)
	open := backtesttest.Open("ses_00000000000000000000000001", start, "shop", nil, "user:x")
	one := record.ActionPayload{Action: sqlOf("select", "SELECT 1"), Decision: policy.Decision{Verdict: policy.Allow, Rule: "early"}}
	rep := reportOf(t, e, open, one, one, one, one)
	if c := rep.Change(NewlyBlocked); !rep.Volatile || c.Count != 2 || c.Examples[0].Ordinal != 3 {
		t.Errorf("%+v", rep)
	}
}
