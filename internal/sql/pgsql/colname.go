package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// figureName is the name that PostgreSQL gives to a result column without AS.
func figureName(n *pg.Node) string {
	if name, _ := figure(n); name != "" {
		return name
	}
	return "?column?"
}

// figure returns the name and how strong it is: 0 none, 1 weak (a type), 2 strong.
func figure(n *pg.Node) (string, int) {
	switch v := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		if names, _ := fieldNames(v.ColumnRef.Fields); len(names) > 0 {
			return names[len(names)-1], 2
		}
	case *pg.Node_AIndirection:
		if names, _ := fieldNames(v.AIndirection.Indirection); len(names) > 0 {
			return names[len(names)-1], 2
		}
		return figure(v.AIndirection.Arg)
	case *pg.Node_FuncCall:
		if names, _ := fieldNames(v.FuncCall.Funcname); len(names) > 0 {
			return names[len(names)-1], 2
		}
	case *pg.Node_AExpr:
		if v.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", 2
		}
	case *pg.Node_TypeCast:
		if name, strength := figure(v.TypeCast.Arg); strength > 1 {
			return name, strength
		}
		if names, _ := fieldNames(v.TypeCast.TypeName.GetNames()); len(names) > 0 {
			return names[len(names)-1], 1
		}
	case *pg.Node_CollateClause:
		return figure(v.CollateClause.Arg)
	case *pg.Node_SubLink:
		return figureSubLink(v.SubLink)
	case *pg.Node_CaseExpr:
		if name, strength := figure(v.CaseExpr.Defresult); strength > 1 {
			return name, strength
		}
		return "case", 1
	}
	return figureKeyword(n)
}

func figureSubLink(s *pg.SubLink) (string, int) {
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		return "exists", 2
	case pg.SubLinkType_ARRAY_SUBLINK:
		return "array", 2
	case pg.SubLinkType_EXPR_SUBLINK:
		sel := s.Subselect.GetSelectStmt()
		for sel.GetLarg() != nil {
			sel = sel.Larg
		}
		if list := sel.GetTargetList(); len(list) > 0 {
			rt := list[0].GetResTarget()
			if rt.GetName() != "" {
				return rt.Name, 2
			}
			return figure(rt.GetVal())
		}
		if len(sel.GetValuesLists()) > 0 {
			return "column1", 2
		}
	}
	return "", 0
}

// figureKeyword names what the grammar has as keywords.
func figureKeyword(n *pg.Node) (string, int) {
	switch v := n.GetNode().(type) {
	case *pg.Node_GroupingFunc:
		return "grouping", 2
	case *pg.Node_MergeSupportFunc:
		return "merge_action", 2
	case *pg.Node_AArrayExpr:
		return "array", 2
	case *pg.Node_RowExpr:
		return "row", 2
	case *pg.Node_CoalesceExpr:
		return "coalesce", 2
	case *pg.Node_MinMaxExpr:
		if v.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			return "least", 2
		}
		return "greatest", 2
	case *pg.Node_SqlvalueFunction:
		name := strings.ToLower(strings.TrimPrefix(v.SqlvalueFunction.Op.String(), "SVFOP_"))
		return strings.TrimSuffix(name, "_n"), 2
	case *pg.Node_XmlExpr:
		name := strings.ToLower(strings.TrimPrefix(v.XmlExpr.Op.String(), "IS_"))
		if name == "document" {
			return "", 0
		}
		return name, 2
	case *pg.Node_XmlSerialize:
		return "xmlserialize", 2
	}
	return figureJSON(n)
}

func figureJSON(n *pg.Node) (string, int) {
	switch v := n.GetNode().(type) {
	case *pg.Node_JsonParseExpr:
		return "json", 2
	case *pg.Node_JsonScalarExpr:
		return "json_scalar", 2
	case *pg.Node_JsonSerializeExpr:
		return "json_serialize", 2
	case *pg.Node_JsonObjectConstructor:
		return "json_object", 2
	case *pg.Node_JsonArrayConstructor, *pg.Node_JsonArrayQueryConstructor:
		return "json_array", 2
	case *pg.Node_JsonObjectAgg:
		return "json_objectagg", 2
	case *pg.Node_JsonArrayAgg:
		return "json_arrayagg", 2
	case *pg.Node_JsonFuncExpr:
		switch v.JsonFuncExpr.Op {
		case pg.JsonExprOp_JSON_EXISTS_OP:
			return "json_exists", 2
		case pg.JsonExprOp_JSON_QUERY_OP:
			return "json_query", 2
		case pg.JsonExprOp_JSON_VALUE_OP:
			return "json_value", 2
		}
	}
	return "", 0
}
