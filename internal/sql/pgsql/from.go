package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// from works out what a FROM clause makes visible. sc is the query's own scope
// before it sees its FROM clause; left is what LATERAL elements see beside it.
func (a *analysis) from(list []*pg.Node, sc *scope) source {
	var all source
	for _, n := range list {
		all = all.plus(a.fromItem(n, sc, all))
	}
	return all
}

func (a *analysis) fromItem(n *pg.Node, sc *scope, left source) source {
	a.spend(1)
	if a.exhausted() {
		return source{rowset: rowset{open: true}}
	}
	switch v := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		return single(a.rangeVar(v.RangeVar, sc))
	case *pg.Node_JoinExpr:
		return a.joinExpr(v.JoinExpr, sc, left)
	case *pg.Node_RangeSubselect:
		inner := sc
		if v.RangeSubselect.Lateral {
			inner = sc.below(left)
		}
		out := a.query(v.RangeSubselect.Subquery, inner)
		return single(rename(&item{rowset: out}, v.RangeSubselect.Alias))
	case *pg.Node_RangeFunction:
		return single(a.rangeFunction(v.RangeFunction, sc.below(left)))
	case *pg.Node_RangeTableSample:
		s := v.RangeTableSample
		for _, arg := range append(s.Args[:len(s.Args):len(s.Args)], s.Repeatable) {
			a.probe(a.expr(arg, sc.below(left)))
		}
		names, _ := fieldNames(s.Method)
		if len(names) > 0 {
			a.sampleMethod(names)
		}
		return a.fromItem(s.Relation, sc, left)
	case *pg.Node_RangeTableFunc:
		return single(a.xmlTable(v.RangeTableFunc, sc.below(left)))
	case *pg.Node_JsonTable:
		return single(a.jsonTable(v.JsonTable, sc.below(left)))
	}
	a.generic(n, sc.below(left))
	a.unresolved()
	return source{rowset: rowset{open: true}}
}

func (a *analysis) rangeVar(rv *pg.RangeVar, sc *scope) *item {
	if rv.Schemaname == "" && rv.Catalogname == "" {
		if c := sc.cte(rv.Relname); c != nil {
			return rename(&item{alias: rv.Relname, rowset: a.cteRows(c)}, rv.Alias)
		}
	}
	return a.readTable(rv)
}

// sampleMethod is the function behind TABLESAMPLE.
func (a *analysis) sampleMethod(names []string) {
	switch names[len(names)-1] {
	case "bernoulli", "system":
	default:
		a.callNamed("", names[len(names)-1], nil)
	}
}

func (a *analysis) joinExpr(j *pg.JoinExpr, sc *scope, left source) source {
	l := a.fromItem(j.Larg, sc, left)
	r := a.fromItem(j.Rarg, sc, left.plus(l))
	both := l.plus(r)
	using, _ := fieldNames(j.UsingClause)
	if j.IsNatural {
		using = common(l.columns, r.columns)
		if l.open || r.open {
			a.unresolved()
			a.lost = true
		}
	}
	if len(using) > 0 {
		both.columns = a.merged(j, using, l, r)
	}
	a.probe(a.expr(j.Quals, sc.below(l.plus(r))))
	if j.JoinUsingAlias != nil {
		both.items = append(both.items, &item{alias: j.JoinUsingAlias.Aliasname, rowset: rowset{columns: both.columns[:min(len(using), len(both.columns))]}})
	}
	if j.Alias != nil {
		it := rename(&item{rowset: both.rowset}, j.Alias)
		return single(it)
	}
	return both
}

func common(l, r []column) []string {
	var out []string
	for _, c := range l {
		for _, d := range r {
			if c.name == d.name {
				out = append(out, c.name)
				break
			}
		}
	}
	return out
}

// merged are the columns of a join with USING or NATURAL: first the merged ones.
func (a *analysis) merged(j *pg.JoinExpr, using []string, l, r source) []column {
	is := map[string]bool{}
	var out []column
	for _, name := range using {
		if is[name] {
			continue
		}
		is[name] = true
		x, y := a.ofName(l, name), a.ofName(r, name)
		a.probe(x)
		a.probe(y)
		v := a.join(x, y)
		if j.Jointype != pg.JoinType_JOIN_FULL {
			v.direct = x.direct && y.direct
			if x.typ == y.typ {
				v.typ = x.typ
			}
		}
		out = append(out, column{name: name, lineage: v})
	}
	for _, side := range [][]column{l.columns, r.columns} {
		for _, c := range side {
			if !is[c.name] {
				out = append(out, c)
			}
		}
	}
	return out
}

func (a *analysis) ofName(s source, name string) lineage {
	var l lineage
	found := 0
	for i := range s.columns {
		if s.columns[i].name == name {
			if found++; found == 1 {
				l = a.value(&s.columns[i])
			} else {
				l = a.join(l, a.value(&s.columns[i]))
			}
		}
	}
	if found == 0 || s.open {
		a.unresolved()
		return a.join(l, nowhere)
	}
	return l
}

func (a *analysis) xmlTable(t *pg.RangeTableFunc, sc *scope) *item {
	l := a.join(a.expr(t.Docexpr, sc), a.expr(t.Rowexpr, sc))
	for _, n := range t.Namespaces {
		l = a.join(l, a.expr(n, sc))
	}
	it := &item{alias: "xmltable"}
	for _, n := range t.Columns {
		c := n.GetRangeTableFuncCol()
		if c == nil {
			it.open = true
			continue
		}
		a.typeName(c.TypeName)
		v := a.join(l, a.join(a.expr(c.Colexpr, sc), a.expr(c.Coldefexpr, sc)))
		it.columns = append(it.columns, column{name: c.Colname, lineage: v})
	}
	a.probe(l)
	return rename(it, t.Alias)
}

func (a *analysis) jsonTable(t *pg.JsonTable, sc *scope) *item {
	l := a.message(t.ContextItem.ProtoReflect(), sc)
	for _, n := range t.Passing {
		l = a.join(l, a.expr(n, sc))
	}
	if t.OnError != nil {
		l = a.join(l, a.message(t.OnError.ProtoReflect(), sc))
	}
	it := &item{alias: "json_table"}
	a.jsonColumns(it, t.Columns, l, sc)
	a.probe(l)
	return rename(it, t.Alias)
}

func (a *analysis) jsonColumns(it *item, cols []*pg.Node, l lineage, sc *scope) {
	for _, n := range cols {
		c := n.GetJsonTableColumn()
		if c == nil {
			it.open = true
			continue
		}
		if len(c.Columns) > 0 || c.Coltype == pg.JsonTableColumnType_JTC_NESTED {
			a.jsonColumns(it, c.Columns, l, sc)
			continue
		}
		v := a.join(l, a.message(c.ProtoReflect(), sc))
		it.columns = append(it.columns, column{name: c.Name, lineage: v})
	}
}
