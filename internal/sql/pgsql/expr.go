package pgsql

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func itoa(n int) string { return strconv.Itoa(n) }

// expr is the lineage of an expression's value. What it refers to counts as
// read, what it calls as called. Nodes without a case of their own give the
// union of all that is below them.
func (a *analysis) expr(n *pg.Node, sc *scope) lineage {
	if n.GetNode() == nil {
		return lineage{}
	}
	a.spend(1)
	if a.exhausted() {
		return nowhere
	}
	switch v := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return a.columnRef(v.ColumnRef, sc)
	case *pg.Node_AConst:
		return lineage{}
	case *pg.Node_ParamRef, *pg.Node_SetToDefault:
		return lineage{}
	case *pg.Node_TypeCast:
		return a.typeCast(v.TypeCast, sc)
	case *pg.Node_CollateClause:
		l := a.expr(v.CollateClause.Arg, sc)
		l.item = nil
		return l
	case *pg.Node_FuncCall:
		return a.funcCall(v.FuncCall, sc)
	case *pg.Node_AExpr:
		return a.operation(v.AExpr, sc)
	case *pg.Node_SubLink:
		return a.subLink(v.SubLink, sc)
	case *pg.Node_AIndirection:
		return a.indirect(v.AIndirection.Arg, v.AIndirection.Indirection, sc)
	case *pg.Node_RowExpr:
		l := a.all(v.RowExpr.Args, sc)
		l.rows, l.typ = true, oidRecord
		return l
	case *pg.Node_AArrayExpr:
		return a.arrayExpr(v.AArrayExpr, sc)
	case *pg.Node_CaseExpr:
		return a.caseExpr(v.CaseExpr, sc)
	case *pg.Node_CoalesceExpr:
		return a.all(v.CoalesceExpr.Args, sc)
	case *pg.Node_List:
		return a.all(v.List.Items, sc)
	case *pg.Node_BoolExpr:
		l := a.all(v.BoolExpr.Args, sc)
		a.probe(l) // true AND NULL is NULL, false AND NULL is not
		return l
	case *pg.Node_SelectStmt, *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
		return a.rowLineage(a.query(n, sc))
	case *pg.Node_CurrentOfExpr:
		return lineage{}
	}
	return a.generic(n, sc)
}

func (a *analysis) all(list []*pg.Node, sc *scope) lineage {
	var l lineage
	for _, n := range list {
		l = a.join(l, a.expr(n, sc))
	}
	return l
}

// rowLineage is all of a result taken together.
func (a *analysis) rowLineage(r rowset) lineage {
	var l lineage
	for i := range r.columns {
		l = a.join(l, r.columns[i].lineage)
	}
	l.unknown = l.unknown || r.open
	return l
}

// arrayExpr is ARRAY[…]; its type is the array over its elements' type, or an
// array of something that is no row.
func (a *analysis) arrayExpr(e *pg.A_ArrayExpr, sc *scope) lineage {
	var l lineage
	var elem uint32
	for _, n := range e.Elements {
		x := a.expr(n, sc)
		if elem == 0 {
			elem = x.typ
		}
		if a.isArray(x.typ) {
			a.probe(x) // fails when their dimensions differ
		}
		l = a.join(l, x)
	}
	if t := a.cat.types[elem]; t != nil {
		l.typ = a.arrayOf(t)
	}
	if l.typ == 0 && !l.rows {
		l.typ = oidTextArray
	}
	return l
}

// operation is an operator, or what is written like one: IN, LIKE, BETWEEN, NULLIF.
func (a *analysis) operation(e *pg.A_Expr, sc *scope) lineage {
	a.operator(e.Name)
	left, right := a.expr(e.Lexpr, sc), a.expr(e.Rexpr, sc)
	l := a.join(left, right)
	if !a.concatenates(e, left, right) {
		a.probe(l)
	}
	return l
}

func (a *analysis) caseExpr(c *pg.CaseExpr, sc *scope) lineage {
	arg := a.expr(c.Arg, sc)
	a.probe(arg)
	l := a.join(arg, a.expr(c.Defresult, sc))
	for _, w := range c.Args {
		if when := w.GetCaseWhen(); when != nil {
			condition := a.expr(when.Expr, sc)
			a.probe(condition)
			l = a.join(l, a.join(condition, a.expr(when.Result, sc)))
		} else {
			l = a.join(l, a.expr(w, sc))
		}
	}
	return l
}

func (a *analysis) subLink(s *pg.SubLink, sc *scope) lineage {
	a.operator(s.OperName)
	test := a.expr(s.Testexpr, sc)
	sel := s.Subselect.GetSelectStmt()
	if s.SubLinkType == pg.SubLinkType_EXISTS_SUBLINK && sel != nil {
		return a.join(test, a.rowLineage(a.selectStmt(sel, sc, true)))
	}
	out := a.query(s.Subselect, sc)
	if s.SubLinkType == pg.SubLinkType_EXPR_SUBLINK && len(out.columns) == 1 && !out.open {
		l := out.columns[0].lineage
		l.item = nil
		return l
	}
	l := a.join(test, a.rowLineage(out))
	if s.SubLinkType != pg.SubLinkType_ARRAY_SUBLINK {
		a.probe(l) // compared
	}
	if s.SubLinkType == pg.SubLinkType_ARRAY_SUBLINK && len(out.columns) == 1 {
		if t := a.cat.types[out.columns[0].lineage.typ]; t != nil {
			l.typ = a.arrayOf(t)
		}
		if l.typ == 0 && !l.rows {
			l.typ = oidTextArray
		}
	}
	if s.SubLinkType == pg.SubLinkType_ANY_SUBLINK || s.SubLinkType == pg.SubLinkType_ALL_SUBLINK {
		l.rows = false
	}
	return l
}

// indirect is a subscript, a field or a function in field notation: (x).y, x[1].
func (a *analysis) indirect(arg *pg.Node, steps []*pg.Node, sc *scope) lineage {
	l := a.expr(arg, sc)
	for _, s := range steps {
		switch v := s.GetNode().(type) {
		case *pg.Node_String_:
			l = a.fieldOf(l, v.String_.Sval)
		case *pg.Node_AIndices:
			rows := l.rows
			at := a.join(a.expr(v.AIndices.Lidx, sc), a.expr(v.AIndices.Uidx, sc))
			a.probe(at)
			if !a.isArray(l.typ) {
				a.probe(l) // of jsonb: NULL when there is no such key
			}
			l = a.join(derived(l), at)
			l.rows = rows
		default:
			l = derived(l)
			l.rows = true
		}
	}
	return l
}

func (a *analysis) fieldOf(l lineage, name string) lineage {
	if l.item != nil {
		return a.field([]*item{l.item}, name)
	}
	if r := a.cat.composite(l.typ); r != nil {
		i := r.column(name)
		if i < 0 {
			return a.callNamed("", name, []lineage{l})
		}
		l = derived(l)
		l.typ, l.rows = r.Columns[i].Type, a.cat.holdsRows(r.Columns[i].Type)
		return l
	}
	// The type is not known. If a function of that name exists, it may be meant.
	if len(a.candidates("", name)) > 0 {
		return a.join(a.callNamed("", name, []lineage{l}), derived(l))
	}
	l = derived(l)
	l.rows = true
	return l
}

// generic visits all that is below a node that has no case of its own.
func (a *analysis) generic(n *pg.Node, sc *scope) lineage {
	if n.GetNode() == nil {
		return lineage{}
	}
	m := n.ProtoReflect()
	fd := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if fd == nil {
		return lineage{}
	}
	l := a.message(m.Get(fd).Message(), sc)
	if !shows(n) {
		a.probe(l)
	}
	return l
}

// message is the union of everything below a parse tree message.
func (a *analysis) message(m protoreflect.Message, sc *scope) lineage {
	var l lineage
	if !m.IsValid() || a.exhausted() {
		return l
	}
	a.spend(1)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil {
			return true
		}
		if fd.IsList() {
			for list, i := v.List(), 0; i < list.Len(); i++ {
				l = a.join(l, a.below(list.Get(i).Message(), sc))
			}
			return true
		}
		l = a.join(l, a.below(v.Message(), sc))
		return true
	})
	return l
}

// below dispatches on the kind of message that a field holds.
func (a *analysis) below(m protoreflect.Message, sc *scope) lineage {
	switch v := m.Interface().(type) {
	case *pg.Node:
		return a.loose(v, sc)
	case *pg.RangeVar:
		return a.wholeRow(a.readTable(v))
	case *pg.SelectStmt:
		return a.rowLineage(a.selectStmt(v, sc, false))
	case *pg.TypeName:
		a.typeName(v)
		return lineage{}
	case *pg.WindowDef:
		return a.window(v, sc)
	case *pg.FuncCall:
		return a.funcCall(v, sc)
	case *pg.WithClause:
		inner := &scope{parent: sc}
		a.with(v, inner)
		return lineage{}
	}
	return a.message(m, sc)
}

// loose is expr for a node whose parent was not understood.
func (a *analysis) loose(n *pg.Node, sc *scope) lineage {
	switch v := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		return a.wholeRow(a.readTable(v.RangeVar))
	case *pg.Node_TypeName:
		a.typeName(v.TypeName)
		return lineage{}
	case *pg.Node_WindowDef:
		return a.window(v.WindowDef, sc)
	}
	return a.expr(n, sc)
}
