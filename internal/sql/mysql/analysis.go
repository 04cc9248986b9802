package mysql

import (
	"cmp"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// Env is what names in a text mean.
type Env struct {
	Catalog  *Catalog
	Database string // that USE chose; "" is none
	Mode     Mode
}

// value is what is known of an expression's value.
type value struct {
	from    []sql.Column
	direct  bool // one column, unchanged
	unknown bool // of any column
}

// maxOrigins bounds the columns of one value; one of more is of any column.
const maxOrigins = 1000

func (v *value) add(o value) {
	for _, c := range o.from {
		if len(v.from) > maxOrigins {
			v.unknown = true
			break
		}
		if !slices.Contains(v.from, c) {
			v.from = append(v.from, c)
		}
	}
	v.unknown = v.unknown || o.unknown
}

// list are the columns, sorted.
func (v *value) list() []sql.Column { return sorted(slices.Clone(v.from)) }

func sorted(list []sql.Column) []sql.Column {
	slices.SortFunc(list, func(a, b sql.Column) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Table, b.Table), strings.Compare(a.Name, b.Name))
	})
	return slices.Compact(list)
}

// computed is the value of an expression that changes what it is given.
func computed(list ...value) value {
	var v value
	for _, o := range list {
		v.add(o)
	}
	return v
}

// field is a column of a result or of something that is read.
type field struct {
	name string
	value
}

// object is a table that a statement touches.
type object struct {
	db, name string
	resolved bool
}

// analysis gathers what one statement does.
type analysis struct {
	env        Env
	verbs      map[string]bool
	reads      map[object]map[string]bool
	writes     map[object]map[string]bool
	functions  map[action.Function]bool
	features   map[string]any
	probes     []sql.Column
	probed     map[sql.Column]bool
	flows      []sql.Flow
	effects    sql.Effect
	named      []sql.Column // every column that is named
	unresolved bool
	failed     bool // something that is not understood: the statement is unparsed
	depth      int
	steps      int
	inserted   value // what VALUES(column) can be
	visitView  func(*Table)
}

func newAnalysis(env Env) *analysis {
	return &analysis{env: env, verbs: map[string]bool{}, reads: map[object]map[string]bool{}, writes: map[object]map[string]bool{},
		functions: map[action.Function]bool{}, features: map[string]any{}, probed: map[sql.Column]bool{}}
}

// probe notes that something else than the value itself can tell about it.
func (a *analysis) probe(list ...value) {
	for _, v := range list {
		for _, c := range v.from {
			if !a.probed[c] {
				a.probed[c] = true
				a.probes = append(a.probes, c)
			}
		}
		// Nobody knows what is probed.
		a.unresolved = a.unresolved || v.unknown
	}
}

func (a *analysis) flow(to sql.Column, v value) {
	if len(v.from) > 0 {
		a.flows = append(a.flows, sql.Flow{To: to, From: v.list()})
	}
	a.unresolved = a.unresolved || v.unknown
}

func touch(m map[object]map[string]bool, o object, column string) {
	if m[o] == nil {
		m[o] = map[string]bool{}
	}
	if column != "" {
		m[o][column] = true
	}
}

func (t *Table) object() object { return object{t.DB, t.Name, true} }

// read notes that a column of a table is read and gives its value.
func (a *analysis) read(t *Table, i int) value {
	c := &t.Columns[i]
	touch(a.reads, t.object(), c.Name)
	from, direct, known := a.env.Catalog.Origins(sql.Column{Schema: t.DB, Table: t.Name, Name: c.Name})
	a.named = append(a.named, from...)
	return value{from: from, direct: direct, unknown: !known}
}

// table finds a table that is named, and notes what naming it means.
func (a *analysis) table(db, name string) (*Table, object) {
	if db == "" {
		db = a.env.Database
	}
	t, ok := a.env.Catalog.Table(db, name)
	if !ok {
		a.unresolved = true
		return nil, object{db: db, name: name}
	}
	if a.visitView != nil && t.View {
		a.visitView(t)
	}
	if f := dangerousTable(t.DB, t.Name); f != "" {
		a.features[f] = true
	}
	return t, t.object()
}

func (a *analysis) verb(list ...string) {
	for _, v := range list {
		a.verbs[v] = true
	}
}

// function notes a call.
func (a *analysis) function(f action.Function) { a.functions[f] = true }

// objects are the touched objects in order.
func objects(m map[object]map[string]bool) []action.Object {
	out := make([]action.Object, 0, len(m))
	for o, cols := range m {
		list := make([]string, 0, len(cols))
		for c := range cols {
			list = append(list, c)
		}
		slices.Sort(list)
		out = append(out, action.Object{Schema: o.db, Name: o.name, Columns: list, Resolved: o.resolved})
	}
	slices.SortFunc(out, func(a, b action.Object) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
	})
	return out
}

// action is what policy sees.
func (a *analysis) action(text, fingerprint string) action.Action {
	verbs := make([]string, 0, len(a.verbs))
	for v := range a.verbs {
		verbs = append(verbs, v)
	}
	slices.Sort(verbs)
	functions := make([]action.Function, 0, len(a.functions))
	for f := range a.functions {
		functions = append(functions, f)
		if f.Opaque {
			a.features[action.FeatureOpaque] = true
		}
	}
	slices.SortFunc(functions, func(a, b action.Function) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
	})
	if a.unresolved {
		a.features[action.FeatureUnresolved] = true
	}
	return action.Action{Kind: action.KindSQL, Verbs: verbs, Reads: objects(a.reads), Writes: objects(a.writes), Functions: functions,
		Features: a.features, Text: text, Params: []action.Param{}, Fingerprint: fingerprint}
}
