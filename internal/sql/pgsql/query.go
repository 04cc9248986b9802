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
	a.probe(a.expr(s.WhereClause, sc))
	a.windows(s.WindowClause, sc)
	if s == a.top && canBeFalse(s.WhereClause) {
		a.feature(action.FeatureWhere)
	}
	distinct := len(s.DistinctClause) > 0
	out := a.targetList(s.TargetList, sc, exists && !distinct)
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

// sortKey is an element of ORDER BY, GROUP BY or DISTINCT ON: a position, the
// name of a result column, or an expression.
func (a *analysis) sortKey(n *pg.Node, sc *scope, out rowset, group bool) lineage {
	switch v := n.GetNode().(type) {
	case *pg.Node_SortBy:
		a.operator(v.SortBy.UseOp)
		return a.sortKey(v.SortBy.Node, sc, out, group)
	case *pg.Node_GroupingSet:
		var l lineage
		for _, c := range v.GroupingSet.Content {
			l = a.join(l, a.sortKey(c, sc, out, group))
		}
		return l
	case *pg.Node_List:
		var l lineage
		for _, c := range v.List.Items {
			l = a.join(l, a.sortKey(c, sc, out, group))
		}
		return l
	case *pg.Node_RowExpr:
		if group {
			var l lineage
			for _, c := range v.RowExpr.Args {
				l = a.join(l, a.sortKey(c, sc, out, group))
			}
			return l
		}
	case *pg.Node_AConst:
		if i, ok := v.AConst.Val.(*pg.A_Const_Ival); ok {
			a.literal = true
			if p := int(i.Ival.Ival); p >= 1 && p <= len(out.columns) && !out.open {
				return out.columns[p-1].lineage
			}
			var l lineage
			for i := range out.columns {
				l = a.join(l, out.columns[i].lineage)
			}
			l.unknown = l.unknown || out.open
			return l
		}
	case *pg.Node_ColumnRef:
		if names, star := fieldNames(v.ColumnRef.Fields); len(names) == 1 && !star {
			return a.sortName(names[0], n, sc, out, group)
		}
	}
	return a.expr(n, sc)
}

// sortName prefers result columns for ORDER BY and input columns for GROUP BY.
func (a *analysis) sortName(name string, n *pg.Node, sc *scope, out rowset, group bool) lineage {
	if group {
		for i := range sc.columns {
			if sc.columns[i].name == name {
				return a.expr(n, sc)
			}
		}
	}
	var l lineage
	found := false
	for i := range out.columns {
		if out.columns[i].name == name {
			l, found = a.join(l, out.columns[i].lineage), true
		}
	}
	if found && !out.open {
		return l
	}
	return a.join(l, a.expr(n, sc))
}

// limit records LIMIT: its number when it is a literal, else that it cannot be
// told ("expression" sorts above every number in Rego).
func (a *analysis) limit(s *pg.SelectStmt, sc *scope) {
	a.probe(a.expr(s.LimitCount, sc))
	a.probe(a.expr(s.LimitOffset, sc))
	if s != a.top || s.LimitCount == nil {
		return
	}
	c := s.LimitCount.GetAConst()
	switch {
	case c == nil || s.LimitOption == pg.LimitOption_LIMIT_OPTION_WITH_TIES:
		a.mark(action.FeatureLimit, "expression")
	case c.Isnull: // LIMIT ALL
	default:
		if i, ok := c.Val.(*pg.A_Const_Ival); ok {
			a.mark(action.FeatureLimit, int64(i.Ival.GetIval()))
		} else {
			a.mark(action.FeatureLimit, "expression")
		}
	}
	a.limitLocation(s.LimitCount)
}

// windows records the definitions of a WINDOW clause.
func (a *analysis) windows(defs []*pg.Node, sc *scope) {
	for _, n := range defs {
		if w := n.GetWindowDef(); w != nil {
			if sc.windows == nil {
				sc.windows = map[string]lineage{}
			}
			sc.windows[w.Name] = a.window(w, sc)
		}
	}
}

// window is the lineage of a window definition; it decides about order, so it is probed.
func (a *analysis) window(w *pg.WindowDef, sc *scope) lineage {
	if w == nil {
		return lineage{}
	}
	var l lineage
	for _, name := range []string{w.Refname, w.Name} {
		if name != "" && sc != nil {
			l = a.join(l, sc.windows[name])
		}
	}
	for _, list := range [][]*pg.Node{w.PartitionClause, w.OrderClause, {w.StartOffset, w.EndOffset}} {
		for _, n := range list {
			l = a.join(l, a.expr(n, sc))
		}
	}
	a.probe(l)
	return l
}
