package policy

import (
	"context"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/sql"
)

var shop = Target{Name: "shop", Protocol: "postgres", Labels: map[string]string{"env": "demo"}}

func who(subject string, groups ...string) identity.Identity {
	id := identity.New("user:alice@example.com", subject)
	id.Groups = groups
	return id
}

func engineOf(t testing.TB, s Source) *Engine {
	t.Helper()
	b, err := s.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	e, err := Compile(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func table(name string, cols ...string) action.Object {
	return action.Object{Schema: "public", Name: name, Columns: cols, Resolved: true}
}

func col(name string) sql.Column { return sql.Column{Schema: "public", Table: "customers", Name: name} }

type judgement struct {
	name    string
	groups  []string
	action  action.Action
	st      *sql.Statement
	verdict Verdict
	rule    string
}

func (j judgement) run(t *testing.T, e *Engine) {
	t.Helper()
	if j.action.Kind == "" {
		j.action.Kind = action.KindSQL
	}
	st := j.st
	if st == nil {
		st = &sql.Statement{Action: j.action}
	}
	for range 2 { // the second from the cache
		d := e.Judge(context.Background(), &Input{Identity: who("agent:bot", j.groups...), Target: shop, Action: j.action}, st)
		if d.Verdict != j.verdict || d.Rule != j.rule {
			t.Fatalf("%s: got %s by %q (%s), want %s by %q", j.name, d.Verdict, d.Rule, d.Reason, j.verdict, j.rule)
		}
		if d.Verdict == Block && d.Reason == "" {
			t.Errorf("%s: blocked without a reason", j.name)
		}
		if d.Revision != e.Revision() {
			t.Errorf("%s: revision %q", j.name, d.Revision)
		}
	}
}

func TestDemo(t *testing.T) {
	e := engineOf(t, Source{Dir: "testdata/demo"})
	analysts, dba := []string{"analysts"}, []string{"dba"}
	where := map[string]any{"where": true}
	for _, j := range []judgement{
		{"select", analysts, action.Action{Verbs: []string{"select"}, Reads: []action.Object{table("customers", "id", "email")}}, nil, Allow, "analysts-read"},
		{"select 1", analysts, action.Action{Verbs: []string{"select"}}, nil, Allow, "analysts-read"},
		{"other schema", analysts, action.Action{Verbs: []string{"select"}, Reads: []action.Object{{Schema: "hr", Name: "pay"}}}, nil, Block, "default"},
		{"insert", analysts, action.Action{Verbs: []string{"insert"}, Writes: []action.Object{table("orders")}}, nil, Block, "default"},
		{"copy in", analysts, action.Action{Verbs: []string{"copy"}, Writes: []action.Object{table("orders")}, Features: map[string]any{"copy": "in"}}, nil, Block, "default"},
		{"copy out", analysts, action.Action{Verbs: []string{"copy"}, Reads: []action.Object{table("orders")}, Features: map[string]any{"copy": "out"}}, nil, Allow, "analysts-export"},
		{"update held", dba, action.Action{Verbs: []string{"update"}, Writes: []action.Object{table("orders")}, Features: where}, nil, Hold, "dba-change"},
		{"delete no where", dba, action.Action{Verbs: []string{"delete"}, Writes: []action.Object{table("orders")}}, nil, Block, "no-where"},
		{"drop", dba, action.Action{Verbs: []string{"drop"}, Writes: []action.Object{table("orders")}, Features: map[string]any{"ddl": true}}, nil, Block, "no-ddl"},
		{"program", dba, action.Action{Verbs: []string{"copy"}, Reads: []action.Object{table("orders")}, Features: map[string]any{"copy": "out", "program": true}}, nil, Block, "no-program"},
		{"file", dba, action.Action{Verbs: []string{"copy"}, Reads: []action.Object{table("orders")}, Features: map[string]any{"copy": "out", "server_file": true}}, nil, Block, "no-server-files"},
		{"begin", analysts, action.Action{Verbs: []string{"begin"}, Features: map[string]any{"transaction": true}}, nil, Allow, "session"},
		{"set", analysts, action.Action{Verbs: []string{"set"}, Features: map[string]any{"setting": "application_name"}}, nil, Allow, "session"},
		{"set other", analysts, action.Action{Verbs: []string{"set"}, Features: map[string]any{"setting": "session_preload_libraries"}}, nil, Block, "default"},
	} {
		j.run(t, e)
	}
}
