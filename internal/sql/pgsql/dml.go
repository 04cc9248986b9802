package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// insert analyses INSERT; its result is that of RETURNING.
func (a *analysis) insert(s *pg.InsertStmt, parent *scope) rowset {
	a.verb("insert")
	sc := &scope{parent: parent}
	a.with(s.WithClause, sc)
	it := a.table(s.Relation)
	var in rowset
	if s.SelectStmt != nil {
		in = a.query(s.SelectStmt, sc)
	}
	names := a.insertColumns(s, it, in)
	a.written(s.Relation, names...)
	excluded := *it
	excluded.alias, excluded.schema = "excluded", ""
	excluded.columns = make([]column, len(it.columns))
	for i := range it.columns {
		excluded.columns[i] = column{name: it.columns[i].name, lineage: lineage{typ: it.columns[i].rel.Columns[it.columns[i].idx].Type}}
	}
	for i, name := range names {
		l := a.rowLineage(in)
		if !in.open && i < len(in.columns) {
			l = in.columns[i].lineage
		}
		a.flow(target(it, s.Relation, name), l)
		if j := find(it.columns, name); j >= 0 {
			it.columns[j].lineage = l
			excluded.columns[j].lineage = derived(l)
		}
	}
	if in.open {
		a.flow(target(it, s.Relation, ""), a.rowLineage(in))
	}
	a.onConflict(s, it, &excluded, sc)
	return a.returning(s.ReturningList, it, source{}, sc)
}

// insertColumns are the columns that INSERT names, or those that it fills in order.
func (a *analysis) insertColumns(s *pg.InsertStmt, it *item, in rowset) []string {
	var names []string
	for _, n := range s.Cols {
		rt := n.GetResTarget()
		names = append(names, rt.GetName())
		for _, step := range rt.GetIndirection() {
			a.probe(a.expr(step, nil))
		}
		a.known(it, rt.GetName())
	}
	if len(s.Cols) > 0 {
		return names
	}
	for i := range it.columns {
		if i < len(in.columns) || in.open {
			names = append(names, it.columns[i].name)
		}
	}
	return names
}

func find(cols []column, name string) int {
	for i := range cols {
		if cols[i].name == name {
			return i
		}
	}
	return -1
}

// known marks a column that a write names but the table does not have.
func (a *analysis) known(it *item, name string) {
	if it.open || find(it.columns, name) < 0 {
		a.unresolved()
	}
}

func (a *analysis) onConflict(s *pg.InsertStmt, it, excluded *item, sc *scope) {
	c := s.OnConflictClause
	if c == nil {
		return
	}
	inner := sc.below(single(it))
	if c.Infer != nil {
		for _, n := range c.Infer.IndexElems {
			a.indexElem(n, it, inner)
		}
		a.probe(a.expr(c.Infer.WhereClause, inner))
	}
	if c.Action != pg.OnConflictAction_ONCONFLICT_UPDATE {
		return
	}
	a.verb("update")
	a.dml = append(a.dml, true) // bounded by the rows inserted
	both := sc.below(source{items: []*item{it, excluded}, rowset: it.rowset})
	a.assign(c.TargetList, it, s.Relation, both)
	a.probe(a.expr(c.WhereClause, both))
}

// indexElem is a column or an expression of an index: it is compared.
func (a *analysis) indexElem(n *pg.Node, it *item, sc *scope) {
	e := n.GetIndexElem()
	if e == nil {
		a.probe(a.expr(n, sc))
		return
	}
	if e.Name != "" {
		a.probe(a.field([]*item{it}, e.Name))
	}
	a.probe(a.expr(e.Expr, sc))
}

func (a *analysis) update(s *pg.UpdateStmt, parent *scope) rowset {
	a.verb("update")
	sc := &scope{parent: parent}
	a.with(s.WithClause, sc)
	it := a.table(s.Relation)
	a.written(s.Relation)
	src := a.from(s.FromClause, sc)
	sc.source = single(it).plus(src)
	a.assign(s.TargetList, it, s.Relation, sc)
	a.probe(a.expr(s.WhereClause, sc))
	a.dml = append(a.dml, canBeFalse(s.WhereClause, true))
	a.wholePattern(s.WhereClause)
	return a.returning(s.ReturningList, it, src, sc)
}

// assign works out SET col = value, (a, b) = row.
func (a *analysis) assign(list []*pg.Node, it *item, rv *pg.RangeVar, sc *scope) {
	var shared *pg.Node
	var row lineage
	extra := map[int]lineage{}
	for _, n := range list {
		rt := n.GetResTarget()
		if rt == nil {
			a.unresolved()
			continue
		}
		var l lineage
		if m := rt.Val.GetMultiAssignRef(); m != nil {
			if shared == nil || m.Source != nil && m.Colno <= 1 {
				shared = m.Source
				row = derived(a.expr(m.Source, sc))
			}
			l = row
		} else {
			l = a.expr(rt.Val, sc)
		}
		for _, step := range rt.Indirection {
			l = a.join(l, a.expr(step, sc))
		}
		a.known(it, rt.Name)
		a.written(rv, rt.Name)
		a.flow(target(it, rv, rt.Name), l)
		if j := find(it.columns, rt.Name); j >= 0 {
			extra[j] = l
		}
	}
	// RETURNING sees the new values; the expressions above saw the old ones.
	for j, l := range extra {
		it.columns[j].lineage = a.join(it.columns[j].lineage, l)
	}
}

func (a *analysis) delete(s *pg.DeleteStmt, parent *scope) rowset {
	a.verb("delete")
	sc := &scope{parent: parent}
	a.with(s.WithClause, sc)
	it := a.table(s.Relation)
	a.written(s.Relation)
	src := a.from(s.UsingClause, sc)
	sc.source = single(it).plus(src)
	a.probe(a.expr(s.WhereClause, sc))
	a.dml = append(a.dml, canBeFalse(s.WhereClause, true))
	a.wholePattern(s.WhereClause)
	return a.returning(s.ReturningList, it, src, sc)
}

func (a *analysis) merge(s *pg.MergeStmt, parent *scope) rowset {
	a.verb("merge")
	sc := &scope{parent: parent}
	a.with(s.WithClause, sc)
	it := a.table(s.Relation)
	a.written(s.Relation)
	src := a.fromItem(s.SourceRelation, sc, source{})
	sc.source = single(it).plus(src)
	a.probe(a.expr(s.JoinCondition, sc))
	a.dml = append(a.dml, canBeFalse(s.JoinCondition, true))
	a.wholePattern(s.JoinCondition)
	for _, n := range s.MergeWhenClauses {
		w := n.GetMergeWhenClause()
		if w == nil {
			a.unresolved()
			continue
		}
		a.probe(a.expr(w.Condition, sc))
		switch w.CommandType {
		case pg.CmdType_CMD_INSERT:
			a.verb("insert")
			a.mergeInsert(w, it, s.Relation, sc)
		case pg.CmdType_CMD_UPDATE:
			a.verb("update")
			a.assign(w.TargetList, it, s.Relation, sc)
		case pg.CmdType_CMD_DELETE:
			a.verb("delete")
		}
		if w.MatchKind == pg.MergeMatchKind_MERGE_WHEN_NOT_MATCHED_BY_SOURCE && w.Condition == nil {
			a.dml = append(a.dml, false) // every row that the source does not name
		}
	}
	// RETURNING * gives the source first.
	sc.source = src.plus(single(it))
	return a.returningIn(s.ReturningList, it, sc)
}

func (a *analysis) mergeInsert(w *pg.MergeWhenClause, it *item, rv *pg.RangeVar, sc *scope) {
	for i, v := range w.Values {
		l := a.expr(v, sc)
		name := ""
		if i < len(w.TargetList) {
			name = w.TargetList[i].GetResTarget().GetName()
			a.known(it, name)
		} else if len(w.TargetList) == 0 && i < len(it.columns) {
			name = it.columns[i].name
		}
		a.written(rv, name)
		a.flow(target(it, rv, name), l)
		if j := find(it.columns, name); j >= 0 {
			it.columns[j].lineage = a.join(it.columns[j].lineage, l)
		}
	}
}

// returning is the result of RETURNING; without one there is no result.
func (a *analysis) returning(list []*pg.Node, it *item, src source, sc *scope) rowset {
	sc.source = single(it).plus(src)
	return a.returningIn(list, it, sc)
}

// returningIn adds old and new, which PostgreSQL 18 has.
func (a *analysis) returningIn(list []*pg.Node, it *item, sc *scope) rowset {
	if len(list) == 0 {
		return rowset{}
	}
	taken := map[string]bool{}
	for _, k := range sc.items {
		taken[k.alias] = true
	}
	items := sc.items
	for _, name := range []string{"old", "new"} {
		if !taken[name] {
			row := *it
			row.alias, row.schema = name, ""
			items = append(items[:len(items):len(items)], &row)
		}
	}
	inner := &scope{parent: sc, source: source{items, sc.rowset}}
	out := a.targetList(list, inner, false)
	if it.rel != nil && it.rel.Ruled {
		for i := range out.columns { // a rule may have a RETURNING of its own
			out.columns[i].lineage = a.join(derived(out.columns[i].lineage), nowhere)
		}
		a.unresolved()
	}
	return out
}
