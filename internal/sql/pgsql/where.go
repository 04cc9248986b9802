package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"dragoman.dev/dragoman/internal/action"
)

// whereFeature sets FeatureWhere when every UPDATE and DELETE of the statement
// has a WHERE that can be false; without any, when the query itself has.
func (a *analysis) whereFeature() {
	delete(a.features, action.FeatureWhere)
	ok := a.top != nil && topWhere(a.top)
	if len(a.dml) > 0 {
		ok = true
		for _, has := range a.dml {
			ok = ok && has
		}
	}
	if ok {
		a.feature(action.FeatureWhere)
	}
}

func topWhere(s *pg.SelectStmt) bool {
	if s.GetOp() > pg.SetOperation_SETOP_NONE {
		return topWhere(s.Larg) && topWhere(s.Rarg)
	}
	return canBeFalse(s.GetWhereClause(), false)
}

// canBeFalse reports whether a condition depends on the row in a way that is
// not plainly always true. It sees through constants, x = x, OR true and, when
// asked to, LIKE '%' (the one case that hangs on a literal's value); it cannot
// see through everything.
func canBeFalse(n *pg.Node, like bool) bool {
	switch v := n.GetNode().(type) {
	case nil:
		return false
	case *pg.Node_CurrentOfExpr:
		return true
	case *pg.Node_BoolExpr:
		switch v.BoolExpr.Boolop {
		case pg.BoolExprType_AND_EXPR:
			for _, arg := range v.BoolExpr.Args {
				if canBeFalse(arg, like) {
					return true
				}
			}
			return false
		case pg.BoolExprType_OR_EXPR:
			for _, arg := range v.BoolExpr.Args {
				if !canBeFalse(arg, like) {
					return false
				}
			}
			return true
		}
	case *pg.Node_AExpr:
		if sameColumn(v.AExpr.Lexpr, v.AExpr.Rexpr) || like && likeAll(v.AExpr) {
			return false
		}
	}
	return hasColumn(n.ProtoReflect())
}

func sameColumn(l, r *pg.Node) bool {
	x, y := l.GetColumnRef(), r.GetColumnRef()
	if x == nil || y == nil {
		return false
	}
	p, _ := fieldNames(x.Fields)
	q, _ := fieldNames(y.Fields)
	return len(p) > 0 && len(q) > 0 && p[len(p)-1] == q[len(q)-1] && (len(p) == 1 || len(q) == 1 || p[len(p)-2] == q[len(q)-2])
}

// likeAll reports x LIKE '%' and kin.
func likeAll(e *pg.A_Expr) bool {
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_SIMILAR:
		s := e.Rexpr.GetAConst().GetSval()
		return s != nil && strings.Trim(s.Sval, "%") == "" && s.Sval != ""
	}
	return false
}

// hasColumn reports whether a column reference is anywhere below.
func hasColumn(m protoreflect.Message) bool {
	return anywhere(m, func(m protoreflect.Message) bool {
		_, ok := m.Interface().(*pg.ColumnRef)
		return ok
	})
}

// anywhere reports whether m, or anything below it, is such a node.
func anywhere(m protoreflect.Message, is func(protoreflect.Message) bool) bool {
	if is(m) {
		return true
	}
	found := false
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for list, i := v.List(), 0; i < list.Len() && !found; i++ {
				found = anywhere(list.Get(i).Message(), is)
			}
		default:
			found = anywhere(v.Message(), is)
		}
		return !found
	})
	return found
}

// limitLocation keeps the shape for LIMIT n: Shape leaves a number after LIMIT
// as it is. Written otherwise, the fact depends on a literal.
func (a *analysis) limitLocation(n *pg.Node) {
	c := n.GetAConst()
	if c == nil || c.Isnull {
		return
	}
	at := int(c.Location)
	if at <= 0 || at > len(a.text) {
		a.literal = true
		return
	}
	before := strings.TrimRight(a.text[:at], " \t\r\n")
	if len(before) < 5 || len(before) == at || !strings.EqualFold(before[len(before)-5:], "limit") {
		a.literal = true
	}
}

// wholePattern: LIKE '%' is no condition, so a WHERE with a LIKE depends on its literal.
func (a *analysis) wholePattern(n *pg.Node) {
	if n == nil {
		return
	}
	if hasLike(n.ProtoReflect()) {
		a.literal = true
	}
}

func hasLike(m protoreflect.Message) bool {
	return anywhere(m, func(m protoreflect.Message) bool {
		e, ok := m.Interface().(*pg.A_Expr)
		if !ok {
			return false
		}
		switch e.Kind {
		case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_SIMILAR:
			return true
		}
		return false
	})
}
