package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// A mask hides a value. It hides neither that an expression over the value raises
// an error, gives NULL or takes long, and each of them can answer any question
// about it: CASE WHEN ssn LIKE '2%' THEN 1/0 END, nullif(ssn, '…'),
// jsonb_build_object(ssn, 1) -> '…'. So whatever is computed from a column
// counts as a probe of it, unless all that is done to it is listed here as
// total: it ends without an error, is NULL only if the column is, and takes a
// time that depends on lengths alone.

// anyArgument stands for all arguments of a function.
const anyArgument = 99

// totals are core functions that are total in their first so many arguments.
// The others decide about the result, and are probed.
var totals = map[string]int{
	"upper": 1, "lower": 1, "initcap": 1, "btrim": 2, "ltrim": 2, "rtrim": 2, "substr": 1, "substring": 1, "left": 1, "right": 1,
	"reverse": 1, "overlay": 2, "translate": 1, "split_part": 1, "lpad": 1, "rpad": 1, "quote_literal": 1, "quote_ident": 1, "quote_nullable": 1,
	"length": 1, "char_length": 1, "character_length": 1, "octet_length": 1, "bit_length": 1,
	"md5": 1, "sha224": 1, "sha256": 1, "sha384": 1, "sha512": 1, "encode": 1,
	"text": 1, "varchar": 1, "bpchar": 1, "name": 1,
	"concat": anyArgument, "concat_ws": anyArgument, "num_nulls": anyArgument, "num_nonnulls": anyArgument, "pg_typeof": 1,
	"to_json": 1, "to_jsonb": 1, "row_to_json": 1, "array_to_json": 1, "json_build_array": anyArgument, "jsonb_build_array": anyArgument,
	"json_build_object": anyArgument, "jsonb_build_object": anyArgument, "array_to_string": 1,
	"count": anyArgument, "min": 1, "max": 1, "string_agg": 2, "array_agg": 1, "any_value": 1, "json_agg": 1, "jsonb_agg": 1,
	"json_object_agg": 2, "jsonb_object_agg": 2, "first_value": 1, "last_value": 1, "nth_value": 1, "lag": 1, "lead": 1,
}

// computes probes what a call of one of fns cannot be trusted with.
func (a *analysis) computes(name string, fns []*Function, args []lineage) {
	n := totals[name]
	for _, f := range fns {
		if !f.Core {
			n = 0
		}
	}
	for i, l := range args {
		// Arrays of other dimensions cannot be gathered, and fail.
		if i >= n || name == "array_agg" && a.isArray(l.typ) {
			a.probe(l)
		}
	}
}

// patternCall: substring has a form with a pattern, which gives NULL when it does not match.
func (a *analysis) patternCall(name string, args []*pg.Node, values []lineage) {
	if name != "substring" {
		return
	}
	for _, n := range args[min(1, len(args)):] {
		if _, ok := n.GetAConst().GetVal().(*pg.A_Const_Ival); !ok {
			a.probe(values[0])
		}
	}
}

// casted probes a value whose cast to a type may fail.
func (a *analysis) casted(l lineage, to *Type, array, modified bool) {
	if len(l.set) == 0 && !l.unknown {
		return
	}
	own := slices.ContainsFunc(a.cat.casts[to.OID], func(f *Function) bool { return !f.Core && !harmless(f) })
	if !own && !array && to.Schema == "pg_catalog" && to.Base == 0 {
		switch to.OID {
		case oidText, oidVarchar, oidBpchar, oidName:
			return
		case l.typ:
			if !modified {
				return
			}
		}
		if widens(l.typ, to.OID) && !modified {
			return
		}
	}
	a.probe(l)
}

const (
	oidName    = 19
	oidInt8    = 20
	oidInt2    = 21
	oidInt4    = 23
	oidFloat4  = 700
	oidFloat8  = 701
	oidNumeric = 1700
)

// widens reports casts between numbers that have a result for every value.
func widens(from, to uint32) bool {
	order := []uint32{oidInt2, oidInt4, oidInt8, oidNumeric}
	switch i := slices.Index(order, from); {
	case i < 0:
		return from == oidFloat4 && to == oidFloat8
	case i < 3 && (to == oidFloat4 || to == oidFloat8):
		return true
	default:
		return slices.Index(order, to) > i
	}
}

func (a *analysis) isArray(typ uint32) bool {
	t := a.cat.types[typ]
	return t != nil && t.Element != 0 && strings.HasPrefix(t.Name, "_")
}

// concatenates reports the operator || of the core, over types for which it has a result for all values.
func (a *analysis) concatenates(e *pg.A_Expr, l, r lineage) bool {
	names, _ := fieldNames(e.Name)
	if e.Kind != pg.A_Expr_Kind_AEXPR_OP || len(names) == 0 || names[len(names)-1] != "||" || !a.coreOperator("||") {
		return false
	}
	for _, x := range []lineage{l, r} {
		switch x.typ {
		case oidJSONB, oidTSVector, oidTSQuery:
			return false
		}
		if a.isArray(x.typ) {
			return false
		}
	}
	return true
}

const (
	oidJSONB    = 3802
	oidTSVector = 3614
	oidTSQuery  = 3615
)

// coreOperator reports that no operator of the name has code that is not known.
func (a *analysis) coreOperator(name string) bool {
	return !slices.ContainsFunc(a.cat.ops[name], func(f *Function) bool { return !f.Core && !harmless(f) })
}

// shows reports the nodes without a case of their own that only show their parts, or whether they are NULL.
func shows(n *pg.Node) bool {
	switch v := n.GetNode().(type) {
	case *pg.Node_NullTest, *pg.Node_BooleanTest, *pg.Node_NamedArgExpr, *pg.Node_JsonKeyValue, *pg.Node_GroupingFunc, *pg.Node_SqlvalueFunction,
		*pg.Node_ResTarget, *pg.Node_SortBy:
		return true
	case *pg.Node_JsonValueExpr:
		return v.JsonValueExpr.GetFormat().GetFormatType() != pg.JsonFormatType_JS_FORMAT_JSON
	case *pg.Node_JsonObjectConstructor:
		return !v.JsonObjectConstructor.Unique && v.JsonObjectConstructor.Output == nil
	case *pg.Node_JsonArrayConstructor:
		return v.JsonArrayConstructor.Output == nil
	case *pg.Node_JsonArrayQueryConstructor:
		return v.JsonArrayQueryConstructor.Output == nil
	case *pg.Node_JsonScalarExpr:
		return v.JsonScalarExpr.Output == nil
	case *pg.Node_JsonSerializeExpr:
		return v.JsonSerializeExpr.Output == nil
	case *pg.Node_JsonObjectAgg:
		return !v.JsonObjectAgg.Unique && gathers(v.JsonObjectAgg.Constructor)
	case *pg.Node_JsonArrayAgg:
		return gathers(v.JsonArrayAgg.Constructor)
	}
	return false
}

// gathers reports a JSON aggregate that takes all rows as they come.
func gathers(c *pg.JsonAggConstructor) bool {
	return c != nil && c.Output == nil && c.AggFilter == nil && len(c.AggOrder) == 0
}
