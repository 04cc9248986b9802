package backtest

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// Bounds of what is analysed again.
const (
	maxAnalysed  = 64 << 10 // bytes of a text
	keepAnalyses = 1024
)

// analyses finds the lineage of recorded statements by analysing their text again. The catalog of then is not
// recorded, so one is made of what the statement's facts name, as tables; what comes out counts
// only if the facts come out as they were recorded, and if it does not matter in what order a table has its columns.
type analyses struct{ kept map[string]analysed }

type analysed struct {
	facts *action.Action
	st    *sql.Statement // nil: it cannot be told
}

func newAnalyses() analyses { return analyses{map[string]analysed{}} }

// of returns nil when the lineage cannot be told.
func (m analyses) of(protocol string, a *action.Action) *sql.Statement {
	if protocol != "postgres" || !simple(a) {
		return nil
	}
	if k, ok := m.kept[a.Text]; ok && sameFacts(k.facts, a) {
		return k.st
	}
	k := analysed{facts: a, st: analyse(a)}
	if len(m.kept) >= keepAnalyses {
		clear(m.kept)
	}
	m.kept[a.Text] = k
	return k.st
}

// simple reports whether a statement names nothing but tables, each name once, and reads or changes them by column names.
func simple(a *action.Action) bool {
	// A backslash means what the session's settings say, which are not recorded.
	if len(a.Text) > maxAnalysed || strings.ContainsRune(a.Text, '\\') || blurred(a) {
		return false
	}
	for _, v := range a.Verbs {
		if v != "select" && v != "update" && v != "delete" {
			return false
		}
	}
	schemas := map[string]string{}
	for _, o := range slices.Concat(a.Reads, a.Writes) {
		if s, ok := schemas[o.Name]; !o.Resolved || ok && s != o.Schema {
			return false
		}
		schemas[o.Name] = o.Schema
	}
	return true
}

func analyse(a *action.Action) *sql.Statement {
	one, other := analyseWith(a, 0), analyseWith(a, 1)
	if one == nil || other == nil || !reflect.DeepEqual(one.Probes, other.Probes) || !reflect.DeepEqual(one.Flows, other.Flows) ||
		unknown(one) != unknown(other) {
		return nil
	}
	one.Inner = nil
	return one
}

func unknown(st *sql.Statement) bool {
	return st.Outputs == nil || slices.ContainsFunc(st.Outputs, func(o sql.Output) bool { return o.Unknown })
}

// analyseWith analyses with tables whose columns are rotated.
func analyseWith(a *action.Action, rotate int) *sql.Statement {
	doc, schemas := catalogOf(a, rotate)
	body, err := json.Marshal(doc)
	if err != nil {
		return nil
	}
	c, err := pgsql.DecodeCatalog(body)
	if err != nil {
		return nil
	}
	all, err := pgsql.Analyze(a.Text, pgsql.Env{Catalog: c, Path: schemas, Strings: true})
	if err != nil || len(all) != 1 || !sameFacts(&all[0].Action, a) {
		return nil
	}
	return all[0]
}

// basicTypes are those that casts name most; OIDs are PostgreSQL's.
var basicTypes = map[string]int{"bool": 16, "int8": 20, "int4": 23, "text": 25, "varchar": 1043, "date": 1082, "timestamp": 1114,
	"timestamptz": 1184, "numeric": 1700, "uuid": 2950, "float8": 701}

// catalogOf is a document as pgsql.CatalogQuery gives it, with the tables that the action names, and the path on which they are found.
func catalogOf(a *action.Action, rotate int) (doc map[string]any, path []string) {
	type table struct{ schema, name string }
	columns := map[table]map[string]bool{}
	schemas := map[string]bool{"pg_catalog": true}
	for _, o := range slices.Concat(a.Reads, a.Writes) {
		t := table{o.Schema, o.Name}
		if columns[t] == nil {
			columns[t] = map[string]bool{}
		}
		schemas[o.Schema] = true
		for _, c := range o.Columns {
			columns[t][c] = true
		}
	}
	oid, rels := 20_000, []any{}
	for t, set := range columns {
		names := slices.Sorted(maps.Keys(set))
		if n := len(names); n > 0 {
			names = slices.Concat(names[rotate%n:], names[:rotate%n])
		}
		cols := []any{}
		for i, c := range names {
			cols = append(cols, []any{i + 1, c, basicTypes["text"], false, nil})
		}
		rels = append(rels, []any{oid, t.schema, t.name, "r", nil, nil, oid + 1, cols, true, true, false})
		oid += 2
	}
	types := []any{}
	for name, id := range basicTypes {
		types = append(types, []any{id, "pg_catalog", name, "b", 0, 0, 0, false})
	}
	path = append([]string{"pg_catalog"}, slices.DeleteFunc(slices.Sorted(maps.Keys(schemas)), func(s string) bool { return s == "pg_catalog" })...)
	return map[string]any{"v": 1, "path": path, "schemas": slices.Sorted(maps.Keys(schemas)), "rels": rels,
		"builtins": []any{}, "funcs": []any{}, "types": types, "ops": []any{}, "casts": []any{}}, path
}

// sameFacts compares what the analyser finds, and nothing of the moment.
func sameFacts(a, b *action.Action) bool {
	object := func(x, y action.Object) bool {
		return x.Schema == y.Schema && x.Name == y.Name && x.Resolved == y.Resolved && slices.Equal(x.Columns, y.Columns)
	}
	return slices.Equal(a.Verbs, b.Verbs) && slices.EqualFunc(a.Reads, b.Reads, object) && slices.EqualFunc(a.Writes, b.Writes, object) &&
		slices.Equal(a.Functions, b.Functions) && reflect.DeepEqual(lasting(a), lasting(b))
}

func lasting(a *action.Action) map[string]any {
	kept := map[string]any{}
	for k, v := range a.Features {
		if k != action.FeatureMulti && v != false {
			kept[k] = v
		}
	}
	return kept
}
