package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

func lower(s string) string { return strings.ToLower(s) }

// UserVariables is the setting of a SET that sets user variables only.
const UserVariables = "user variables"

// set takes SET of variables, names and transactions.
func (a *analysis) set(x *ast.SetStmt) {
	a.verb("set")
	var settings []string
	note := func(name string) {
		if !slices.Contains(settings, name) {
			settings = append(settings, name)
		}
	}
	for _, v := range x.Variables {
		name := lower(v.Name)
		val := value{}
		if v.Value != nil {
			val = a.setValue(v)
		}
		switch {
		case v.Name == ast.SetNames || v.Name == ast.SetCharset:
			note("names")
			a.effects |= sql.EffectNames
		case !v.IsSystem:
			note(UserVariables)
			a.flow(userVariable(name), val)
		default:
			if v.IsGlobal {
				a.features["admin"] = true
			}
			note(name)
			a.probe(val)
			a.flow(sql.Column{Table: "@@", Name: name}, val)
			a.effects |= sql.EffectNames
		}
	}
	a.features[action.FeatureSetting] = strings.Join(settings, ",")
}

// setValue: a bare word is a value of the variable, not a column.
func (a *analysis) setValue(v *ast.VariableAssignment) value {
	if c, ok := v.Value.(*ast.ColumnNameExpr); ok && c.Name.Table.O == "" {
		return value{}
	}
	if v.IsSystem && extension(v.Value) {
		return value{} // of settings and constants: as harmless as a constant
	}
	return a.expr(v.Value, &scope{})
}

// extension reports whether an expression puts words behind a setting, as drivers do at a session's start:
// CONCAT of settings and constants, or a SELECT of it from nowhere.
func extension(e ast.ExprNode) bool {
	if q, ok := e.(*ast.SubqueryExpr); ok {
		s, ok := q.Query.(*ast.SelectStmt)
		return ok && justFields(s) && s.From == nil && len(s.Fields.Fields) == 1 && s.Fields.Fields[0].Expr != nil && extension(s.Fields.Fields[0].Expr)
	}
	f, ok := e.(*ast.FuncCallExpr)
	if !ok || f.FnName.L != "concat" || f.Schema.L != "" {
		return false
	}
	for _, arg := range f.Args {
		switch x := arg.(type) {
		case ast.ValueExpr:
		case *ast.VariableExpr:
			if !x.IsSystem || x.Value != nil {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// show takes SHOW, which tells about the server and its schema, not about data.
func (a *analysis) show(x *ast.ShowStmt) {
	a.verb("show")
	switch x.Tp {
	case ast.ShowProcessList, ast.ShowProfiles, ast.ShowProfile:
		a.features["session_texts"] = true
	case ast.ShowCreateUser:
		a.features["credentials"] = true
	case ast.ShowStatsTopN, ast.ShowStatsBuckets, ast.ShowStatsHistograms:
		a.features["statistics"] = true
	}
	s := &scope{rels: []*relation{{loose: true}}}
	for _, e := range []ast.ExprNode{x.Where} {
		if e != nil {
			a.probe(a.expr(e, s))
		}
	}
	if x.Pattern != nil && x.Pattern.Pattern != nil {
		a.probe(a.expr(x.Pattern.Pattern, s))
	}
}

// administration takes what acts on the server, on users, or on how tables are kept.
func (a *analysis) administration(n ast.StmtNode) bool {
	switch x := n.(type) {
	case *ast.AnalyzeTableStmt:
		a.verb("analyze")
		for _, t := range x.TableNames {
			a.existing(t)
		}
		if x.HistogramOperation != ast.HistogramOperationNop {
			a.features["admin"] = true
		}
	case *ast.OptimizeTableStmt:
		a.verb("analyze")
		for _, t := range x.Tables {
			a.existing(t)
		}
	case *ast.LockTablesStmt:
		a.verb("lock")
		a.features[action.FeatureLocking] = true
		a.effects |= sql.EffectEnd
		for _, l := range x.TableLocks {
			a.existing(l.Table)
		}
	case *ast.UnlockTablesStmt:
		a.verb("unlock")
		a.effects |= sql.EffectEnd
	case *ast.FlushStmt:
		a.verb("flush")
		a.features["admin"] = true
	case *ast.GrantStmt, *ast.GrantRoleStmt, *ast.GrantProxyStmt:
		a.verb("grant")
		a.features["admin"] = true
		a.effects |= sql.EffectEnd
	case *ast.RevokeStmt, *ast.RevokeRoleStmt:
		a.verb("revoke")
		a.features["admin"] = true
		a.effects |= sql.EffectEnd
	case *ast.CreateUserStmt, *ast.AlterUserStmt, *ast.DropUserStmt, *ast.RenameUserStmt, *ast.SetPwdStmt:
		a.verb("alter")
		a.features["admin"] = true
		a.effects |= sql.EffectEnd
	case *ast.SetRoleStmt, *ast.SetDefaultRoleStmt:
		a.verb("set")
		a.features[action.FeatureRole] = true
		a.effects |= sql.EffectNames
	case *ast.ShutdownStmt, *ast.RestartStmt, *ast.BinlogStmt, *ast.AlterInstanceStmt:
		a.verb("shutdown")
		a.features["admin"] = true
		a.features[action.FeatureReplication] = true
	default:
		return false
	}
	return true
}
