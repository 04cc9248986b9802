package mysql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dragoman.dev/dragoman/internal/sql"
)

// Catalog is what a server has: an immutable snapshot. Its zero value knows nothing.
type Catalog struct {
	Version int
	MariaDB bool
	Fold    bool // names of databases and tables are compared without regard to case (lower_case_table_names)

	databases map[string]string // folded name -> name
	tables    map[name]*Table
	routines  map[name]string // "PROCEDURE", "FUNCTION"
}

// name is a folded name of a thing in a database.
type name struct{ db, name string }

// Table is a table or view.
type Table struct {
	DB, Name string
	View     bool
	Triggers bool
	Columns  []Column
	// unknown says that the definition of a view is not known.
	unknown bool
	text    string // of a view
}

// Column is a column; From are the base columns that its values are made of, without itself.
type Column struct {
	Name    string
	From    []sql.Column
	Direct  bool // From's value, unchanged
	Unknown bool
}

// Queries read a catalog: server, columns, views, routines, triggers; Decode takes their rows in this order. Rows hold text.
var Queries = []string{
	"SELECT VERSION(), @@lower_case_table_names",
	"SELECT table_schema, table_name, column_name, generation_expression FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position",
	"SELECT table_schema, table_name, view_definition FROM information_schema.views",
	"SELECT routine_schema, routine_name, routine_type FROM information_schema.routines",
	"SELECT event_object_schema, event_object_table FROM information_schema.triggers",
	"SELECT schema_name FROM information_schema.schemata",
}

// VersionQuery gives a value that changes with the catalog, as far as can be told cheaply.
const VersionQuery = "SELECT CONCAT_WS('.'," +
	"(SELECT CONCAT(COUNT(*),'/',COALESCE(BIT_XOR(CRC32(CONCAT_WS(0x00,table_schema,table_name,column_name,ordinal_position,generation_expression))),0)) FROM information_schema.columns)," +
	"(SELECT CONCAT(COUNT(*),'/',COALESCE(BIT_XOR(CRC32(CONCAT_WS(0x00,table_schema,table_name,view_definition))),0)) FROM information_schema.views)," +
	"(SELECT CONCAT(COUNT(*),'/',COALESCE(BIT_XOR(CRC32(CONCAT_WS(0x00,routine_schema,routine_name,routine_type))),0)) FROM information_schema.routines)," +
	"(SELECT CONCAT(COUNT(*),'/',COALESCE(BIT_XOR(CRC32(CONCAT_WS(0x00,event_object_schema,event_object_table,trigger_name))),0)) FROM information_schema.triggers)," +
	"(SELECT CONCAT(COUNT(*),'/',COALESCE(BIT_XOR(CRC32(schema_name)),0)) FROM information_schema.schemata)" +
	// MySQL hides the definitions of others' views, but not when they were made.
	"/*!80000 ,(SELECT COALESCE(BIT_XOR(CRC32(CONCAT_WS(0x00,table_schema,table_name,create_time))),0) FROM information_schema.tables WHERE table_type='VIEW')*/)"

// maxShown bounds the views whose definitions are asked for one by one.
const maxShown = 500

// Hidden gives the queries for the definitions of views that the rows of Queries leave out, as a server does for views of
// others. Show puts their answers in.
func Hidden(results [][][]string) []string {
	var out []string
	for _, row := range hiddenViews(results) {
		out = append(out, "SHOW CREATE VIEW `"+quoteName(row[0])+"`.`"+quoteName(row[1])+"`")
	}
	return out
}

func hiddenViews(results [][][]string) (rows [][]string) {
	if len(results) != len(Queries) {
		return nil
	}
	for _, row := range results[2] {
		if len(row) == 3 && row[2] == "" && row[0] != "sys" && len(rows) < maxShown {
			rows = append(rows, row)
		}
	}
	return rows
}

// Show puts the answers to Hidden's queries into the rows of Queries; one that failed has no rows.
func Show(results, answers [][][]string) {
	for i, row := range hiddenViews(results) {
		if i < len(answers) && len(answers[i]) == 1 && len(answers[i][0]) >= 2 {
			row[2] = answers[i][0][1]
		}
	}
}

// Decode makes a catalog of the rows that Queries gave. A NULL is "". database is the one that USE has chosen, which
// definitions that were shown leave out.
func Decode(results [][][]string, database string) (*Catalog, error) {
	if len(results) != len(Queries) || len(results[0]) != 1 || len(results[0][0]) != 2 {
		return nil, fmt.Errorf("catalog: %d results", len(results))
	}
	for i, want := range []int{2, 4, 3, 3, 2, 1} {
		for _, row := range results[i] {
			if len(row) != want {
				return nil, fmt.Errorf("catalog: a row of %d columns in result %d", len(row), i)
			}
		}
	}
	c := &Catalog{databases: map[string]string{}, tables: map[name]*Table{}, routines: map[name]string{}}
	c.Version, c.MariaDB = ParseVersion(results[0][0][0])
	c.Fold = results[0][0][1] != "0"
	for _, row := range results[5] {
		c.databases[c.foldDB(row[0])] = row[0]
	}
	c.decodeTables(results)
	for _, row := range results[3] {
		c.routines[name{c.foldDB(row[0]), strings.ToLower(row[1])}] = row[2]
	}
	c.generated(results[1])
	c.views(database)
	return c, nil
}

func (c *Catalog) decodeTables(results [][][]string) {
	var t *Table
	for _, row := range results[1] {
		if t == nil || t.DB != row[0] || t.Name != row[1] {
			t = &Table{DB: row[0], Name: row[1]}
			c.tables[c.key(row[0], row[1])] = t
		}
		t.Columns = append(t.Columns, Column{Name: row[2]})
	}
	for _, row := range results[2] {
		if t := c.tables[c.key(row[0], row[1])]; t != nil {
			t.View, t.text, t.unknown = true, row[2], true
		}
	}
	for _, row := range results[4] {
		if t := c.tables[c.key(row[0], row[1])]; t != nil {
			t.Triggers = true
		}
	}
}

// ParseVersion reads "8.0.15" or "10.11.19-MariaDB-…" ("5.5.5-10.11.19-MariaDB" in a greeting).
func ParseVersion(s string) (version int, mariadb bool) {
	mariadb = strings.Contains(strings.ToLower(s), "mariadb")
	if mariadb {
		s = strings.TrimPrefix(s, "5.5.5-")
	}
	for i, part := range strings.SplitN(s, ".", 3) {
		end := 0
		for end < len(part) && isDigit(part[end]) {
			end++
		}
		n, err := strconv.Atoi(part[:end])
		if err != nil {
			break
		}
		version += n * []int{10000, 100, 1}[i]
	}
	return version, mariadb
}

// foldDB folds a database's name. The server's own are never case-sensitive here.
func (c *Catalog) foldDB(s string) string {
	if lower := strings.ToLower(s); c.Fold || lower == "information_schema" || lower == "performance_schema" {
		return lower
	}
	return s
}

func (c *Catalog) key(db, table string) name {
	db = c.foldDB(db)
	if c.Fold || db == "information_schema" || db == "performance_schema" {
		table = strings.ToLower(table)
	}
	return name{db, table}
}

// Table finds a table or view.
func (c *Catalog) Table(db, table string) (*Table, bool) {
	if c == nil {
		return nil, false
	}
	t, ok := c.tables[c.key(db, table)]
	return t, ok
}

// Database finds a database by its name.
func (c *Catalog) Database(db string) (string, bool) {
	if c == nil {
		return "", false
	}
	s, ok := c.databases[c.foldDB(db)]
	return s, ok
}

// Routine gives the kind of a stored procedure or function.
func (c *Catalog) Routine(db, routine string) (string, bool) {
	if c == nil {
		return "", false
	}
	kind, ok := c.routines[name{c.foldDB(db), strings.ToLower(routine)}]
	return kind, ok
}

// Find is the index of a column, by its name without regard to case.
func (t *Table) Find(column string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return sameColumn(c.Name, column) })
}

// sameColumn compares names of columns, which have no case. Names that are equal by the rules of Unicode only
// are not trusted to be one.
func sameColumn(a, b string) bool {
	return a == b || len(a) == len(b) && strings.EqualFold(a, b) && isASCII(a) && isASCII(b)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Origins are the base columns of a column, itself among them.
func (c *Catalog) Origins(col sql.Column) (from []sql.Column, direct, known bool) {
	t, ok := c.Table(col.Schema, col.Table)
	if !ok {
		return []sql.Column{col}, true, false
	}
	i := t.Find(col.Name)
	if i < 0 {
		return []sql.Column{col}, true, false
	}
	cc := &t.Columns[i]
	own := sql.Column{Schema: t.DB, Table: t.Name, Name: cc.Name}
	return append([]sql.Column{own}, cc.From...), len(cc.From) == 0 || cc.Direct, !cc.Unknown
}

// With gives the catalog with a table that only one session has.
func (c *Catalog) With(t *Table) *Catalog {
	out := *c
	out.tables = make(map[name]*Table, len(c.tables)+1)
	for k, v := range c.tables {
		out.tables[k] = v
	}
	out.tables[c.key(t.DB, t.Name)] = t
	return &out
}
