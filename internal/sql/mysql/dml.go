package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// insert takes INSERT and REPLACE.
func (a *analysis) insert(x *ast.InsertStmt) {
	a.verb("insert")
	if x.IsReplace {
		a.verb("delete")
		a.features[action.FeatureWhere] = true // bounded by the rows inserted
	}
	name := tableIn(x.Table)
	if name == nil {
		a.failed = true
		return
	}
	t, o := a.table(name.Schema.O, name.Name.O)
	touch(a.writes, o, "")
	columns := a.targets(t, o, x.Columns)
	s := &scope{}
	if t != nil {
		s.rels = []*relation{{db: t.DB, alias: name.Name.O, table: t}}
	}
	for _, row := range x.Lists {
		for i, e := range row {
			v := a.expr(e, s) // a row may use what is to its left
			a.inserted.add(v)
			a.write(columns, i, v)
		}
	}
	if x.Select != nil {
		fields, ok := a.resultSet(x.Select, nil)
		a.unresolved = a.unresolved || !ok
		for i := range fields {
			a.inserted.add(fields[i].value)
			a.write(columns, i, fields[i].value)
		}
		s = a.selected(x.Select, s)
	}
	if len(x.OnDuplicate) > 0 {
		a.verb("update")
		a.features[action.FeatureWhere] = true // as above
		a.assign(x.OnDuplicate, s, t, o)
	}
}

// selected is the scope of ON DUPLICATE KEY UPDATE behind a SELECT, whose tables it may use.
func (a *analysis) selected(q ast.ResultSetNode, s *scope) *scope {
	sel, ok := q.(*ast.SelectStmt)
	if !ok || sel.From == nil {
		return s
	}
	in := &scope{parent: s}
	a.with(sel.With, in)
	a.from(sel.From.TableRefs, in)
	return in
}

func tableIn(r *ast.TableRefsClause) *ast.TableName {
	if r == nil || r.TableRefs == nil || r.TableRefs.Right != nil {
		return nil
	}
	src, ok := r.TableRefs.Left.(*ast.TableSource)
	if !ok {
		return nil
	}
	name, _ := src.Source.(*ast.TableName)
	return name
}

// targets are the columns that are written, in order; nil when they are not known.
func (a *analysis) targets(t *Table, o object, names []*ast.ColumnName) []sql.Column {
	var out []sql.Column
	if t == nil {
		return nil
	}
	if len(names) == 0 {
		for _, c := range t.Columns {
			touch(a.writes, o, c.Name)
			out = append(out, sql.Column{Schema: t.DB, Table: t.Name, Name: c.Name})
		}
		return out
	}
	for _, n := range names {
		out = append(out, a.target(t, o, n))
	}
	return out
}

func (a *analysis) target(t *Table, o object, n *ast.ColumnName) sql.Column {
	i := -1
	if t != nil {
		i = t.Find(n.Name.O)
	}
	if i < 0 {
		a.unresolved = true
		return sql.Column{Schema: o.db, Table: o.name}
	}
	touch(a.writes, o, t.Columns[i].Name)
	return sql.Column{Schema: t.DB, Table: t.Name, Name: t.Columns[i].Name}
}

func (a *analysis) write(columns []sql.Column, i int, v value) {
	if i < len(columns) {
		a.flow(columns[i], v)
		return
	}
	a.unresolved = true
	a.flow(sql.Column{Schema: "?", Table: "?"}, v)
}

// assign takes column = value.
func (a *analysis) assign(list []*ast.Assignment, s *scope, t *Table, o object) {
	for _, as := range list {
		v := a.expr(as.Expr, s)
		to := a.target(t, o, as.Column)
		a.flow(to, v)
		a.overwritten(to)
	}
}

// overwritten: how many rows a change has changed tells whether the new value is the old one.
func (a *analysis) overwritten(to sql.Column) {
	from, _, _ := a.env.Catalog.Origins(to)
	a.probe(value{from: from})
}

// update takes UPDATE of one table or several.
func (a *analysis) update(x *ast.UpdateStmt) {
	a.verb("update")
	s := &scope{}
	a.with(x.With, s)
	if x.TableRefs != nil {
		a.from(x.TableRefs.TableRefs, s)
	}
	a.chosen(x.Where, x.Order, x.Limit, s)
	for _, as := range x.List {
		v := a.expr(as.Expr, s)
		found := false
		for _, r := range s.rels {
			if as.Column.Table.O != "" && !a.same(r.alias, as.Column.Table.O) || r.table == nil && !r.open {
				continue
			}
			if r.open {
				a.unresolved = true
				touch(a.writes, object{db: r.db, name: r.alias}, as.Column.Name.O)
				a.flow(sql.Column{Schema: r.db, Table: r.alias, Name: as.Column.Name.O}, v)
				found = true
			} else if r.table.Find(as.Column.Name.O) >= 0 {
				to := a.target(r.table, r.table.object(), as.Column)
				a.flow(to, v)
				a.overwritten(to)
				found = true
			}
		}
		a.unresolved = a.unresolved || !found
	}
}

// chosen takes what chooses the rows that are changed.
func (a *analysis) chosen(where ast.ExprNode, order *ast.OrderByClause, limit *ast.Limit, s *scope) {
	if where != nil {
		a.probe(a.expr(where, s))
		if constrains(where) {
			a.features[action.FeatureWhere] = true
		}
	}
	a.orderBy(order, nil, s)
	a.limit(limit, s)
}

// delete takes DELETE from one table or several.
func (a *analysis) delete(x *ast.DeleteStmt) {
	a.verb("delete")
	s := &scope{}
	a.with(x.With, s)
	if x.TableRefs != nil {
		a.from(x.TableRefs.TableRefs, s)
	}
	a.chosen(x.Where, x.Order, x.Limit, s)
	if x.Tables == nil {
		for _, r := range s.rels {
			a.deleteFrom(r)
		}
		return
	}
	for _, n := range x.Tables.Tables {
		found := false
		for _, r := range s.rels {
			if a.same(r.alias, n.Name.O) && (n.Schema.O == "" || a.sameDB(r.db, n.Schema.O)) {
				a.deleteFrom(r)
				found = true
			}
		}
		if !found {
			t, o := a.table(n.Schema.O, n.Name.O)
			touch(a.writes, o, "")
			a.unresolved = a.unresolved || t == nil
		}
	}
}

func (a *analysis) deleteFrom(r *relation) {
	if r.table != nil {
		touch(a.writes, r.table.object(), "")
		return
	}
	a.unresolved = true
	touch(a.writes, object{db: r.db, name: r.alias}, "")
}

// load takes LOAD DATA.
func (a *analysis) load(x *ast.LoadDataStmt) {
	a.verb("load")
	a.features[action.FeatureCopy] = "in"
	if x.FileLocRef == ast.FileLocClient {
		a.features["client_file"] = true
	} else {
		a.features[action.FeatureServerFile] = true
	}
	if x.OnDuplicate == ast.OnDuplicateKeyHandlingReplace {
		a.verb("delete")
	}
	t, o := a.table(x.Table.Schema.O, x.Table.Name.O)
	touch(a.writes, o, "")
	var names []*ast.ColumnName
	for _, c := range x.ColumnsAndUserVars {
		if c.ColumnName != nil {
			names = append(names, c.ColumnName)
		}
	}
	if len(x.ColumnsAndUserVars) == 0 || len(names) > 0 {
		a.targets(t, o, names)
	}
	s := &scope{}
	if t != nil {
		s.rels = []*relation{{db: t.DB, alias: x.Table.Name.O, table: t}}
	}
	for _, as := range x.ColumnAssignments { // of new rows
		v := a.expr(as.Expr, s)
		a.flow(a.target(t, o, as.Column), v)
	}
}
