package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// batch analyses the statements of a message, each with what those before it do to names.
func batch(nodes []ast.StmtNode, text string, env Env) []*sql.Statement {
	out := make([]*sql.Statement, 0, len(nodes))
	at := 0
	shifted, unsure := false, false
	for _, n := range nodes {
		part := n.OriginalText()
		start := at
		if i := strings.Index(text[at:], part); i >= 0 {
			start = at + i
		}
		at = min(start+len(part), len(text))
		part = strings.TrimRight(part, "; \t\r\n")
		if shifted {
			// The text may be read in another way by now.
			st := Unparsed(part)
			st.Start, st.End = start, at
			out = append(out, st)
			continue
		}
		st := statement(n, part, env)
		st.Start, st.End = start, at
		if unsure && needsNames(st) {
			st = uncertain(st)
		}
		out = append(out, st)
		switch use, isUse := n.(*ast.UseStmt); {
		case isUse:
			env.Database = use.DBName
		case st.Effects&sql.EffectOpaque != 0:
			shifted = true
		case st.Effects&sql.EffectCatalog != 0:
			unsure = true
		case st.Effects&sql.EffectNames != 0:
			shifted = shifted || changesReading(n)
		}
	}
	return out
}

// changesReading reports whether a SET changes how texts are read.
func changesReading(n ast.StmtNode) bool {
	s, ok := n.(*ast.SetStmt)
	if !ok {
		return true
	}
	for _, v := range s.Variables {
		if v.IsSystem && !harmlessReading[strings.ToLower(v.Name)] || v.Name == ast.SetNames || v.Name == ast.SetCharset {
			return true
		}
	}
	return false
}

// harmlessReading are variables that have no part in how a text is read.
var harmlessReading = set(`autocommit time_zone tx_isolation transaction_isolation wait_timeout foreign_key_checks unique_checks
sql_select_limit sql_safe_updates max_statement_time max_execution_time net_write_timeout net_read_timeout lock_wait_timeout
innodb_lock_wait_timeout group_concat_max_len character_set_results sql_quote_show_create sql_notes sql_warnings tx_read_only
transaction_read_only interactive_timeout insert_id last_insert_id timestamp`)

func needsNames(st *sql.Statement) bool {
	a := &st.Action
	return len(a.Reads) > 0 || len(a.Writes) > 0 || len(a.Functions) > 0
}

// uncertain is a statement whose names may mean something else when it runs.
func uncertain(st *sql.Statement) *sql.Statement {
	b := *st
	b.Action.Features = map[string]any{action.FeatureUnresolved: true}
	for k, v := range st.Action.Features {
		b.Action.Features[k] = v
	}
	b.Outputs = nil
	return &b
}

// statement analyses one statement.
func statement(n ast.StmtNode, text string, env Env) *sql.Statement {
	a := newAnalysis(env)
	st := &sql.Statement{}
	a.statement(n, st)
	if a.failed {
		return Unparsed(text)
	}
	_, digest := parser.NormalizeDigest(text)
	st.Action = a.action(text, digest.String()[:32])
	st.Probes, st.Flows = sorted(a.probes), a.flows
	st.Effects |= a.effects
	return st
}

// returns says what a statement returns.
func returns(st *sql.Statement, fields []field, ok bool) {
	st.Returns = true
	if !ok || !known(fields) {
		return
	}
	st.Outputs = make([]sql.Output, len(fields))
	for i := range fields {
		f := &fields[i]
		st.Outputs[i] = sql.Output{Name: f.name, Origins: f.list(), Direct: f.direct, Unknown: f.unknown}
	}
}
