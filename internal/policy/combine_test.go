package policy

import (
	"context"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
)

func sqlAction(verbs string, reads, writes []action.Object, features ...string) action.Action {
	a := action.Action{Kind: action.KindSQL, Reads: reads, Writes: writes, Features: map[string]any{}}
	if verbs != "" {
		a.Verbs = strings.Split(verbs, " ")
	}
	for _, f := range features {
		name, value, ok := strings.Cut(f, "=")
		if a.Features[name] = any(value); !ok {
			a.Features[name] = true
		}
	}
	return a
}

func objs(o ...action.Object) []action.Object { return o }

func fn(a action.Action, f ...action.Function) action.Action { a.Functions = f; return a }

func allow(name string, w When, features ...string) Rule {
	return Rule{Name: name, Verdict: "allow", When: w, FeaturesAllowed: features}
}

func heldBy(name string, w When, approvers ...string) Rule {
	return Rule{Name: name, Verdict: "hold", When: w, Approvers: approvers}
}

func block(name string, w When) Rule { return Rule{Name: name, Verdict: "block", When: w} }

// A rule speaks for what it names only; a whole action needs all of it covered.
func TestCoverage(t *testing.T) {
	e := engineOf(t, Source{Rules: []Rule{
		allow("read-customers", When{Verbs: []string{"select"}, Tables: []string{"public.customers"}}),
		allow("update-orders", When{Verbs: []string{"update"}, Tables: []string{"public.orders"}}),
		allow("insert-log", When{Verbs: []string{"insert"}, Tables: []string{"public.log"}}),
		allow("read-names", When{Verbs: []string{"select"}, Columns: []string{"public.staff.name", "public.staff.id"}}),
		allow("call-fine", When{Verbs: []string{"select"}, Tables: []string{"public.customers"}, Functions: []string{"public.fine", "pg_catalog.*"}}, "opaque"),
		allow("scratch", When{Tables: []string{"scratch.*"}}, "unresolved", "dynamic"),
		block("no-secret", When{Tables: []string{"*.secret*"}}),
		block("no-salary", When{Columns: []string{"staff.salary"}}),
		block("no-sleep", When{Functions: []string{"pg_catalog.pg_sleep"}}),
	}})
	cust, orders, log := table("customers", "id"), table("orders", "id"), table("log")
	opaque := func(name string) action.Function { return action.Function{Schema: "public", Name: name, Opaque: true} }
	for _, j := range []judgement{
		{"read", nil, sqlAction("select", objs(cust), nil), nil, Allow, "read-customers"},
		{"no union of verb and table", nil, sqlAction("update", nil, objs(cust), "where"), nil, Block, "default"},
		{"update reads its own table", nil, sqlAction("update", objs(orders), objs(orders), "where"), nil, Allow, "update-orders"},
		{"update reads another, covered", nil, sqlAction("update", objs(orders, cust), objs(orders), "where"), nil, Allow, "update-orders"},
		{"select that writes", nil, sqlAction("select", nil, objs(cust)), nil, Block, "default"},
		{"insert that returns", nil, sqlAction("insert", objs(log), objs(log)), nil, Block, "default"},
		{"another kind, no union of verb and object", nil, action.Action{Kind: "kube", Verbs: []string{"update"}, Writes: objs(cust)}, nil, Block, "default"},
		{"another kind", nil, action.Action{Kind: "kube", Verbs: []string{"update"}, Writes: objs(orders)}, nil, Allow, "update-orders"},
		{"blocked table of unknown schema", nil, sqlAction("select", objs(action.Object{Name: "secrets"}), nil), nil, Block, "no-secret"},
		{"blocked function of unknown schema", nil, fn(sqlAction("select", objs(cust), nil), action.Function{Name: "pg_sleep"}), nil, Block, "no-sleep"},
		{"select of what may be updated only", nil, sqlAction("select", objs(orders), nil), nil, Block, "default"},
		{"union over tables", nil, sqlAction("insert select", objs(cust), objs(log)), nil, Allow, "insert-log"},
		{"one of two tables", nil, sqlAction("select", objs(cust, orders), nil), nil, Block, "default"},
		{"two writes, not each covered", nil, sqlAction("insert update", nil, objs(log, orders)), nil, Block, "default"},
		{"columns covered", nil, sqlAction("select", objs(table("staff", "id", "name")), nil), nil, Allow, "read-names"},
		{"a column not covered", nil, sqlAction("select", objs(table("staff", "id", "phone")), nil), nil, Block, "default"},
		{"whole object where columns are named", nil, sqlAction("select", objs(action.Object{Schema: "hr", Name: "staff"}), nil), nil, Block, "no-salary"},
		{"blocked column", nil, sqlAction("select", objs(table("staff", "salary")), nil), nil, Block, "no-salary"},
		{"whole object has the blocked column", nil, sqlAction("select", objs(table("staff")), nil), nil, Block, "no-salary"},
		{"blocked table", nil, sqlAction("select", objs(cust, table("secrets", "x")), nil), nil, Block, "no-secret"},
		{"blocked function", nil, fn(sqlAction("select", objs(cust), nil), action.Function{Schema: "pg_catalog", Name: "pg_sleep"}), nil, Block, "no-sleep"},
		{"verb without objects, scoped rule", nil, sqlAction("insert", nil, nil), nil, Block, "default"},
		{"create extension under a scoped rule", nil, sqlAction("create", nil, nil), nil, Block, "default"},
		{"nothing named", nil, sqlAction("", nil, nil), nil, Block, "default"},
		{"opaque, covered", nil, fn(sqlAction("select", objs(cust), nil, "opaque"), opaque("fine")), nil, Allow, "read-customers"},
		{"opaque, another", nil, fn(sqlAction("select", objs(cust), nil, "opaque"), opaque("fine"), opaque("evil")), nil, Block, "default"},
		{"opaque without the feature", nil, fn(sqlAction("select", objs(cust), nil), opaque("evil")), nil, Block, "default"},
		{"a feature of another table's rule", nil, sqlAction("select", objs(cust), nil, "unresolved"), nil, Block, "default"},
		{"a feature of its own rule", nil, sqlAction("select", objs(action.Object{Schema: "scratch", Name: "x"}), nil, "unresolved"), nil, Allow, "scratch"},
	} {
		j.run(t, e)
	}
}

func TestDangerousFeaturesBlock(t *testing.T) {
	all := engineOf(t, Source{Rules: []Rule{allow("all", When{})}})
	for _, f := range []string{"unparsed", "unresolved", "dynamic", "opaque", "program", "server_file", "function_call",
		"replication", "role", "unknown_statement", "credentials", "admin"} {
		judgement{f, nil, sqlAction("select", nil, nil, f), nil, Block, "default"}.run(t, all)
		named := engineOf(t, Source{Rules: []Rule{allow("all", When{}, f)}})
		judgement{f + " named", nil, sqlAction("select", nil, nil, f), nil, Allow, "all"}.run(t, named)
	}
	judgement{"multi", nil, sqlAction("select", nil, nil, "multi", "limit", "locking", "where"), nil, Allow, "all"}.run(t, all)
}

func TestHolds(t *testing.T) {
	e := engineOf(t, Source{Rules: []Rule{
		allow("all", When{}),
		{Name: "first", Verdict: "hold", When: When{Verbs: []string{"delete"}}, Approvers: []string{"dba", "owners"}, Timeout: time.Hour},
		{Name: "second", Verdict: "hold", When: When{Tables: []string{"public.orders"}}, Approvers: []string{"owners"}, Quorum: 2, Timeout: time.Minute},
		heldBy("third", When{Tables: []string{"public.vault"}}, "security"),
		block("never", When{Tables: []string{"public.never"}}),
	}})
	judgement{"two holds", nil, sqlAction("delete", nil, objs(table("orders"))), nil, Hold, "first"}.run(t, e)
	judgement{"nobody may approve both", nil, sqlAction("delete", nil, objs(table("vault"))), nil, Block, RuleConflict}.run(t, e)
	judgement{"block beats hold", nil, sqlAction("delete", nil, objs(table("never"))), nil, Block, "never"}.run(t, e)
	a := sqlAction("delete", nil, objs(table("orders")))
	d := e.Judge(context.Background(), &Input{Identity: who("a"), Target: shop, Action: a}, nil)
	if len(d.Approvers) != 1 || d.Approvers[0] != "owners" || d.Quorum != 2 || d.Timeout != time.Minute {
		t.Errorf("merged hold: %+v", d)
	}
}

func TestWho(t *testing.T) {
	e := engineOf(t, Source{Rules: []Rule{
		allow("group", When{Groups: []string{"g"}, Verbs: []string{"v-group"}}),
		allow("subject", When{Subjects: []string{"user:*@example.com"}, Verbs: []string{"v-subject"}}),
		allow("other", When{Subjects: []string{"user:bob*"}, Verbs: []string{"v-other"}}),
		allow("agents", When{AgentsOnly: true, Verbs: []string{"v-agents"}}),
		allow("issuer", When{Issuers: []string{"https://idp"}, Verbs: []string{"v-issuer"}}),
		allow("target", When{Targets: []string{"sh?p", "x*"}, Verbs: []string{"v-target"}}),
		allow("wrong-target", When{Targets: []string{"s"}, Verbs: []string{"v-wrong"}}),
		allow("label", When{Labels: map[string]string{"env": "demo"}, Verbs: []string{"v-label"}}),
		allow("wrong-label", When{Labels: map[string]string{"env": "prod"}, Verbs: []string{"v-prod"}}),
		allow("kind", When{Kinds: []string{"exec"}, Verbs: []string{"v-kind"}}),
		allow("feature", When{Features: map[string]any{"copy": "out", "n": 3}, Verbs: []string{"v-feature"}}),
		allow("literal", When{Targets: []string{"[shop]", "{shop,x}", `\shop`}, Verbs: []string{"v-literal"}}),
	}})
	for verb, want := range map[string]Verdict{
		"v-group": Allow, "v-subject": Allow, "v-other": Block, "v-agents": Allow, "v-issuer": Block, "v-target": Allow,
		"v-wrong": Block, "v-label": Allow, "v-prod": Block, "v-kind": Block, "v-feature": Block, "v-literal": Block,
	} {
		d := e.Judge(context.Background(), &Input{Identity: who("agent:bot", "g"), Target: shop, Action: sqlAction(verb, nil, nil)}, nil)
		if d.Verdict != want {
			t.Errorf("%s: %s (%s)", verb, d.Verdict, d.Reason)
		}
	}
	a := sqlAction("v-feature", nil, nil, "copy=out")
	a.Features["n"] = 3
	if d := e.Judge(context.Background(), &Input{Identity: who("a"), Target: shop, Action: a}, nil); d.Verdict != Allow {
		t.Errorf("feature values: %+v", d)
	}
	alone := who("x")
	alone.Actors, alone.Subject, alone.OnBehalfOf = []string{"user:dana"}, "user:dana", ""
	if d := e.Judge(context.Background(), &Input{Identity: alone, Target: shop, Action: sqlAction("v-agents", nil, nil)}, nil); d.Verdict != Block {
		t.Errorf("a human under agents_only: %+v", d)
	}
}

func TestConnect(t *testing.T) {
	rules := []Rule{
		allow("read", When{Groups: []string{"analysts"}, Targets: []string{"shop"}, Verbs: []string{"select"}}),
		block("no-ddl", When{Groups: []string{"visitors"}, Features: map[string]any{"ddl": true}}),
		block("banned", When{Groups: []string{"banned"}}),
		heldBy("jit", When{Groups: []string{"oncall"}, Verbs: []string{"connect"}}, "leads"),
	}
	e, off := engineOf(t, Source{Rules: rules}), engineOf(t, Source{Rules: rules, Off: []string{BuiltinConnect, BuiltinSession}})
	connect := action.Action{Kind: action.KindConnect, Verbs: []string{"connect"}}
	for _, j := range []judgement{
		{"analyst", []string{"analysts"}, connect, nil, Allow, "connect"},
		{"no verbs", []string{"analysts"}, action.Action{Kind: action.KindConnect}, nil, Allow, "connect"},
		{"only blocked", []string{"visitors"}, connect, nil, Block, "default"},
		{"nobody", nil, connect, nil, Block, "default"},
		{"banned", []string{"analysts", "banned"}, connect, nil, Block, "banned"},
		{"held", []string{"oncall"}, connect, nil, Hold, "jit"},
	} {
		j.run(t, e)
	}
	judgement{"off", []string{"analysts"}, connect, nil, Block, "default"}.run(t, off)
	judgement{"session off", []string{"analysts"}, sqlAction("begin", nil, nil), nil, Block, "default"}.run(t, off)
}

func TestSessionGroup(t *testing.T) {
	e := engineOf(t, Source{Rules: []Rule{allow("read", When{Verbs: []string{"select"}, Tables: []string{"public.t"}})}})
	for verb, ok := range map[string]bool{
		"begin": true, "commit": true, "rollback": true, "savepoint": true, "release": true, "show": true, "discard": true,
		"deallocate": true, "close": true, "fetch": true, "execute": true, "prepare": true,
		"lock": false, "listen": false, "vacuum": false, "do": false, "call": false, "grant": false, "set": false, "checkpoint": false,
	} {
		want, rule := Block, "default"
		if ok {
			want, rule = Allow, "session"
		}
		judgement{verb, nil, sqlAction(verb, nil, nil), nil, want, rule}.run(t, e)
	}
	for setting, want := range map[string]Verdict{
		"application_name": Allow, "DateStyle": Allow, "TimeZone": Allow, "statement_timeout": Allow, "extra_float_digits": Allow,
		"standard_conforming_strings": Block, "session_authorization": Block, "role": Block, "row_security": Block, "restrict_nonsystem_relation_kind": Allow, "synchronize_seqscans": Allow, "session_replication_role": Block, "log_statement": Block, "": Block,
		"jit": Allow, "all": Block, "timezone,datestyle": Allow, "timezone,role": Block, ",": Block,
	} {
		rule := map[Verdict]string{Allow: "session", Block: "default"}[want]
		judgement{"set " + setting, nil, sqlAction("set", nil, nil, "setting="+setting), nil, want, rule}.run(t, e)
	}
	judgement{"set role", nil, sqlAction("set", nil, nil, "setting=application_name", "role"), nil, Block, "default"}.run(t, e)
	judgement{"reset all", nil, sqlAction("reset", nil, nil, "setting=all"), nil, Allow, "session"}.run(t, e)
	judgement{"reset role", nil, sqlAction("reset", nil, nil, "setting=role", "role"), nil, Block, "default"}.run(t, e)
	judgement{"declare reads", nil, sqlAction("declare", objs(table("t", "a")), nil), nil, Allow, "read"}.run(t, e)
	judgement{"declare reads another", nil, sqlAction("declare", objs(table("u", "a")), nil), nil, Block, "default"}.run(t, e)
	judgement{"select into", nil, sqlAction("select", objs(table("t", "a")), objs(table("u"))), nil, Block, "default"}.run(t, e)
}
