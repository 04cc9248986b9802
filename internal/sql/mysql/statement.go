package mysql

import (
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// statement is the dispatcher. What it does not know is an unknown statement, which policy blocks.
func (a *analysis) statement(n ast.StmtNode, st *sql.Statement) {
	switch x := n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt:
		a.verb("select")
		fields, ok := a.resultSet(x, nil)
		returns(st, fields, ok)
	case *ast.InsertStmt:
		a.insert(x)
	case *returningStmt:
		a.returning(x, st)
	case *workStmt:
		a.statement(x.StmtNode, st)
	case *ast.UpdateStmt:
		a.update(x)
	case *ast.DeleteStmt:
		a.delete(x)
	case *ast.LoadDataStmt:
		a.load(x)
	case *ast.CallStmt:
		a.verb("call")
		a.stored(x.Procedure, a.exprs(x.Procedure.Args, &scope{}))
		st.Returns = true
		a.effects |= sql.EffectNames | sql.EffectCatalog | sql.EffectOpaque
	case *ast.DoStmt:
		a.verb("do")
		for _, e := range x.Exprs {
			a.probe(a.expr(e, &scope{}))
		}
	case *ast.SetStmt:
		a.set(x)
	case *ast.UseStmt:
		a.verb("use")
		a.effects |= sql.EffectNames
		st.Name = x.DBName
	case *ast.ShowStmt:
		a.show(x)
		if x.Tp == ast.ShowWarnings || x.Tp == ast.ShowErrors {
			st.Name = "warnings"
		}
	case *ast.ExplainStmt:
		a.explain(x, st)
	case *ast.ExplainForStmt:
		a.verb("explain")
		a.features["session_texts"] = true
	case *ast.HelpStmt:
		a.verb("show")
	case *ast.PrepareStmt, *ast.ExecuteStmt, *ast.DeallocateStmt:
		a.prepared(x, st)
	case *ast.KillStmt:
		a.verb("kill")
		a.features["admin"] = true
		what := "connection"
		if x.Query {
			what = "query"
		}
		if x.Expr != nil || x.TiDBExtension {
			a.failed = true
		}
		a.features["kill"] = what + " " + strconv.FormatUint(x.ConnectionID, 10)
	default:
		if !a.transaction(n) && !a.schema(n, st) && !a.administration(n) {
			a.features["unknown_statement"] = true
			a.effects |= sql.EffectOpaque | sql.EffectNames | sql.EffectCatalog
			st.Returns = true
		}
	}
}

// transaction takes what begins and ends transactions.
func (a *analysis) transaction(n ast.StmtNode) bool {
	switch x := n.(type) {
	case *ast.BeginStmt:
		a.verb("begin")
		a.effects |= sql.EffectBegin
	case *ast.CommitStmt:
		a.verb("commit")
		a.effects |= sql.EffectEnd
	case *ast.RollbackStmt:
		a.verb("rollback")
		if x.SavepointName == "" {
			a.effects |= sql.EffectEnd
		}
	case *ast.SavepointStmt:
		a.verb("savepoint")
	case *ast.ReleaseSavepointStmt:
		a.verb("release")
	default:
		return false
	}
	a.features[action.FeatureTransaction] = true
	return true
}

// prepared takes the statements about prepared statements.
func (a *analysis) prepared(n ast.StmtNode, st *sql.Statement) {
	switch x := n.(type) {
	case *ast.PrepareStmt:
		a.verb("prepare")
		st.Name, st.Effects = strings.ToLower(x.Name), sql.EffectPrepare
		if x.SQLVar != nil {
			a.features[action.FeatureDynamic] = true
			return
		}
		inner := analyze(x.SQLText, a.env)
		if len(inner.Statements) != 1 || inner.Text != x.SQLText {
			// With comments it is another text to the server than to us.
			st.Inner = Unparsed(x.SQLText)
			a.features[action.FeatureDynamic] = true
			return
		}
		st.Inner = inner.Statements[0]
		a.inherit(st.Inner)
	case *ast.ExecuteStmt:
		a.verb("execute")
		st.Name, st.Effects, st.Returns = strings.ToLower(x.Name), sql.EffectExecute, true
	case *ast.DeallocateStmt:
		a.verb("deallocate")
		st.Name, st.Effects = strings.ToLower(x.Name), sql.EffectDeallocate
	}
}

// inherit takes over what blocks a statement, so that it is refused already when it is prepared.
func (a *analysis) inherit(st *sql.Statement) {
	for name, v := range st.Action.Features {
		if name != action.FeatureWhere && name != action.FeatureLimit {
			a.features[name] = v
		}
	}
}

// explain takes EXPLAIN and DESCRIBE. Plans, and the warnings that follow them, have values of the tables in
// them: no masked column may be named in what is explained.
func (a *analysis) explain(x *ast.ExplainStmt, st *sql.Statement) {
	if show, ok := x.Stmt.(*ast.ShowStmt); ok {
		a.show(show)
		return
	}
	if x.Stmt == nil || x.Explore || x.SQLDigest != "" || x.PlanDigest != "" {
		a.failed = true
		return
	}
	inner := &sql.Statement{}
	a.statement(x.Stmt, inner)
	a.verb("explain")
	if !x.Analyze {
		delete(a.verbs, "insert")
		delete(a.verbs, "update")
		delete(a.verbs, "delete")
	}
	v := value{from: a.named}
	for _, o := range inner.Outputs {
		v.add(value{from: o.Origins, unknown: o.Unknown})
	}
	a.flow(sql.Column{Schema: "explain", Table: "plan"}, computed(v))
	if !x.Analyze {
		for o, cols := range a.writes {
			for c := range cols {
				touch(a.reads, o, c)
			}
			touch(a.reads, o, "")
		}
		clear(a.writes)
	}
}
