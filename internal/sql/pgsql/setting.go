package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// setConfig is set_config(name, value, local): SET in an expression.
func (a *analysis) setConfig(c *pg.FuncCall, sc *scope) {
	a.literal = true
	a.verb("set")
	a.effect(sql.EffectNames)
	name := "expression"
	if len(c.Args) > 0 {
		if s := c.Args[0].GetAConst().GetSval(); s != nil {
			name = strings.ToLower(s.Sval)
		} else if isColumn(c.Args[0], "name") && sc != nil && sc.setting != "" {
			name = sc.setting
		}
	}
	a.setting(name)
	if name == "expression" {
		a.feature(action.FeatureOpaque)
	}
}

// oneSetting is the setting that a query over the server's own list of them can be about, "" when there may be others:
// pg_dump sets what it needs where the server knows it, by SELECT set_config(name, …) FROM pg_settings WHERE name = '…'.
func oneSetting(s *pg.SelectStmt, from source) string {
	if len(s.FromClause) != 1 || len(from.items) != 1 {
		return ""
	}
	rv, rel, where := s.FromClause[0].GetRangeVar(), from.items[0].rel, s.WhereClause.GetAExpr()
	if rv == nil || rv.Alias != nil || rel == nil || rel.OID >= firstOwnOID || rel.Schema != "pg_catalog" || rel.Name != "pg_settings" ||
		where == nil || where.Kind != pg.A_Expr_Kind_AEXPR_OP || len(where.Name) != 1 || where.Name[0].GetString_().GetSval() != "=" || !isColumn(where.Lexpr, "name") {
		return ""
	}
	return strings.ToLower(where.Rexpr.GetAConst().GetSval().GetSval())
}

// isColumn reports whether an expression is just this column's plain name.
func isColumn(n *pg.Node, name string) bool {
	f := n.GetColumnRef().GetFields()
	return len(f) == 1 && f[0].GetString_().GetSval() == name
}

// setting records that a setting is changed.
func (a *analysis) setting(name string) {
	name = strings.ToLower(name)
	if old, ok := a.features[action.FeatureSetting].(string); ok && old != name {
		name = old + "," + name
	}
	a.mark(action.FeatureSetting, name)
	switch name {
	case "role", "session_authorization", "expression":
		a.feature(action.FeatureRole)
	}
}
