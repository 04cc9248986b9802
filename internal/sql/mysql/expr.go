package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/types"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// userVariable is the column that stands for a user variable.
func userVariable(name string) sql.Column { return sql.Column{Table: "@", Name: strings.ToLower(name)} }

// expr analyses an expression and gives its value. What could tell about a column otherwise is probed.
func (a *analysis) expr(e ast.ExprNode, s *scope) value {
	if e == nil {
		return value{}
	}
	if !a.enter() {
		return value{unknown: true}
	}
	defer a.leave()
	switch x := e.(type) {
	case *ast.ColumnNameExpr:
		return a.column(x.Name, s)
	case *ast.ParenthesesExpr:
		return a.expr(x.Expr, s)
	case ast.ParamMarkerExpr, *ast.TimeUnitExpr, *ast.GetFormatSelectorExpr, *ast.TrimDirectionExpr, *ast.MaxValueExpr:
		return value{}
	case ast.ValueExpr:
		return value{}
	case *ast.SubqueryExpr:
		fields, ok := a.resultSet(x.Query, s)
		v := value{unknown: !ok}
		for i := range fields {
			v.add(fields[i].value)
		}
		return v
	case *ast.VariableExpr:
		return a.variable(x, s)
	case *ast.FuncCallExpr:
		return a.call(x, s)
	case *ast.AggregateFuncExpr:
		return a.aggregate(x, s)
	case *ast.WindowFuncExpr:
		a.window(&x.Spec, s)
		args := a.exprs(x.Args, s)
		if len(x.Args) > 1 || x.Distinct {
			a.probe(args...)
		}
		return computed(args...)
	case *ast.FuncCastExpr:
		v := a.expr(x.Expr, s)
		if t := x.Tp; t == nil || t.EvalType() != types.ETString || t.GetFlen() > 0 {
			a.probe(v)
		}
		return computed(v)
	case *ast.SetCollationExpr:
		return computed(a.expr(x.Expr, s))
	case *ast.DefaultExpr:
		return value{}
	case *ast.ValuesExpr:
		return computed(a.inserted)
	case *ast.ExistsSubqueryExpr:
		// Only whether there is a row counts; what chooses rows is probed within.
		a.expr(x.Sel, s)
		return value{}
	case *ast.RowExpr:
		return computed(a.exprs(x.Values, s)...)
	}
	args, ok := children(e)
	if !ok {
		a.failed = true
		return value{unknown: true}
	}
	values := a.exprs(args, s)
	if m, ok := e.(*ast.MatchAgainst); ok {
		for _, c := range m.ColumnNames {
			values = append(values, a.column(c, s))
		}
	}
	a.probe(values...)
	return computed(values...)
}

func (a *analysis) exprs(list []ast.ExprNode, s *scope) []value {
	out := make([]value, len(list))
	for i, e := range list {
		out[i] = a.expr(e, s)
	}
	return out
}

// children are the operands of an expression that computes.
func children(e ast.ExprNode) ([]ast.ExprNode, bool) {
	switch x := e.(type) {
	case *ast.BinaryOperationExpr:
		return []ast.ExprNode{x.L, x.R}, true
	case *ast.UnaryOperationExpr:
		return []ast.ExprNode{x.V}, true
	case *ast.BetweenExpr:
		return []ast.ExprNode{x.Expr, x.Left, x.Right}, true
	case *ast.CaseExpr:
		list := []ast.ExprNode{x.Value, x.ElseClause}
		for _, w := range x.WhenClauses {
			list = append(list, w.Expr, w.Result)
		}
		return list, true
	case *ast.CompareSubqueryExpr:
		return []ast.ExprNode{x.L, x.R}, true
	case *ast.PatternInExpr:
		return append([]ast.ExprNode{x.Expr, x.Sel}, x.List...), true
	case *ast.IsNullExpr:
		return []ast.ExprNode{x.Expr}, true
	case *ast.IsTruthExpr:
		return []ast.ExprNode{x.Expr}, true
	case *ast.PatternLikeOrIlikeExpr:
		return []ast.ExprNode{x.Expr, x.Pattern}, true
	case *ast.PatternRegexpExpr:
		return []ast.ExprNode{x.Expr, x.Pattern}, true
	case *ast.MatchAgainst:
		return []ast.ExprNode{x.Against}, true
	case *ast.PositionExpr:
		return nil, true
	}
	return nil, false
}

// variable is @name, @@name, or @name := value.
func (a *analysis) variable(x *ast.VariableExpr, s *scope) value {
	if x.Value != nil {
		v := a.expr(x.Value, s)
		if x.IsSystem {
			a.failed = true
		}
		a.flow(userVariable(x.Name), v)
		return computed(v)
	}
	return value{}
}

// simple reports whether an expression is a column, a constant, or of functions that are total over such: what comes of
// it is not so long that its length could make a difference.
func simple(e ast.ExprNode) bool {
	switch x := bare(e).(type) {
	case *ast.ColumnNameExpr:
		return true
	case ast.ValueExpr:
		s, isString := x.GetValue().(string)
		return !isString || len(s) < 1024
	case *ast.FuncCallExpr:
		return total[x.FnName.L] && x.Schema.O == "" && allSimple(x.Args)
	case *ast.SetCollationExpr:
		return simple(x.Expr)
	case *ast.TrimDirectionExpr:
		return true
	}
	return false
}

func allSimple(list []ast.ExprNode) bool {
	for _, e := range list {
		if !simple(e) {
			return false
		}
	}
	return true
}

// call is a function.
func (a *analysis) call(x *ast.FuncCallExpr, s *scope) value {
	args := a.exprs(x.Args, s)
	v := computed(args...)
	name := x.FnName.L
	if x.Schema.O == "" && builtin[name] {
		f := action.Function{Schema: "builtin", Name: name, Volatility: "stable"}
		switch {
		case name == "load_file":
			a.features[action.FeatureServerFile] = true
		case adminFunctions[name]:
			a.features["admin"] = true
		}
		if volatile[name] {
			f.Volatility = "volatile"
			a.flow(sql.Column{Table: "@", Name: name + "()"}, v)
		}
		a.function(f)
		if !total[name] || !allSimple(x.Args) {
			a.probe(args...)
		}
		return v
	}
	return a.stored(x, args)
}

// stored is code that is stored in the server, or loaded into it.
func (a *analysis) stored(x *ast.FuncCallExpr, args []value) value {
	v := computed(args...)
	db := x.Schema.O
	if db == "" {
		db = a.env.Database
	}
	if real, ok := a.env.Catalog.Database(db); ok {
		db = real
	}
	if _, ok := a.env.Catalog.Routine(db, x.FnName.L); !ok {
		a.unresolved = true
	}
	a.function(action.Function{Schema: db, Name: x.FnName.O, Opaque: true})
	a.effects |= sql.EffectOpaque
	a.probe(args...)
	v.unknown = true
	return v
}

// aggregate is a function over rows.
func (a *analysis) aggregate(x *ast.AggregateFuncExpr, s *scope) value {
	args := a.exprs(x.Args, s)
	a.orderBy(x.Order, nil, s)
	name := strings.ToLower(x.F)
	a.function(action.Function{Schema: "builtin", Name: name, Volatility: "immutable"})
	switch name {
	case "count":
		if x.Distinct || !allSimple(x.Args) {
			a.probe(args...)
		}
		return value{}
	case "max", "min", "any_value", "first_value", "last_value":
	default:
		a.probe(args...)
	}
	if x.Distinct || !allSimple(x.Args) {
		a.probe(args...)
	}
	return computed(args...)
}
