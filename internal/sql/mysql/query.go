package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// resultSet analyses a query and gives its columns; false when their number is not known.
func (a *analysis) resultSet(n ast.Node, s *scope) ([]field, bool) {
	if s == nil {
		s = &scope{}
	}
	if !a.enter() {
		return nil, false
	}
	defer a.leave()
	switch x := n.(type) {
	case *ast.SelectStmt:
		return a.selects(x, s)
	case *ast.SetOprStmt:
		in := &scope{parent: s, ctes: nil}
		a.with(x.With, in)
		fields, ok := a.setOperation(x.SelectList, in)
		a.orderBy(x.OrderBy, fields, in.aliased(fields))
		a.limit(x.Limit, in)
		return fields, ok
	case *ast.SetOprSelectList:
		in := &scope{parent: s}
		a.with(x.With, in)
		fields, ok := a.setOperation(x, in)
		a.orderBy(x.OrderBy, fields, in.aliased(fields))
		a.limit(x.Limit, in)
		return fields, ok
	case *ast.SubqueryExpr:
		return a.resultSet(x.Query, s)
	}
	a.failed = true
	return nil, false
}

// selects analyses one SELECT, TABLE or VALUES.
func (a *analysis) selects(x *ast.SelectStmt, parent *scope) ([]field, bool) {
	s := &scope{parent: parent}
	a.with(x.With, s)
	if x.Kind == ast.SelectStmtKindValues {
		return a.rows(x.Lists, s)
	}
	var star []field
	if x.From != nil {
		star = a.from(x.From.TableRefs, s)
	}
	if x.Where != nil {
		a.probe(a.expr(x.Where, s))
		if constrains(x.Where) {
			a.features[action.FeatureWhere] = true
		}
	}
	for i := range x.WindowSpecs {
		a.window(&x.WindowSpecs[i], s)
	}
	fields, ok := a.selectList(x, star, s)
	all := s.aliased(fields)
	if x.GroupBy != nil {
		a.by(x.GroupBy.Items, fields, all)
	}
	if x.Having != nil {
		a.probe(a.expr(x.Having.Expr, all))
	}
	a.orderBy(x.OrderBy, fields, all)
	a.limit(x.Limit, s)
	if x.Distinct {
		for i := range fields {
			a.probe(fields[i].value)
		}
	}
	if x.LockInfo != nil && x.LockInfo.LockType != ast.SelectLockNone {
		a.features[action.FeatureLocking] = true
	}
	if x.SelectIntoOpt != nil {
		a.features[action.FeatureServerFile] = true
		for i := range fields {
			a.flow(sql.Column{Schema: "server", Table: "file"}, fields[i].value)
		}
	}
	return fields, ok
}

func (a *analysis) selectList(x *ast.SelectStmt, star []field, s *scope) (fields []field, ok bool) {
	ok = true
	if x.Fields == nil {
		a.readAll(star)
		return star, known(star)
	}
	// A later subquery of the list may use an alias.
	list := s.aliased(nil)
	for _, f := range x.Fields.Fields {
		if f.WildCard != nil {
			all := star
			if f.WildCard.Table.O != "" {
				all = a.starOf(f.WildCard, s)
			}
			a.readAll(all)
			ok = ok && known(all)
			fields = append(fields, all...)
			list.aliases = fields
			continue
		}
		v := a.expr(f.Expr, list)
		name := f.AsName.O
		if c, isColumn := bare(f.Expr).(*ast.ColumnNameExpr); isColumn && name == "" {
			name = c.Name.Name.O
		}
		if name == "" {
			name = f.Text()
		}
		fields = append(fields, field{name: name, value: v})
		list.aliases = fields
	}
	return fields, ok
}

// known reports whether no field stands for columns that are not known.
func known(list []field) bool {
	for i := range list {
		if list[i].name == "" && list[i].unknown {
			return false
		}
	}
	return true
}

func bare(e ast.ExprNode) ast.ExprNode {
	for {
		p, ok := e.(*ast.ParenthesesExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}

// starOf are the columns of table.*.
func (a *analysis) starOf(w *ast.WildCardField, s *scope) []field {
	for _, r := range s.rels {
		if a.same(r.alias, w.Table.O) && (w.Schema.O == "" || a.sameDB(r.db, w.Schema.O)) {
			return a.visible(r)
		}
	}
	a.unresolved = true
	return []field{{value: value{unknown: true}}}
}

// rows are those of VALUES.
func (a *analysis) rows(lists []*ast.RowExpr, s *scope) ([]field, bool) {
	var out []field
	for n, row := range lists {
		for i, e := range row.Values {
			v := a.expr(e, s)
			v.direct = false
			switch {
			case n == 0:
				out = append(out, field{name: "column_" + string(rune('0'+i%10)), value: v})
			case i < len(out):
				out[i].add(v)
			default:
				return out, false
			}
		}
	}
	return out, true
}

// setOperation puts the columns of UNION, EXCEPT and INTERSECT together.
func (a *analysis) setOperation(l *ast.SetOprSelectList, s *scope) (out []field, ok bool) {
	ok = true
	compares := false
	for n, sel := range l.Selects {
		fields, good := a.resultSet(sel, s)
		ok = ok && good && (n == 0 || len(fields) == len(out))
		if op := operator(sel); n > 0 && (op == nil || *op != ast.UnionAll) {
			compares = true
		}
		if n == 0 {
			out = append([]field(nil), fields...)
			continue
		}
		for i := range min(len(out), len(fields)) {
			same := sameFields(out[i:i+1], fields[i:i+1]) && out[i].direct && sameFrom(out[i].value, fields[i].value)
			from := append([]sql.Column(nil), out[i].from...)
			out[i].from = from
			out[i].add(fields[i].value)
			out[i].direct = same
		}
	}
	if compares {
		for i := range out {
			a.probe(out[i].value)
		}
	}
	return out, ok
}

func sameFrom(x, y value) bool {
	a, b := x.list(), y.list()
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func operator(n ast.Node) *ast.SetOprType {
	switch x := n.(type) {
	case *ast.SelectStmt:
		return x.AfterSetOperator
	case *ast.SetOprSelectList:
		return x.AfterSetOperator
	}
	return nil
}

func (a *analysis) orderBy(o *ast.OrderByClause, fields []field, s *scope) {
	if o != nil {
		a.by(o.Items, fields, s)
	}
}

// by probes what rows are ordered or grouped by: expressions, names and positions of the select list.
func (a *analysis) by(items []*ast.ByItem, fields []field, s *scope) {
	for _, it := range items {
		if p, ok := it.Expr.(*ast.PositionExpr); ok {
			if p.N >= 1 && p.N <= len(fields) && known(fields[:p.N]) {
				a.probe(fields[p.N-1].value)
				continue
			}
			for i := range fields {
				a.probe(fields[i].value)
			}
			a.unresolved = a.unresolved || !known(fields)
			continue
		}
		a.probe(a.expr(it.Expr, s))
	}
}

func (a *analysis) limit(l *ast.Limit, s *scope) {
	if l == nil {
		return
	}
	a.features[action.FeatureLimit] = true
	for _, e := range []ast.ExprNode{l.Count, l.Offset} {
		if e != nil {
			a.probe(a.expr(e, s))
		}
	}
}

func (a *analysis) window(w *ast.WindowSpec, s *scope) {
	if w.PartitionBy != nil {
		a.by(w.PartitionBy.Items, nil, s)
	}
	a.orderBy(w.OrderBy, nil, s)
	if w.Frame != nil {
		for _, b := range []ast.FrameBound{w.Frame.Extent.Start, w.Frame.Extent.End} {
			if b.Expr != nil {
				a.probe(a.expr(b.Expr, s))
			}
		}
	}
}
