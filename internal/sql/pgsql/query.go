package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
)

// query analyses anything that gives rows: a SELECT, VALUES, a set operation,
// or DML with RETURNING.
func (a *analysis) query(n *pg.Node, parent *scope) rowset {
	switch v := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		return a.selectStmt(v.SelectStmt, parent, false)
	case *pg.Node_InsertStmt:
		return a.insert(v.InsertStmt, parent)
	case *pg.Node_UpdateStmt:
		return a.update(v.UpdateStmt, parent)
	case *pg.Node_DeleteStmt:
		return a.delete(v.DeleteStmt, parent)
	case *pg.Node_MergeStmt:
		return a.merge(v.MergeStmt, parent)
	}
	a.generic(n, parent)
	a.feature(FeatureUnknownStatement)
	return rowset{open: true}
}

// selectStmt analyses a query. exists says that only the presence of rows
// matters, so that plain columns in its target list are not looked at.
func (a *analysis) selectStmt(s *pg.SelectStmt, parent *scope, exists bool) rowset {
	if s == nil || a.exhausted() {
		a.spend(1)
		return rowset{open: true}
	}
	a.spend(1)
	if len(s.ValuesLists) == 0 || s == a.top {
		a.verb("select") // VALUES in an INSERT reads nothing
	}
	sc := &scope{parent: parent}
	a.with(s.WithClause, sc)
	var out rowset
	switch {
	case s.Op > pg.SetOperation_SETOP_NONE:
		out = a.setOperation(s, sc)
	case len(s.ValuesLists) > 0:
		out = a.values(s.ValuesLists, sc)
	default:
		out = a.simpleSelect(s, sc, exists)
	}
	for _, k := range s.SortClause {
		a.probe(a.sortKey(k, sc, out, false))
	}
	a.limit(s, sc)
	if len(s.LockingClause) > 0 {
		a.feature(action.FeatureLocking)
	}
	if s.IntoClause != nil {
		a.into(s.IntoClause, out, "table")
	}
	return out
}

func (a *analysis) setOperation(s *pg.SelectStmt, sc *scope) rowset {
	l := a.selectStmt(s.Larg, sc, false)
	r := a.selectStmt(s.Rarg, sc, false)
	out := a.united(l, r)
	if !s.All {
		a.probeRow(out)
	}
	if !s.All || s.Op != pg.SetOperation_SETOP_UNION {
		a.probeRow(out) // INTERSECT ALL and EXCEPT ALL compare as well
	}
	return out
}

// united is the union of both by position, under the names of the first.
func (a *analysis) united(l, r rowset) rowset {
	out := rowset{open: l.open || r.open || len(l.columns) != len(r.columns)}
	for i := range max(len(l.columns), len(r.columns)) {
		switch {
		case i >= len(l.columns):
			out.columns = append(out.columns, r.columns[i])
		case i >= len(r.columns):
			out.columns = append(out.columns, l.columns[i])
		default:
			out.columns = append(out.columns, column{name: l.columns[i].name, lineage: a.either(l.columns[i].lineage, r.columns[i].lineage)})
		}
	}
	if out.open {
		// Positions may be shifted: every column may be any of them.
		var all lineage
		for i := range out.columns {
			all = a.join(all, out.columns[i].lineage)
		}
		for i := range out.columns {
			out.columns[i].lineage = all
		}
	}
	return out
}

func (a *analysis) probeRow(r rowset) {
	for i := range r.columns {
		a.probe(r.columns[i].lineage)
	}
	if r.open {
		a.lost = true
	}
}

func (a *analysis) values(lists []*pg.Node, sc *scope) rowset {
	var out rowset
	for n, row := range lists {
		for i, v := range row.GetList().GetItems() {
			l := a.expr(v, sc)
			switch {
			case i >= len(out.columns):
				out.columns = append(out.columns, column{name: "column" + itoa(i+1), lineage: l})
			case n == 0:
				out.columns[i].lineage = l
			default:
				out.columns[i].lineage = a.either(out.columns[i].lineage, l)
			}
		}
	}
	return out
}

func (a *analysis) simpleSelect(s *pg.SelectStmt, sc *scope, exists bool) rowset {
	sc.source = a.from(s.FromClause, sc)
	sc.setting = oneSetting(s, sc.source)
	a.probe(a.expr(s.WhereClause, sc))
	a.windows(s.WindowClause, sc)
	distinct := len(s.DistinctClause) > 0
	// With positions in GROUP BY or ORDER BY every column is needed.
	bare := exists && !distinct && len(s.GroupClause) == 0 && len(s.SortClause) == 0
	out := a.targetList(s.TargetList, sc, bare)
	for _, g := range s.GroupClause {
		a.probe(a.sortKey(g, sc, out, true))
	}
	a.probe(a.expr(s.HavingClause, sc))
	if !distinct {
		return out
	}
	on := false
	for _, d := range s.DistinctClause {
		if d.GetNode() != nil {
			on = true
			a.probe(a.sortKey(d, sc, out, false))
		}
	}
	if !on {
		a.probeRow(out)
	}
	return out
}

// targetList works out the result columns of SELECT or RETURNING.
func (a *analysis) targetList(list []*pg.Node, sc *scope, exists bool) rowset {
	var out rowset
	for _, n := range list {
		rt := n.GetResTarget()
		if rt == nil {
			a.unresolved()
			return rowset{open: true}
		}
		if exists && rt.Val.GetColumnRef() != nil {
			continue
		}
		if cols, ok := a.starTarget(rt.Val, sc); ok {
			out.columns = append(out.columns, cols.columns...)
			out.open = out.open || cols.open
			continue
		}
		name := rt.Name
		l := a.expr(rt.Val, sc)
		if name == "" {
			name = figureName(rt.Val)
		}
		out.columns = append(out.columns, column{name: name, lineage: l})
	}
	if out.open {
		out = a.united(out, rowset{open: true})
	}
	return out
}

// starTarget expands *, t.*, (expr).* in a target list.
func (a *analysis) starTarget(n *pg.Node, sc *scope) (rowset, bool) {
	if ref := n.GetColumnRef(); ref != nil {
		names, star := fieldNames(ref.Fields)
		if !star {
			return rowset{}, false
		}
		return a.expandStar(names, sc), true
	}
	ind := n.GetAIndirection()
	if ind == nil || len(ind.Indirection) == 0 {
		return rowset{}, false
	}
	if _, ok := ind.Indirection[len(ind.Indirection)-1].GetNode().(*pg.Node_AStar); !ok {
		return rowset{}, false
	}
	l := a.indirect(ind.Arg, ind.Indirection[:len(ind.Indirection)-1], sc)
	if call := ind.Arg.GetFuncCall(); call != nil && len(ind.Indirection) == 1 && a.cat.composite(l.typ) == nil {
		out := a.resultColumns(call, derived(l), "?column?", nil)
		out.open = out.open || len(out.columns) == 1
		return out, true
	}
	return a.spread(l), true
}

// spread is the columns of a row value.
func (a *analysis) spread(l lineage) rowset {
	if l.item != nil {
		return rowset{a.settled(l.item.columns), l.item.open}
	}
	r := a.cat.composite(l.typ)
	if r == nil {
		return rowset{[]column{{name: "?column?", lineage: derived(l)}}, true}
	}
	var out rowset
	for _, c := range r.Columns {
		v := derived(l)
		v.typ, v.rows = c.Type, a.cat.holdsRows(c.Type)
		out.columns = append(out.columns, column{name: c.Name, lineage: v})
	}
	return out
}
