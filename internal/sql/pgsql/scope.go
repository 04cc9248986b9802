package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/sql"
)

// column is a column that a name can mean: of a relation, or computed.
type column struct {
	name    string
	rel     *Relation
	idx     int
	lineage lineage // when rel is nil; else what is added to the relation's own
}

// rowset is the result of a query. When it is open, it may have other columns than these.
type rowset struct {
	columns []column
	open    bool
}

// item is a table reference that a qualified name can start with.
type item struct {
	alias  string
	schema string // of a relation without an alias
	rel    *Relation
	rowset
}

// source is what a FROM element makes visible: items to qualified names and
// columns, in the order of *, to plain ones.
type source struct {
	items []*item
	rowset
}

func (s source) plus(t source) source {
	return source{
		items:  append(s.items[:len(s.items):len(s.items)], t.items...),
		rowset: rowset{append(s.columns[:len(s.columns):len(s.columns)], t.columns...), s.open || t.open},
	}
}

func single(it *item) source { return source{[]*item{it}, it.rowset} }

// scope is one level of a query.
type scope struct {
	parent *scope
	source
	ctes    map[string]*cte
	windows map[string]lineage
	setting string // the one that a query over pg_settings is about
}

func (sc *scope) cte(name string) *cte {
	for ; sc != nil; sc = sc.parent {
		if c, ok := sc.ctes[name]; ok {
			return c
		}
	}
	return nil
}

// below is a scope that sees src and then what sc sees.
func (sc *scope) below(src source) *scope { return &scope{parent: sc, source: src} }

// value is the lineage of a column that is referred to; the reference counts as a read.
func (a *analysis) value(c *column) lineage {
	if c.rel == nil {
		return c.lineage
	}
	l := a.base(c.rel, c.idx)
	if len(c.lineage.set) > 0 || c.lineage.unknown {
		extra := a.join(l, c.lineage)
		extra.typ, extra.rows = l.typ, l.rows
		return extra
	}
	return l
}

// settled is a copy of the columns with their lineage worked out.
func (a *analysis) settled(cols []column) []column {
	out := make([]column, len(cols))
	for i := range cols {
		out[i] = column{name: cols[i].name, lineage: a.value(&cols[i])}
	}
	return out
}

// wholeRow is the lineage of a reference to all of an item.
func (a *analysis) wholeRow(it *item) lineage {
	var l lineage
	for i := range it.columns {
		l = a.join(l, a.value(&it.columns[i]))
	}
	l.rows, l.item = true, it
	if it.rel != nil {
		l.typ = it.rel.RowType
	}
	if it.open {
		a.unresolved()
		l.unknown = true
	}
	return l
}

// columnRef resolves a column reference as a value.
func (a *analysis) columnRef(n *pg.ColumnRef, sc *scope) lineage {
	names, star := fieldNames(n.Fields)
	if len(names) == 4 {
		names = names[1:] // the database's own name
	}
	switch {
	case len(names) > 3 || len(names) == 0 && !star:
		a.unresolved()
		return nowhere
	case star:
		// A star outside a target list is count(*) or an error, except as a row: row(t.*), f(t.*).
		return a.starValue(names, sc)
	case len(names) == 1:
		return a.plainName(names[0], sc)
	}
	its := findItems(names[:len(names)-1], sc)
	if len(its) == 0 {
		a.unresolved()
		return nowhere
	}
	return a.field(its, names[len(names)-1])
}

func (a *analysis) starValue(names []string, sc *scope) lineage {
	l := a.rowLineage(a.expandStar(names, sc))
	l.rows = true
	return l
}

// field is a column of one of the items, a function over the row, or not known.
func (a *analysis) field(its []*item, name string) lineage {
	var l lineage
	found := 0
	add := func(v lineage) {
		if found++; found == 1 {
			l = v
		} else {
			l = a.join(l, v)
		}
	}
	open := false
	for _, it := range its {
		open = open || it.open
		for i := range it.columns {
			if it.columns[i].name == name {
				add(a.value(&it.columns[i]))
			}
		}
		if found == 0 && it.rel != nil && isSystemColumn(name) {
			add(a.systemColumn(it.rel, name))
		}
	}
	switch {
	case open:
		a.unresolved()
		return a.join(l, nowhere)
	case found > 0:
		return l
	}
	// t.name where t has no such column: the function name(t), or a cast of the row.
	for _, it := range its {
		l = a.join(l, a.wholeRow(it))
	}
	return a.callNamed("", name, []lineage{l})
}

func (a *analysis) systemColumn(r *Relation, name string) lineage {
	touch(a.reads, qname{r.Schema, r.Name}, true).columns[name] = true
	return lineage{set: set{a.id(sql.Column{Schema: r.Schema, Table: r.Name, Name: name})}, direct: true}
}

// plainName looks for a column outwards, then for a row of that name.
func (a *analysis) plainName(name string, sc *scope) lineage {
	var maybe bool // an inner level has columns that are not known
	for s := sc; s != nil; s = s.parent {
		a.spend(1)
		var l lineage
		found := 0
		for i := range s.columns {
			if s.columns[i].name == name {
				if v := a.value(&s.columns[i]); found == 0 {
					l = v
				} else {
					l = a.join(l, v)
				}
				found++
			}
		}
		if found == 0 && isSystemColumn(name) {
			for _, it := range s.items {
				if it.rel != nil {
					l = a.join(l, a.systemColumn(it.rel, name))
					found++
				}
			}
		}
		maybe = maybe || s.open
		if found > 0 {
			if maybe {
				a.unresolved()
				return a.join(l, nowhere)
			}
			return l
		}
	}
	if its := findItems([]string{name}, sc); len(its) > 0 && !maybe {
		if len(its) == 1 {
			return a.wholeRow(its[0])
		}
		var l lineage
		for _, it := range its {
			l = a.join(l, a.wholeRow(it))
		}
		return l
	}
	a.unresolved()
	return nowhere
}

// findItems are the items of the nearest level that the name, [schema,] alias, means.
func findItems(names []string, sc *scope) []*item {
	alias := names[len(names)-1]
	for ; sc != nil; sc = sc.parent {
		var out []*item
		for _, it := range sc.items {
			if it.alias == alias && (len(names) == 1 || it.schema == names[0] || names[0] == "pg_temp" && isTempSchema(it.schema)) {
				out = append(out, it)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// expandStar is *, t.* or s.t.* in a target list.
func (a *analysis) expandStar(names []string, sc *scope) rowset {
	if len(names) == 0 {
		if sc == nil {
			a.unresolved()
			return rowset{open: true}
		}
		if sc.open {
			a.unresolved()
		}
		return rowset{a.settled(sc.columns), sc.open}
	}
	if len(names) == 3 {
		names = names[1:]
	}
	its := findItems(names, sc)
	if len(its) != 1 {
		a.unresolved()
		return rowset{open: true}
	}
	if its[0].open {
		a.unresolved()
	}
	return rowset{a.settled(its[0].columns), its[0].open}
}

// fieldNames splits a dotted name; star says that it ends in *.
func fieldNames(fields []*pg.Node) (names []string, star bool) {
	for _, f := range fields {
		switch v := f.GetNode().(type) {
		case *pg.Node_String_:
			names = append(names, v.String_.Sval)
		case *pg.Node_AStar:
			star = true
		}
	}
	return names, star
}
