package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// constrains reports whether a condition can be false because of a row: it is not true, or the same for all rows.
func constrains(e ast.ExprNode) bool {
	switch x := bare(e).(type) {
	case *ast.BinaryOperationExpr:
		switch x.Op {
		case opcode.LogicAnd:
			return constrains(x.L) || constrains(x.R)
		case opcode.LogicOr:
			return constrains(x.L) && constrains(x.R)
		case opcode.EQ, opcode.NullEQ, opcode.GE, opcode.LE:
			if same(x.L, x.R) {
				return false
			}
		}
	}
	return names(e)
}

// same reports whether two expressions are one column.
func same(l, r ast.ExprNode) bool {
	x, ok := bare(l).(*ast.ColumnNameExpr)
	y, also := bare(r).(*ast.ColumnNameExpr)
	return ok && also && x.Name.Name.L == y.Name.Name.L && (x.Name.Table.L == y.Name.Table.L || x.Name.Table.L == "" || y.Name.Table.L == "")
}

// names reports whether an expression names a column anywhere.
func names(e ast.ExprNode) bool {
	f := &finder{}
	e.Accept(f)
	return f.found
}

type finder struct{ found bool }

func (f *finder) Enter(n ast.Node) (ast.Node, bool) {
	if _, ok := n.(*ast.ColumnNameExpr); ok {
		f.found = true
	}
	return n, f.found
}

func (f *finder) Leave(n ast.Node) (ast.Node, bool) { return n, true }
