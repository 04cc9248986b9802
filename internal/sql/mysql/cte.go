package mysql

import "github.com/pingcap/tidb/pkg/parser/ast"

// with reads common table expressions into the scope.
func (a *analysis) with(w *ast.WithClause, s *scope) {
	if w == nil {
		return
	}
	if s.ctes == nil {
		s.ctes = map[string]*relation{}
	} else {
		ctes := make(map[string]*relation, len(s.ctes))
		for k, v := range s.ctes {
			ctes[k] = v
		}
		s.ctes = ctes
	}
	for _, c := range w.CTEs {
		r := a.commonTable(c, w.IsRecursive, s)
		s.ctes[c.Name.O] = r
	}
}

// recursionRounds is how often a recursive expression is looked at until its columns stay the same.
const recursionRounds = 8

func (a *analysis) commonTable(c *ast.CommonTableExpression, recursive bool, s *scope) *relation {
	names := func(fields []field, ok bool) *relation {
		r := &relation{fields: fields, open: !ok}
		if len(c.ColNameList) > 0 {
			return a.renamed(r, c.ColNameList)
		}
		return r
	}
	if !recursive {
		return names(a.resultSet(c.Query.Query, &scope{parent: s.parent, ctes: s.ctes}))
	}
	seed, ok := a.seed(c.Query.Query, s)
	known := names(seed, ok)
	for range recursionRounds {
		inner := &scope{parent: s.parent, ctes: map[string]*relation{c.Name.O: known}}
		for k, v := range s.ctes {
			if k != c.Name.O {
				inner.ctes[k] = v
			}
		}
		fields, ok := a.resultSet(c.Query.Query, inner)
		next := names(fields, ok)
		if sameFields(known.fields, next.fields) {
			return next
		}
		known = next
	}
	for i := range known.fields {
		known.fields[i].unknown = true
	}
	return known
}

// seed are the columns of the first part of a recursive expression.
func (a *analysis) seed(q ast.ResultSetNode, s *scope) ([]field, bool) {
	if set, ok := q.(*ast.SetOprStmt); ok && len(set.SelectList.Selects) > 0 {
		if first, ok := set.SelectList.Selects[0].(ast.ResultSetNode); ok {
			return a.resultSet(first, &scope{parent: s.parent, ctes: s.ctes})
		}
	}
	return a.resultSet(q, &scope{parent: s.parent, ctes: s.ctes})
}

func sameFields(x, y []field) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if len(x[i].from) != len(y[i].from) || x[i].unknown != y[i].unknown || x[i].direct != y[i].direct {
			return false
		}
	}
	return true
}
