package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// cte is a WITH query. It is analysed when first referred to, or at the end of
// its WITH clause.
type cte struct {
	def       *pg.CommonTableExpr
	scope     *scope // that its query sees
	recursive bool
	state     cteState
	rows      rowset
	selfRef   bool
}

type cteState uint8

const (
	cteNew cteState = iota
	cteBusy
	cteDone
)

// maxRounds bounds the search for a recursive query's fixpoint; after it, every
// column is taken to hold what any of them holds, which is one.
const maxRounds = 8

// with puts a WITH clause's queries into sc.
func (a *analysis) with(w *pg.WithClause, sc *scope) {
	if w == nil {
		return
	}
	inner := &scope{parent: sc.parent}
	sc.ctes = map[string]*cte{}
	if w.Recursive {
		inner.ctes = sc.ctes
	}
	var list []*cte
	for _, n := range w.Ctes {
		def := n.GetCommonTableExpr()
		if def == nil {
			a.unresolved()
			continue
		}
		c := &cte{def: def, scope: inner, recursive: w.Recursive}
		list = append(list, c)
		sc.ctes[def.Ctename] = c
		if !w.Recursive {
			// The next one sees this one, and this one not itself.
			next := &scope{parent: inner, ctes: map[string]*cte{def.Ctename: c}}
			a.cteRows(c)
			inner = next
		}
	}
	for _, c := range list {
		a.cteRows(c)
	}
}

// cteRows is the result of a WITH query.
func (a *analysis) cteRows(c *cte) rowset {
	switch c.state {
	case cteDone:
		return c.rows
	case cteBusy:
		c.selfRef = true
		return c.rows
	}
	c.state = cteBusy
	c.rows = rowset{open: true}
	sel := c.def.Ctequery.GetSelectStmt()
	if c.recursive && sel != nil && sel.Op == pg.SetOperation_SETOP_UNION {
		a.recursiveRows(c, sel)
	} else {
		c.rows = a.cteNames(c, a.query(c.def.Ctequery, c.scope))
	}
	if c.selfRef && c.rows.open {
		a.unresolved()
	}
	c.state = cteDone
	return c.rows
}

// recursiveRows starts from the first branch and repeats the whole until nothing is added.
func (a *analysis) recursiveRows(c *cte, sel *pg.SelectStmt) {
	sc := &scope{parent: c.scope}
	a.with(sel.WithClause, sc)
	c.rows = a.cteNames(c, a.selectStmt(sel.Larg, sc, false))
	for round := 0; ; round++ {
		out := a.cteNames(c, a.selectStmt(sel, c.scope, false))
		if !c.selfRef || a.exhausted() {
			c.rows = out
			return
		}
		next := a.united(c.rows, out)
		if sameRows(next, c.rows) {
			return
		}
		if round >= maxRounds {
			var all lineage
			for i := range next.columns {
				all = a.join(all, next.columns[i].lineage)
			}
			for i := range next.columns {
				next.columns[i].lineage = all
			}
		}
		c.rows = next
	}
}

func sameRows(x, y rowset) bool {
	if x.open != y.open || len(x.columns) != len(y.columns) {
		return false
	}
	for i := range x.columns {
		p, q := x.columns[i].lineage, y.columns[i].lineage
		if !slices.Equal(p.set, q.set) || p.direct != q.direct || p.unknown != q.unknown || p.rows != q.rows {
			return false
		}
	}
	return true
}

// cteNames applies the column list and adds the columns of SEARCH and CYCLE.
func (a *analysis) cteNames(c *cte, out rowset) rowset {
	names, _ := fieldNames(c.def.Aliascolnames)
	out.columns = renamed(out.columns, names)
	extra := func(name string, from []*pg.Node, more ...*pg.Node) {
		if name == "" {
			return
		}
		l := lineage{rows: true}
		names, _ := fieldNames(from)
		for _, name := range names {
			for i := range out.columns {
				if out.columns[i].name == name {
					l = a.join(l, out.columns[i].lineage)
				}
			}
		}
		for _, n := range more {
			l = a.join(l, a.expr(n, c.scope))
		}
		l.unknown = l.unknown || out.open
		a.probe(l)
		out.columns = append(out.columns[:len(out.columns):len(out.columns)], column{name: name, lineage: l})
	}
	if s := c.def.SearchClause; s != nil {
		extra(s.SearchSeqColumn, s.SearchColList)
	}
	if y := c.def.CycleClause; y != nil {
		extra(y.CycleMarkColumn, y.CycleColList, y.CycleMarkValue, y.CycleMarkDefault)
		extra(y.CyclePathColumn, y.CycleColList)
	}
	return out
}
