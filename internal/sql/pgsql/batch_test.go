package pgsql

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/sql"
)

func TestBatch(t *testing.T) {
	// What the last statement of each text must show, as render writes it.
	for _, c := range []struct{ text, want, not string }{
		{"create table copy as select ssn s from customers; select s from copy", `"s"=copy.s,customers.ssn!`, "unresolved"},
		{"create temp table t as select id, ssn from customers; select * from t", "customers.ssn!", "unresolved"},
		{"create temp table customers(id int); select * from customers", "pg_temp.customers(id)", "public.customers"},
		{"create view v as select upper(ssn) u from customers; select u from v", `"u"=customers.ssn,v.u`, "unresolved"},
		{"create table n(a int, b text); insert into n(a, b) select id, ssn from customers", "public.n.b<-customers.ssn", "unresolved"},
		{"create table n(like customers); select * from n", "unresolved", "no such"},
		{"drop table customers; select * from customers", "unresolved", "customers.ssn"},
		{"alter table customers rename column ssn to s; select s from customers", "unresolved", "no such"},
		{"alter table orders rename to customers2; select * from customers2", "unresolved", "no such"},
		{"begin; create table n(a int); rollback; select * from n", "unresolved", "no such"},
		{"set search_path = app; select * from users", "unresolved", "no such"},
		{"set search_path = app; select secret from app.users", "app.users.secret!", "unresolved"},
		{"do 'x'; select * from customers", "unresolved", "no such"},
		{"select spy(1); select * from customers", "unresolved", "no such"},
		{"create function f() returns int language sql as 'select 1'; select f()", "unresolved", "no such"},
		{"select 1; select ssn from customers", "multi", "unresolved"},
		{"begin; select ssn from customers; commit; select id from customers", `"id"=customers.id!`, "unresolved"},
		{"set statement_timeout = 0; select id from customers", `"id"=customers.id!`, "unresolved"},
		{"execute p; select id from customers", "unresolved", "no such"},
	} {
		got, err := Analyze(c.text, oldest())
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		var b strings.Builder
		render(&b, "", got[len(got)-1])
		if !strings.Contains(b.String(), c.want) || strings.Contains(b.String(), c.not) {
			t.Errorf("%s\n%swant %q, not %q", c.text, b.String(), c.want, c.not)
		}
		for _, st := range got {
			if !st.Action.Has("multi") || st.ShapeKey != "" || st.Action.Text != c.text[st.Start:st.End] {
				t.Errorf("%s: %+v", c.text, st)
			}
		}
	}
}

func TestSpans(t *testing.T) {
	text := "  select 1 ;\n select 'é;' -- x;\n ;; /* a */ select 3\t"
	got, err := Analyze(text, oldest())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"select 1", "select 'é;' -- x;", "/* a */ select 3"}
	for i, st := range got {
		if text[st.Start:st.End] != want[i] {
			t.Errorf("%d: %q", i, text[st.Start:st.End])
		}
	}
	if len(got) != len(want) {
		t.Error(len(got))
	}
}

func TestEffects(t *testing.T) {
	for text, want := range map[string]sql.Effect{
		"set standard_conforming_strings = off":     sql.EffectNames,
		"set names 'latin1'":                        sql.EffectNames,
		"select set_config('search_path','x',true)": sql.EffectNames,
		"set work_mem = 1":                          0,
		"commit and chain":                          sql.EffectEnd | sql.EffectBegin,
		"create temp table x(a int)":                sql.EffectCatalog | sql.EffectNames,
		"drop schema app":                           sql.EffectCatalog | sql.EffectNames,
	} {
		got, err := Analyze(text, oldest())
		if err != nil || got[0].Effects != want {
			t.Errorf("%s: %v, want %v (%v)", text, effects(got[0].Effects), effects(want), err)
		}
	}
}
