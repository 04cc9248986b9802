package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// statement analyses a whole statement; the result is nil when there is none
// or its columns are not known.
func (a *analysis) statement(n *pg.Node, st *sql.Statement) *rowset {
	switch v := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		a.top = v.SelectStmt
		out := a.selectStmt(v.SelectStmt, nil, false)
		st.Returns = v.SelectStmt.IntoClause == nil
		return result(st, out)
	case *pg.Node_InsertStmt:
		st.Returns = len(v.InsertStmt.ReturningList) > 0
		return result(st, a.insert(v.InsertStmt, nil))
	case *pg.Node_UpdateStmt:
		st.Returns = len(v.UpdateStmt.ReturningList) > 0
		return result(st, a.update(v.UpdateStmt, nil))
	case *pg.Node_DeleteStmt:
		st.Returns = len(v.DeleteStmt.ReturningList) > 0
		return result(st, a.delete(v.DeleteStmt, nil))
	case *pg.Node_MergeStmt:
		st.Returns = len(v.MergeStmt.ReturningList) > 0
		return result(st, a.merge(v.MergeStmt, nil))
	case *pg.Node_CopyStmt:
		return a.copyStmt(v.CopyStmt, st)
	case *pg.Node_ExplainStmt:
		return a.explain(v.ExplainStmt, st)
	case *pg.Node_PrepareStmt, *pg.Node_ExecuteStmt, *pg.Node_DeallocateStmt, *pg.Node_DeclareCursorStmt, *pg.Node_FetchStmt, *pg.Node_ClosePortalStmt:
		return a.nameStmt(n, st)
	case *pg.Node_TransactionStmt:
		a.transaction(v.TransactionStmt)
		return nil
	case *pg.Node_VariableSetStmt:
		a.setStmt(v.VariableSetStmt)
		return nil
	case *pg.Node_VariableShowStmt:
		a.verb("show")
		st.Returns = true
		if v.VariableShowStmt.Name == "all" {
			return &rowset{columns: []column{{name: "name"}, {name: "setting"}, {name: "description"}}}
		}
		return &rowset{columns: []column{{name: showName(v.VariableShowStmt.Name)}}}
	case *pg.Node_DoStmt:
		a.verb("do")
		a.feature(action.FeatureDynamic)
		a.feature(action.FeatureOpaque)
		a.effect(sql.EffectOpaque)
		return nil
	case *pg.Node_CallStmt:
		a.verb("call")
		st.Returns = true
		if v.CallStmt.Funccall != nil {
			a.probe(a.funcCall(v.CallStmt.Funccall, nil))
		}
		return nil
	case *pg.Node_ViewStmt:
		a.viewStmt(v.ViewStmt)
		return nil
	case *pg.Node_CreateTableAsStmt:
		a.createTableAs(v.CreateTableAsStmt, st)
		return nil
	}
	a.utility(n)
	return nil
}

// showName is a setting's name as SHOW spells it.
func showName(name string) string {
	switch lower(name) {
	case "timezone":
		return "TimeZone"
	case "datestyle":
		return "DateStyle"
	case "intervalstyle":
		return "IntervalStyle"
	}
	return name
}

func result(st *sql.Statement, out rowset) *rowset {
	if !st.Returns || out.open {
		return nil
	}
	return &out
}

// inner analyses the statement below PREPARE, DECLARE or EXPLAIN as one of its own.
func (a *analysis) inner(n *pg.Node) *sql.Statement {
	b := newAnalysis(a.env, a.batch)
	b.text, b.work = a.text, a.work
	st := &sql.Statement{Start: a.stmt.Start, End: a.stmt.End}
	st.Action.Text = a.stmt.Action.Text
	b.stmt = st
	out := b.statement(n, st)
	b.whereFeature()
	b.finish(st, out)
	a.spend(b.work - a.work)
	return st
}

// nameStmt are the statements about prepared statements and cursors.
func (a *analysis) nameStmt(n *pg.Node, st *sql.Statement) *rowset {
	switch v := n.GetNode().(type) {
	case *pg.Node_PrepareStmt:
		st.Name, st.Inner = v.PrepareStmt.Name, a.inner(v.PrepareStmt.Query)
		for _, t := range v.PrepareStmt.Argtypes {
			a.typeName(t.GetTypeName())
		}
		a.statement(v.PrepareStmt.Query, &sql.Statement{})
		a.verb("prepare")
		a.effect(sql.EffectPrepare)
	case *pg.Node_DeclareCursorStmt:
		st.Name, st.Inner = v.DeclareCursorStmt.Portalname, a.inner(v.DeclareCursorStmt.Query)
		a.statement(v.DeclareCursorStmt.Query, &sql.Statement{})
		a.verb("declare")
		a.effect(sql.EffectCursor)
	case *pg.Node_ExecuteStmt:
		a.execute(v.ExecuteStmt, st)
		st.Returns = true
	case *pg.Node_DeallocateStmt:
		st.Name = v.DeallocateStmt.Name
		a.verb("deallocate")
		a.effect(sql.EffectDeallocate)
	case *pg.Node_FetchStmt:
		st.Name, st.Returns = v.FetchStmt.Portalname, !v.FetchStmt.Ismove
		a.verb(map[bool]string{false: "fetch", true: "move"}[v.FetchStmt.Ismove])
		a.effect(sql.EffectFetch)
	case *pg.Node_ClosePortalStmt:
		st.Name = v.ClosePortalStmt.Portalname
		a.verb("close")
	}
	return nil
}

func (a *analysis) execute(e *pg.ExecuteStmt, st *sql.Statement) {
	st.Name = e.Name
	a.verb("execute")
	a.effect(sql.EffectExecute)
	a.probe(a.all(e.Params, nil))
}

// explain has the facts of what it explains; its one column of text may show
// anything that the plan is made from.
func (a *analysis) explain(e *pg.ExplainStmt, st *sql.Statement) *rowset {
	mode := "plan"
	for _, o := range e.Options {
		if d := o.GetDefElem(); d.GetDefname() == "analyze" && !isFalse(d.GetArg()) {
			mode = "analyze"
		}
	}
	st.Returns = true
	var l lineage
	if x := e.Query.GetExecuteStmt(); x != nil {
		a.execute(x, st)
		a.feature(action.FeatureDynamic)
		l = nowhere
	} else {
		inner := &sql.Statement{}
		out := a.statement(e.Query, inner)
		switch {
		case out != nil:
			l = derived(a.rowLineage(*out))
		case inner.Returns:
			l = nowhere
		}
	}
	a.effects &^= sql.EffectCopyIn | sql.EffectCopyOut
	a.verb("explain")
	a.mark(FeatureExplain, mode)
	l = a.join(l, lineage{set: a.probes, unknown: a.lost})
	return &rowset{columns: []column{{name: "QUERY PLAN", lineage: l}}}
}

// isFalse reports an option that is spelled as off.
func isFalse(n *pg.Node) bool {
	switch v := n.GetNode().(type) {
	case *pg.Node_String_:
		switch v.String_.Sval {
		case "false", "off", "FALSE", "OFF":
			return true
		}
	case *pg.Node_Integer:
		return v.Integer.Ival == 0
	case *pg.Node_Boolean:
		return !v.Boolean.Boolval
	}
	return false
}

func (a *analysis) transaction(t *pg.TransactionStmt) {
	a.feature(action.FeatureTransaction)
	switch t.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		a.verb("begin")
		a.effect(sql.EffectBegin)
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		a.verb("commit")
		a.effect(sql.EffectEnd)
		a.chain(t)
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		a.verb("rollback")
		a.effect(sql.EffectEnd)
		a.chain(t)
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		a.verb("savepoint")
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		a.verb("release")
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		a.verb("rollback")
		a.effect(sql.EffectNames | sql.EffectCatalog)
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		a.verb("prepare_transaction")
		a.effect(sql.EffectEnd)
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		a.verb("commit_prepared")
		a.effect(sql.EffectNames | sql.EffectCatalog)
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		a.verb("rollback_prepared")
	default:
		a.verb("begin")
		a.feature(FeatureUnknownStatement)
	}
}

// chain: COMMIT AND CHAIN ends a block and opens the next.
func (a *analysis) chain(t *pg.TransactionStmt) {
	if t.Chain {
		a.effect(sql.EffectBegin)
	}
}

// namesSettings change what later text means.
var namesSettings = map[string]bool{
	"search_path": true, "role": true, "session_authorization": true, "standard_conforming_strings": true,
	"client_encoding": true, "backslash_quote": true, "transform_null_equals": true, "expression": true,
}

func (a *analysis) setStmt(s *pg.VariableSetStmt) {
	switch s.Kind {
	case pg.VariableSetKind_VAR_RESET, pg.VariableSetKind_VAR_RESET_ALL:
		a.verb("reset")
	default:
		a.verb("set")
	}
	if s.Kind == pg.VariableSetKind_VAR_SET_MULTI {
		a.feature(action.FeatureTransaction)
		a.setting("transaction")
		return
	}
	name := s.Name
	if s.Kind == pg.VariableSetKind_VAR_RESET_ALL {
		name = "all"
		a.effect(sql.EffectNames)
	}
	a.setting(name)
	if namesSettings[lower(name)] {
		a.effect(sql.EffectNames)
	}
}
