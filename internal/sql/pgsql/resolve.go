package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/sql"
)

// analysis is the analysis of one statement.
type analysis struct {
	*facts
	env   Env
	cat   *Catalog
	batch *batch // what earlier statements of the text did; never nil
	// locked: the catalog's lock is held, a view definition is being worked out.
	locked bool
	text   string // the whole text
	stmt   *sql.Statement
	top    *pg.SelectStmt // the statement itself, when it is a query
	dml    []bool         // for each UPDATE and DELETE: has a WHERE that can be false
}

func newAnalysis(env Env, b *batch) *analysis {
	if env.Catalog == nil {
		env.Catalog = &Catalog{}
	}
	return &analysis{facts: newFacts(), env: env, cat: env.Catalog, batch: b}
}

func isTempSchema(s string) bool { return strings.HasPrefix(s, "pg_temp") }

// tempSchema is the session's temporary schema: its real name once it has one.
func (a *analysis) tempSchema() string {
	for _, s := range a.env.Path {
		if isTempSchema(s) {
			return s
		}
	}
	return "pg_temp"
}

// path is the search path; nil when an earlier statement of the text made it unknown.
func (a *analysis) path() []string {
	if a.batch.pathLost {
		return nil
	}
	if a.batch.temp && len(a.env.Path) > 0 && a.tempSchema() == "pg_temp" {
		return append([]string{"pg_temp"}, a.env.Path...)
	}
	return a.env.Path
}

// creationSchema is where an unqualified new object goes, or "" when that is not known.
func (a *analysis) creationSchema(rv *pg.RangeVar) string {
	switch {
	case rv.GetRelpersistence() == "t" || isTempSchema(rv.GetSchemaname()):
		return a.tempSchema()
	case rv.GetSchemaname() != "":
		return rv.GetSchemaname()
	}
	for _, s := range a.path() {
		if s != "pg_catalog" && !isTempSchema(s) {
			return s
		}
	}
	return ""
}

// lookup finds a relation by name; nil when it is not in the catalog.
func (a *analysis) lookup(schema, name string) *Relation {
	if schema != "" {
		if schema == "pg_temp" {
			schema = a.tempSchema()
		}
		r, _ := a.relation(schema, name)
		return r
	}
	for _, s := range a.path() {
		r, known := a.relation(s, name)
		if r != nil || !known {
			return r
		}
	}
	return nil
}

// relation finds it by its full name; known is false when an earlier statement changed it.
func (a *analysis) relation(schema, name string) (r *Relation, known bool) {
	key := qname{schema, name}
	if a.batch.changed[key] {
		return nil, false
	}
	if r := a.batch.made[key]; r != nil {
		return r, true
	}
	return a.cat.rels[key], true
}

func (a *analysis) lineageOf(r *Relation) *relLineage {
	if a.locked {
		return a.cat.lineageLocked(r)
	}
	return a.cat.lineageOf(r)
}

// base is the lineage of a relation's column; it counts as a read of it.
func (a *analysis) base(r *Relation, i int) lineage {
	key := baseKey{r, i}
	if l, ok := a.bases[key]; ok {
		return l
	}
	rl := a.lineageOf(r)
	c := rl.columns[i]
	a.spend(1 + len(c.origins)/8)
	l := lineage{set: a.numbers(c.origins), direct: c.direct && !c.unknown, unknown: c.unknown, typ: r.Columns[i].Type}
	l.rows = a.cat.holdsRows(l.typ)
	a.bases[key] = l
	touch(a.reads, qname{r.Schema, r.Name}, true).columns[r.Columns[i].Name] = true
	a.sensitiveColumn(r.Schema, r.Name, r.Columns[i].Name)
	if r.viewDef != "" || r.temp || r.Columns[i].Generated != "" {
		for _, o := range c.origins {
			touch(a.reads, qname{o.Schema, o.Table}, true).columns[o.Name] = true
		}
	}
	return l
}

// read records that a relation is read, with all that lies behind a view.
func (a *analysis) read(r *Relation) {
	touch(a.reads, qname{r.Schema, r.Name}, true)
	a.sensitiveRelation(r.Schema, r.Name)
	if r.Kind != 'v' && r.Kind != 'm' {
		return
	}
	rl := a.lineageOf(r)
	for _, q := range rl.reads {
		touch(a.reads, q, q.schema != "")
		a.sensitiveRelation(q.schema, q.name)
	}
	for _, f := range rl.functions {
		a.use(f)
	}
	for k, v := range rl.features {
		a.features[k] = v
	}
	if rl.broken {
		a.unresolved()
	}
}

// table is the item of a relation, read or not.
func (a *analysis) table(rv *pg.RangeVar) *item {
	r := a.lookup(rv.GetSchemaname(), rv.GetRelname())
	it := &item{alias: rv.GetRelname(), rel: r}
	if r == nil {
		it.schema, it.open = rv.GetSchemaname(), true
		a.unresolved()
	} else {
		it.schema = r.Schema
		it.columns = make([]column, len(r.Columns))
		for i := range r.Columns {
			it.columns[i] = column{name: r.Columns[i].Name, rel: r, idx: i}
		}
		for _, k := range a.hidden(rv, r) {
			for i := range it.columns {
				if j := k.column(it.columns[i].name); j >= 0 {
					it.columns[i].lineage = a.join(it.columns[i].lineage, a.own(k, j))
				}
			}
		}
	}
	return rename(it, rv.GetAlias())
}

// hidden are the relations that an unqualified name means as soon as r is gone.
// Another session can drop or rename r between this analysis and the
// statement, however long that waits for its turn or for a lock: so they count
// as well. Nobody else can touch a temporary table, nor the core's.
func (a *analysis) hidden(rv *pg.RangeVar, r *Relation) []*Relation {
	if rv.GetSchemaname() != "" || r.Schema == "pg_catalog" || isTempSchema(r.Schema) {
		return nil
	}
	var out []*Relation
	for _, s := range a.path() {
		if k := a.cat.rels[qname{s, rv.GetRelname()}]; k != nil && k != r && !isTempSchema(s) {
			out = append(out, k)
		}
	}
	return out
}

// readTable is the item of a relation that a query reads.
func (a *analysis) readTable(rv *pg.RangeVar) *item {
	it := a.table(rv)
	if it.rel == nil {
		touch(a.reads, qname{rv.GetSchemaname(), rv.GetRelname()}, false)
		a.sensitiveRelation(rv.GetSchemaname(), rv.GetRelname())
	} else {
		a.read(it.rel)
		for _, k := range a.hidden(rv, it.rel) {
			a.read(k)
		}
	}
	return it
}

// written records that a relation is written, and the tables behind a view.
func (a *analysis) written(rv *pg.RangeVar, cols ...string) {
	r := a.lookup(rv.GetSchemaname(), rv.GetRelname())
	if r != nil {
		for _, k := range a.hidden(rv, r) {
			a.written(&pg.RangeVar{Schemaname: k.Schema, Relname: k.Name}, cols...)
		}
	}
	if r == nil {
		a.unresolved()
		o := touch(a.writes, qname{rv.GetSchemaname(), rv.GetRelname()}, false)
		for _, c := range cols {
			o.columns[c] = true
		}
		return
	}
	o := touch(a.writes, qname{r.Schema, r.Name}, true)
	for _, c := range cols {
		o.columns[c] = true
	}
	if r.Kind != 'v' {
		return
	}
	rl := a.lineageOf(r)
	for _, q := range rl.reads {
		touch(a.writes, q, q.schema != "")
	}
	for _, c := range cols {
		if i := r.column(c); i >= 0 {
			for _, o := range rl.columns[i].origins {
				touch(a.writes, qname{o.Schema, o.Table}, true).columns[o.Name] = true
			}
		}
	}
}

// target names a column of a write's target.
func target(it *item, rv *pg.RangeVar, col string) sql.Column {
	if it.rel != nil {
		return sql.Column{Schema: it.rel.Schema, Table: it.rel.Name, Name: col}
	}
	return sql.Column{Schema: rv.GetSchemaname(), Table: rv.GetRelname(), Name: col}
}

// rename applies an alias to an item.
func rename(it *item, alias *pg.Alias) *item {
	if alias == nil {
		return it
	}
	out := *it
	out.alias, out.schema = alias.Aliasname, ""
	names, _ := fieldNames(alias.Colnames)
	out.columns = renamed(it.columns, names)
	return &out
}

// renamed gives the first columns other names.
func renamed(cols []column, names []string) []column {
	if len(names) == 0 {
		return cols
	}
	out := append([]column(nil), cols...)
	for i := range out {
		if i < len(names) {
			out[i].name = names[i]
		}
	}
	return out
}
