package trial

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/mysql"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// maxTables and maxColumns bound what is assumed.
const (
	maxTables  = 64
	maxColumns = 512
)

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_$]*`)

// words are all names that a text may use for columns.
func words(text string) []string {
	seen := map[string]bool{}
	for _, w := range word.FindAllString(text, 4*maxColumns) {
		if len(seen) < maxColumns && len(w) <= 63 {
			seen[strings.ToLower(w)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

type table struct{ schema, name string }

func (t table) String() string { return t.schema + "." + t.name }

// tablesOf are the tables that statements name; those of no schema are in the one given.
func tablesOf(list []*sql.Statement, schema string) (out []table) {
	for _, st := range list {
		for _, o := range slices.Concat(st.Action.Reads, st.Action.Writes) {
			t := table{o.Schema, o.Name}
			if t.schema == "" {
				t.schema = schema
			}
			if len(out) < maxTables && !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

// postgres analyses with tables made of what the text names: each name of the text is a column of each of them, and so are
// the columns that masks name.
func postgres(text string, masked map[string][]string) ([]*sql.Statement, []string, error) {
	const schema = "public"
	first, err := analysePostgres(text, nil, masked)
	if err != nil {
		return nil, nil, err
	}
	tables := slices.DeleteFunc(tablesOf(first, schema), func(t table) bool { return t.schema == "pg_catalog" || t.schema == "information_schema" })
	if len(tables) == 0 {
		return first, nil, nil
	}
	list, err := analysePostgres(text, tables, masked)
	return list, names(tables), err
}

func names(tables []table) (out []string) {
	for _, t := range tables {
		out = append(out, t.String())
	}
	return out
}

// basicTypes are those that casts name most; OIDs are PostgreSQL's.
var basicTypes = map[string]int{"bool": 16, "int8": 20, "int4": 23, "text": 25, "varchar": 1043, "date": 1082, "timestamp": 1114,
	"timestamptz": 1184, "numeric": 1700, "uuid": 2950, "float8": 701}

// commonFunctions are of pg_catalog, by volatility; others are unknown to a trial, and so opaque.
var commonFunctions = map[string]string{
	"i": "lower upper length substr substring trim btrim ltrim rtrim replace left right concat round floor ceil abs md5 count sum avg min max" +
		" date_trunc date_part to_char array_agg string_agg json_agg jsonb_agg generate_series",
	"s": "now current_database version to_timestamp",
	"v": "random clock_timestamp pg_sleep",
}

func analysePostgres(text string, tables []table, masked map[string][]string) ([]*sql.Statement, error) {
	schemas, rels, oid := map[string]bool{"pg_catalog": true, "public": true}, []any{}, 20_000
	for _, t := range tables {
		schemas[t.schema] = true
		cols := []any{}
		for i, c := range columns(text, masked[t.String()]) {
			cols = append(cols, []any{i + 1, c, basicTypes["text"], false, nil})
		}
		rels = append(rels, []any{oid, t.schema, t.name, "r", nil, nil, oid + 1, cols, true, true, false})
		oid += 2
	}
	types, functions := []any{}, []any{}
	for _, name := range slices.Sorted(maps.Keys(basicTypes)) {
		types = append(types, []any{basicTypes[name], "pg_catalog", name, "b", 0, 0, 0, false})
	}
	for _, v := range slices.Sorted(maps.Keys(commonFunctions)) {
		for f := range strings.FieldsSeq(commonFunctions[v]) {
			functions = append(functions, []any{f, v, "f", false, basicTypes["text"], []any{}})
		}
	}
	path := []string{"pg_catalog", "public"}
	doc, err := json.Marshal(map[string]any{"v": 1, "path": path, "schemas": slices.Sorted(maps.Keys(schemas)), "rels": rels,
		"builtins": functions, "funcs": []any{}, "types": types, "ops": []any{}, "casts": []any{}})
	if err != nil {
		return nil, err
	}
	c, err := pgsql.DecodeCatalog(doc)
	if err != nil {
		return nil, err
	}
	return pgsql.Analyze(text, pgsql.Env{Catalog: c, Path: path, Strings: true})
}

// columns of an assumed table: what the text names, and what masks name.
func columns(text string, masked []string) []string {
	all := slices.Concat(words(text), masked)
	slices.Sort(all)
	return slices.Compact(all)
}

// mysqlText is postgres for MySQL.
func mysqlText(text, database string, masked map[string][]string) ([]*sql.Statement, []string, error) {
	if database == "" {
		database = "db"
	}
	analyse := func(tables []table) ([]*sql.Statement, error) {
		rows := [][]string{}
		dbs := [][]string{{database}}
		for _, t := range tables {
			dbs = append(dbs, []string{t.schema})
			for _, c := range columns(text, masked[t.String()]) {
				rows = append(rows, []string{t.schema, t.name, c, ""})
			}
		}
		c, err := mysql.Decode([][][]string{{{"8.0.40", "0"}}, rows, {}, {}, {}, dbs}, database)
		if err != nil {
			return nil, err
		}
		return mysql.NewAnalyzer(1).Analyze(text, mysql.Env{Catalog: c, Database: database}).Statements, nil
	}
	first, err := analyse(nil)
	if err != nil || len(first) == 1 && first[0].Action.Has(action.FeatureUnparsed) {
		return first, nil, err
	}
	tables := tablesOf(first, database)
	if len(tables) == 0 {
		return first, nil, nil
	}
	list, err := analyse(tables)
	return list, names(tables), err
}
