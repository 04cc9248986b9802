package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/sql"
)

// relation is something that columns are taken from.
type relation struct {
	db, alias string
	table     *Table  // of the catalog
	fields    []field // of anything else
	open      bool    // its columns are not known
	loose     bool    // any name is a column of it, and holds no data (SHOW)
}

func (r *relation) len() int {
	if r.table != nil {
		return len(r.table.Columns)
	}
	return len(r.fields)
}

func (r *relation) name(i int) string {
	if r.table != nil {
		return r.table.Columns[i].Name
	}
	return r.fields[i].name
}

func (r *relation) value(a *analysis, i int) value {
	if r.table != nil {
		return a.read(r.table, i)
	}
	return r.fields[i].value
}

// scope is where a query's names are looked up.
type scope struct {
	parent  *scope
	rels    []*relation
	ctes    map[string]*relation
	aliases []field // of the select list, where they may be used
}

// aliased is the scope with the select list's names.
func (s *scope) aliased(fields []field) *scope {
	return &scope{parent: s.parent, rels: s.rels, ctes: s.ctes, aliases: fields}
}

// same compares names of tables and aliases as the server does.
func (a *analysis) same(x, y string) bool {
	if a.env.Catalog != nil && a.env.Catalog.Fold {
		return strings.EqualFold(x, y)
	}
	return x == y
}

func (a *analysis) cte(s *scope, name string) *relation {
	for ; s != nil; s = s.parent {
		for known, r := range s.ctes {
			if a.same(known, name) {
				return r
			}
		}
	}
	return nil
}

// column gives the value of a column that is named. Where several could be meant it is all of them.
func (a *analysis) column(n *ast.ColumnName, s *scope) value {
	for ; s != nil; s = s.parent {
		var v value
		found := 0
		for _, r := range s.rels {
			if n.Table.O != "" && !a.same(r.alias, n.Table.O) || n.Schema.O != "" && !a.sameDB(r.db, n.Schema.O) {
				continue
			}
			switch i := r.find(n.Name.O); {
			case i >= 0:
				v = both(v, r.value(a, i), found)
				found++
			case r.open:
				v.unknown, v.direct = true, false
				found++
			case r.loose:
				found++
			}
		}
		if n.Table.O == "" {
			for _, f := range s.aliases {
				if sameColumn(f.name, n.Name.O) {
					v = both(v, f.value, found)
					found++
				}
			}
		}
		if found > 0 {
			return v
		}
	}
	a.unresolved = true
	return value{unknown: true}
}

// both is the value of what could be either; n is how many were found before.
func both(v, o value, n int) value {
	direct := o.direct && (n == 0 || v.direct)
	v.add(o)
	v.direct = direct
	return v
}

func (r *relation) find(column string) int {
	if r.table != nil {
		return r.table.Find(column)
	}
	for i := range r.fields {
		if sameColumn(r.fields[i].name, column) {
			return i
		}
	}
	return -1
}

func (a *analysis) sameDB(x, y string) bool {
	return x != "" && a.env.Catalog != nil && a.env.Catalog.foldDB(x) == a.env.Catalog.foldDB(y)
}

// from reads what FROM names into the scope, and gives the columns that * stands for.
func (a *analysis) from(n ast.ResultSetNode, s *scope) []field {
	if a.enter() {
		defer a.leave()
	} else {
		return nil
	}
	switch x := n.(type) {
	case nil:
		return nil
	case *ast.Join:
		return a.join(x, s)
	case *ast.TableSource:
		return a.source(x, s)
	case *ast.TableName:
		return a.source(&ast.TableSource{Source: x}, s)
	}
	a.failed = true
	return nil
}

func (a *analysis) source(x *ast.TableSource, s *scope) []field {
	var r *relation
	switch src := x.Source.(type) {
	case *ast.TableName:
		r = a.tableOrCTE(src, s)
	case *ast.Join:
		return a.join(src, s)
	case *ast.SelectStmt, *ast.SetOprStmt:
		inner := &scope{parent: s.parent, ctes: s.ctes}
		if x.Lateral {
			inner = &scope{parent: s}
		}
		fields, ok := a.resultSet(src, inner)
		r = &relation{fields: fields, open: !ok}
	default:
		a.failed = true
		return nil
	}
	if x.AsName.O != "" {
		r.alias = x.AsName.O
	}
	if len(x.ColumnNames) > 0 {
		r = a.renamed(r, x.ColumnNames)
	}
	s.rels = append(s.rels, r)
	return a.visible(r)
}

// renamed gives a derived table's columns other names.
func (a *analysis) renamed(r *relation, names []ast.CIStr) *relation {
	out := &relation{db: r.db, alias: r.alias, open: r.open || r.len() != len(names)}
	for i, n := range names {
		f := field{name: n.O, value: value{unknown: true}}
		if !out.open {
			f.value = r.value(a, i)
		}
		out.fields = append(out.fields, f)
	}
	return out
}

// tableOrCTE is a table or common table expression.
func (a *analysis) tableOrCTE(n *ast.TableName, s *scope) *relation {
	if n.TableSample != nil || n.AsOf != nil {
		a.failed = true
	}
	if n.Schema.O == "" {
		if r := a.cte(s, n.Name.O); r != nil {
			return &relation{alias: n.Name.O, fields: r.fields, open: r.open}
		}
	}
	t, o := a.table(n.Schema.O, n.Name.O)
	touch(a.reads, o, "")
	if t == nil {
		return &relation{db: o.db, alias: n.Name.O, open: true}
	}
	return &relation{db: t.DB, alias: n.Name.O, table: t}
}

// visible are the columns that * stands for. Those of a table are read only when they are used.
func (a *analysis) visible(r *relation) []field {
	if r.open {
		return []field{{name: "", value: value{unknown: true}}}
	}
	out := make([]field, r.len())
	for i := range out {
		out[i].name = r.name(i)
		if r.table == nil {
			out[i].value = r.fields[i].value
			continue
		}
		// As a.read, but what is not in the select list is not read by it.
		from, direct, known := a.env.Catalog.Origins(sql.Column{Schema: r.table.DB, Table: r.table.Name, Name: out[i].name})
		out[i].value = value{from: from, direct: direct, unknown: !known}
	}
	return out
}

// readAll notes that the fields of a * are read.
func (a *analysis) readAll(fields []field) {
	for _, f := range fields {
		for _, c := range f.from {
			a.named = append(a.named, c)
			if t, ok := a.env.Catalog.Table(c.Schema, c.Table); ok {
				if o := t.object(); a.reads[o] != nil {
					touch(a.reads, o, c.Name)
				}
			}
		}
	}
}

func (a *analysis) join(j *ast.Join, s *scope) []field {
	left := a.from(j.Left, s)
	if j.Right == nil {
		return left
	}
	right := a.from(j.Right, s)
	if j.On != nil {
		a.probe(a.expr(j.On.Expr, s))
	}
	var common []string
	if j.NaturalJoin {
		for _, l := range left {
			if fieldOf(right, l.name) >= 0 {
				common = append(common, l.name)
			}
		}
	}
	for _, c := range j.Using {
		common = append(common, c.Name.O)
	}
	if len(common) == 0 {
		return append(left, right...)
	}
	return a.merge(left, right, common, j.Tp == ast.RightJoin)
}

func fieldOf(list []field, name string) int {
	for i := range list {
		if sameColumn(list[i].name, name) {
			return i
		}
	}
	return -1
}

// merge gives the columns of a join that compares columns of one name.
func (a *analysis) merge(left, right []field, common []string, fromRight bool) []field {
	if fromRight {
		left, right = right, left
	}
	var out []field
	for _, name := range common {
		l, r := fieldOf(left, name), fieldOf(right, name)
		if l < 0 || r < 0 {
			a.unresolved = true
			out = append(out, field{name: name, value: value{unknown: true}})
			continue
		}
		a.probe(left[l].value, right[r].value)
		a.readAll([]field{left[l], right[r]})
		f := field{name: left[l].name, value: both(left[l].value, right[r].value, 1)}
		out = append(out, f)
	}
	for _, list := range [][]field{left, right} {
		for _, f := range list {
			if fieldOf(out[:len(common)], f.name) < 0 {
				out = append(out, f)
			}
		}
	}
	return out
}

// maxDepth bounds how deep a statement may be nested, maxSteps how much work its analysis may be: recursive
// expressions within each other are looked at many times.
const (
	maxDepth = 2000
	maxSteps = 500_000
)

func (a *analysis) enter() bool {
	if a.steps++; a.depth >= maxDepth || a.steps > maxSteps {
		a.failed = true
		return false
	}
	a.depth++
	return true
}

func (a *analysis) leave() { a.depth-- }
