package pgsql

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// facts gathers what is found in one statement.
type facts struct {
	ids       map[sql.Column]int32
	columns   []sql.Column
	bases     map[baseKey]lineage
	reads     map[qname]*object
	writes    map[qname]*object
	functions map[qname]*action.Function
	called    []*Function
	features  map[string]any
	verbs     map[string]bool
	probes    set
	lost      bool // a probe's columns are not known
	flows     []flow
	carried   lineage // what volatile functions were given: others may read it back
	effects   sql.Effect
	work      int
	// literal: the facts depend on the value of a literal.
	literal bool
}

type baseKey struct {
	rel *Relation
	col int
}

type object struct {
	qname
	resolved bool
	columns  map[string]bool
}

type flow struct {
	to   sql.Column
	from lineage
}

func newFacts() *facts {
	return &facts{
		ids: map[sql.Column]int32{}, bases: map[baseKey]lineage{}, reads: map[qname]*object{}, writes: map[qname]*object{},
		functions: map[qname]*action.Function{}, features: map[string]any{}, verbs: map[string]bool{},
	}
}

// spend counts work; once exhausted, nothing more is looked at and Analyze fails.
func (f *facts) spend(n int)     { f.work += n }
func (f *facts) exhausted() bool { return f.work > maxWork }

func (f *facts) verb(v string)           { f.verbs[v] = true }
func (f *facts) feature(name string)     { f.features[name] = true }
func (f *facts) effect(e sql.Effect)     { f.effects |= e }
func (f *facts) unresolved()             { f.feature(action.FeatureUnresolved) }
func (f *facts) mark(name string, v any) { f.features[name] = v }

// probe records that a value decides about rows.
func (f *facts) probe(l lineage) {
	f.spend(len(l.set) / 16)
	f.probes = unite(f.probes, l.set)
	f.lost = f.lost || l.unknown
}

// flow records that a value is written.
func (f *facts) flow(to sql.Column, from lineage) {
	if len(from.set) > 0 || from.unknown {
		f.flows = append(f.flows, flow{to, from})
	}
}

func touch(m map[qname]*object, name qname, resolved bool) *object {
	o := m[name]
	if o == nil {
		o = &object{qname: name, resolved: resolved, columns: map[string]bool{}}
		m[name] = o
	}
	return o
}

func (f *facts) objects(m map[qname]*object) []action.Object {
	out := make([]action.Object, 0, len(m))
	for _, o := range m {
		cols := make([]string, 0, len(o.columns))
		for c := range o.columns {
			cols = append(cols, c)
		}
		slices.Sort(cols)
		out = append(out, action.Object{Schema: o.schema, Name: o.name, Columns: cols, Resolved: o.resolved})
	}
	slices.SortFunc(out, func(a, b action.Object) int {
		if n := strings.Compare(a.Schema, b.Schema); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// everything is every column of every object read, for what is not known better.
func (f *facts) everything() set {
	var out set
	for _, o := range f.reads {
		for c := range o.columns {
			out = unite(out, set{f.id(sql.Column{Schema: o.schema, Table: o.name, Name: c})})
		}
	}
	for _, l := range f.bases {
		out = unite(out, l.set)
	}
	return out
}

// finish writes the facts into the statement.
func (f *facts) finish(st *sql.Statement, out *rowset) {
	act := &st.Action
	act.Kind = action.KindSQL
	for v := range f.verbs {
		act.Verbs = append(act.Verbs, v)
	}
	slices.Sort(act.Verbs)
	act.Reads, act.Writes = f.objects(f.reads), f.objects(f.writes)
	act.Functions = make([]action.Function, 0, len(f.functions))
	for _, fn := range f.functions {
		act.Functions = append(act.Functions, *fn)
	}
	slices.SortFunc(act.Functions, func(a, b action.Function) int {
		if n := strings.Compare(a.Schema, b.Schema); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	if f.lost {
		f.probes = unite(f.probes, f.everything())
	}
	st.Probes = f.named(f.probes)
	for _, w := range f.flows {
		if w.from.unknown {
			w.from.set = unite(w.from.set, f.everything())
		}
		if len(w.from.set) > 0 {
			st.Flows = append(st.Flows, sql.Flow{To: w.to, From: f.named(w.from.set)})
		}
	}
	if out != nil && !out.open {
		st.Outputs = make([]sql.Output, len(out.columns))
		for i := range out.columns {
			l := out.columns[i].lineage
			if len(f.carried.set) > 0 || f.carried.unknown {
				l = f.join(l, f.carried)
			}
			st.Outputs[i] = sql.Output{Name: out.columns[i].name, Origins: f.named(l.set), Direct: l.direct && len(l.set) > 0 && !l.unknown, Unknown: l.unknown}
		}
	}
	act.Features = f.features
	act.Params = []action.Param{}
	st.Effects = f.effects
}
