package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/sql"
)

// generated finds what generated columns are made of.
func (c *Catalog) generated(rows [][]string) {
	for _, row := range rows {
		if row[3] == "" {
			continue
		}
		t, _ := c.Table(row[0], row[1])
		i := t.Find(row[2])
		if i < 0 {
			continue
		}
		from, ok := c.expression(t, row[3])
		if !ok {
			for _, other := range t.Columns {
				from = append(from, sql.Column{Schema: t.DB, Table: t.Name, Name: other.Name})
			}
		}
		t.Columns[i].From = from
	}
}

// expression gives the columns of a table that an expression names.
func (c *Catalog) expression(t *Table, text string) ([]sql.Column, bool) {
	list, _, err := parse("SELECT "+text+" FROM `"+quoteName(t.Name)+"`", Mode{Version: c.Version, MariaDB: c.MariaDB})
	if err != nil || len(list) != 1 {
		return nil, false
	}
	a := newAnalysis(Env{Catalog: c, Database: t.DB})
	out, ok := a.resultSet(list[0], nil)
	if !ok || a.unresolved || len(out) != 1 {
		return nil, false
	}
	return out[0].list(), true
}

func quoteName(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == '`' {
			out = append(out, '`')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// maxViewDepth bounds how deep views stand on views; the server's own bound is lower.
const maxViewDepth = 64

// views follows views to their tables.
func (c *Catalog) views(database string) {
	for _, t := range c.tables {
		if t.View {
			c.view(t, database, 0)
		}
	}
}

// view fills in a view's columns. One whose definition cannot be understood has columns of unknown origin.
func (c *Catalog) view(t *Table, database string, depth int) {
	if !t.View || !t.unknown || t.text == "" || depth > maxViewDepth {
		t.mark()
		return
	}
	text := t.text
	t.text = "" // a view that stands on itself ends here
	list, _, err := parse(text, Mode{Version: c.Version, MariaDB: c.MariaDB})
	if err != nil || len(list) != 1 {
		t.mark()
		return
	}
	env := Env{Catalog: c, Database: t.DB}
	query := ast.Node(list[0])
	if create, ok := query.(*ast.CreateViewStmt); ok {
		query, env.Database = create.Select, database
	}
	a := newAnalysis(env)
	a.visitView = func(inner *Table) { c.view(inner, database, depth+1) }
	out, ok := a.resultSet(query, nil)
	if !ok || a.unresolved || a.failed || len(out) != len(t.Columns) {
		t.mark()
		return
	}
	t.unknown = false
	for i := range out {
		t.Columns[i].From, t.Columns[i].Direct, t.Columns[i].Unknown = out[i].list(), out[i].direct, out[i].unknown
	}
}

func (t *Table) mark() {
	if !t.View || !t.unknown {
		return
	}
	for i := range t.Columns {
		t.Columns[i].Unknown = true
	}
}
