package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
)

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
