package policy

import (
	"context"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

func masksOf(predicates string, allowed ...string) Source {
	return Source{
		Rules: []Rule{allow("all", When{}, allowed...)},
		Masks: []MaskRule{{Name: "ssn", Columns: []string{"public.customers.ssn"}, Predicates: predicates, ExceptGroups: []string{"privacy"}}},
	}
}

func known(cols ...sql.Column) []sql.Output {
	out := []sql.Output{}
	for _, c := range cols {
		out = append(out, sql.Output{Name: c.Name, Origins: []sql.Column{c}, Direct: true})
	}
	return out
}

func TestMaskInvariants(t *testing.T) {
	a := sqlAction("select", objs(table("customers", "id", "ssn")), nil)
	ssn, id := col("ssn"), col("id")
	e, free := engineOf(t, masksOf("")), engineOf(t, masksOf("allow"))
	open := engineOf(t, masksOf("", "unresolved", "statistics", "function_call", "rename"))
	st := func(change func(*sql.Statement)) *sql.Statement {
		s := &sql.Statement{Action: a, Returns: true, Outputs: known(id, ssn)}
		change(s)
		return s
	}
	probe := st(func(s *sql.Statement) { s.Probes = []sql.Column{id, ssn} })
	nilOut := st(func(s *sql.Statement) { s.Outputs = nil })
	unknown := st(func(s *sql.Statement) { s.Outputs = append(known(id), sql.Output{Name: "x", Unknown: true}) })
	flow := func(to sql.Column) *sql.Statement {
		return st(func(s *sql.Statement) { s.Flows = []sql.Flow{{To: to, From: []sql.Column{id, ssn}}}; s.Returns = false })
	}
	self := st(func(s *sql.Statement) { s.Flows = []sql.Flow{{To: ssn, From: []sql.Column{ssn}}} })
	stats := sqlAction("select", nil, nil, "statistics")
	rename := func(table string) action.Action {
		return sqlAction("alter", nil, objs(action.Object{Schema: "public", Name: table}), "ddl", "rename")
	}
	for _, c := range []struct {
		name string
		e    *Engine
		j    judgement
	}{
		{"returns a masked column", e, judgement{"", nil, a, st(func(*sql.Statement) {}), Allow, "all"}},
		{"probe", e, judgement{"", nil, a, probe, Block, RulePredicate}},
		{"probe, excepted", e, judgement{"", []string{"privacy"}, a, probe, Allow, "all"}},
		{"probe allowed", free, judgement{"", nil, a, probe, Allow, "all"}},
		{"unknown number", e, judgement{"", nil, a, nilOut, Block, RuleUnresolved}},
		{"unknown origin", e, judgement{"", nil, a, unknown, Block, RuleUnresolved}},
		{"unknown origin, allowed", open, judgement{"", nil, a, unknown, Allow, "all"}},
		{"unknown, nothing masked", e, judgement{"", []string{"privacy"}, a, nilOut, Allow, "all"}},
		{"no columns at all", e, judgement{"", nil, a, st(func(s *sql.Statement) { s.Outputs = []sql.Output{} }), Allow, "all"}},
		{"write to another column", e, judgement{"", nil, a, flow(col("notes")), Block, RuleWrite}},
		{"write to a whole table", e, judgement{"", nil, a, flow(sql.Column{Schema: "public", Table: "copy"}), Block, RuleWrite}},
		{"write to itself with others", e, judgement{"", nil, a, flow(ssn), Allow, "all"}},
		{"write to itself", e, judgement{"", nil, a, self, Allow, "all"}},
		{"write where predicates are allowed", free, judgement{"", nil, a, flow(col("notes")), Block, RuleWrite}},
		{"statistics", e, judgement{"", nil, stats, nil, Block, RuleSideChannel}},
		{"statistics, allowed", open, judgement{"", nil, stats, nil, Allow, "all"}},
		{"statistics, nothing masked", e, judgement{"", []string{"privacy"}, stats, nil, Allow, "all"}},
		{"session texts", e, judgement{"", nil, sqlAction("select", nil, nil, "session_texts"), nil, Block, RuleSideChannel}},
		{"large object", e, judgement{"", nil, sqlAction("select", nil, nil, "large_object"), nil, Block, RuleSideChannel}},
		{"rename", e, judgement{"", nil, rename("customers"), nil, Block, RuleRename}},
		{"rename, allowed", open, judgement{"", nil, rename("customers"), nil, Allow, "all"}},
		{"rename of a whole schema", e, judgement{"", nil, rename(""), nil, Block, RuleRename}},
		{"rename of what has no masks", e, judgement{"", nil, rename("orders"), nil, Allow, "all"}},
		{"rename, nothing masked", e, judgement{"", []string{"privacy"}, rename("customers"), nil, Allow, "all"}},
		{"execute of nobody knows what", e, judgement{"", nil, sqlAction("execute", nil, nil),
			&sql.Statement{Returns: true, Effects: sql.EffectExecute}, Block, RuleUnresolved}},
		{"execute of a probe", e, judgement{"", nil, sqlAction("execute", nil, nil),
			&sql.Statement{Returns: true, Effects: sql.EffectExecute, Inner: probe}, Block, RulePredicate}},
		{"execute of a fine one", e, judgement{"", nil, sqlAction("execute", nil, nil),
			&sql.Statement{Returns: true, Effects: sql.EffectExecute, Inner: st(func(*sql.Statement) {})}, Allow, "all"}},
	} {
		c.j.name = c.name
		c.j.run(t, c.e)
	}
	d := e.Judge(context.Background(), &Input{Identity: who("a"), Target: shop, Action: a}, probe)
	if !strings.Contains(d.Reason, "public.customers.ssn") || !strings.Contains(d.Hint, "ssn") || len(d.Mask) != 1 {
		t.Errorf("predicate: %+v", d)
	}
	if d := e.Judge(context.Background(), &Input{Identity: who("a"), Target: shop, Action: a}, nil); d.Rule != RuleUnresolved {
		t.Errorf("SQL without a statement: %+v", d)
	}
	call := action.Action{Kind: action.KindFunction, Verbs: []string{"call"}, Features: map[string]any{"function_call": true}}
	if d := e.Judge(context.Background(), &Input{Identity: who("a"), Target: shop, Action: call}, nil); d.Verdict != Block {
		t.Errorf("function call: %+v", d)
	}
	if d := open.Judge(context.Background(), &Input{Identity: who("a"), Target: shop, Action: call}, nil); d.Verdict != Allow {
		t.Errorf("function call, allowed: %+v", d)
	}
}

// What runs another statement is as good as both.
func TestInnerStatements(t *testing.T) {
	e := engineOf(t, Source{Dir: "testdata/demo"})
	inner := func(a action.Action) *sql.Statement {
		return &sql.Statement{Action: sqlAction("prepare", nil, nil), Effects: sql.EffectPrepare, Inner: &sql.Statement{Action: a}}
	}
	prepare := sqlAction("prepare", nil, nil)
	dba := []string{"dba"}
	judgement{"prepare a read", dba, prepare, inner(sqlAction("select", objs(table("orders", "id")), nil)), Allow, "analysts-read"}.run(t, e)
	judgement{"prepare a change", dba, prepare, inner(sqlAction("delete", nil, objs(table("orders")), "where")), Hold, "dba-change"}.run(t, e)
	judgement{"prepare a drop", dba, prepare, inner(sqlAction("drop", nil, objs(table("orders")), "ddl")), Block, "no-ddl"}.run(t, e)
	deep := inner(prepare)
	for range 6 {
		deep = &sql.Statement{Action: prepare, Inner: deep}
	}
	judgement{"too deep", dba, prepare, deep, Block, RulePolicyError}.run(t, e)
}

func TestMaskOrderAndSharing(t *testing.T) {
	s := masksOf("")
	s.Masks = append(s.Masks, MaskRule{Name: "a-first-by-name", Columns: []string{"*.*.email"}, Way: "partial"},
		MaskRule{Name: "elsewhere", Columns: []string{"*.*.*"}, Targets: []string{"other"}},
		MaskRule{Name: "for-bots", Detectors: []string{"card"}, Subjects: []string{"agent:*"}})
	e := engineOf(t, s)
	judge := func(subject, verb string) Decision {
		return e.Judge(context.Background(), &Input{Identity: who(subject), Target: shop, Action: sqlAction(verb, nil, nil)}, &sql.Statement{})
	}
	a, b := judge("agent:x", "select"), judge("agent:x", "insert")
	if len(a.Mask) != 3 || a.Mask[0].Name != "ssn" || a.Mask[1].Name != "a-first-by-name" || a.Mask[2].Name != "for-bots" {
		t.Fatalf("masks: %+v", a.Mask)
	}
	if &a.Mask[0] != &b.Mask[0] {
		t.Error("equal masks are not shared")
	}
	if c := judge("user:x", "select"); len(c.Mask) != 2 {
		t.Errorf("masks of a human: %+v", c.Mask)
	}
}
