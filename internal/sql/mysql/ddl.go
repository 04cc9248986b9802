package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// schema takes what changes the schema.
func (a *analysis) schema(n ast.StmtNode, st *sql.Statement) bool {
	switch x := n.(type) {
	case *ast.CreateTableStmt:
		a.createTable(x, st)
	case *ast.CreateViewStmt:
		a.createView(x)
	case *ast.AlterTableStmt:
		a.alterTable(x)
	case *ast.RenameTableStmt:
		a.verb("alter")
		a.features[action.FeatureRename] = true
		for _, p := range x.TableToTables {
			a.existing(p.OldTable)
			touch(a.writes, a.fresh(p.NewTable), "")
		}
	case *ast.DropTableStmt:
		a.verb("drop")
		for _, t := range x.Tables {
			a.existing(t)
		}
		a.unresolved = a.unresolved && !x.IfExists
	case *ast.TruncateTableStmt:
		a.verb("truncate")
		a.existing(x.Table)
	case *ast.CreateIndexStmt:
		a.verb("create")
		t := a.existing(x.Table)
		a.index(t, x.IndexPartSpecifications)
	case *ast.DropIndexStmt:
		a.verb("drop")
		a.existing(x.Table)
	case *ast.CreateDatabaseStmt:
		a.verb("create")
		touch(a.writes, object{name: x.Name.O}, "")
	case *ast.AlterDatabaseStmt:
		a.verb("alter")
		touch(a.writes, object{name: x.Name.O}, "")
	case *ast.DropDatabaseStmt:
		a.verb("drop")
		touch(a.writes, object{name: x.Name.O}, "")
		a.effects |= sql.EffectNames
	case *ast.DropProcedureStmt:
		a.verb("drop")
		touch(a.writes, a.fresh(x.ProcedureName), "")
	case *ast.ProcedureInfo:
		// Its body is code that is not looked into.
		a.verb("create")
		touch(a.writes, a.fresh(x.ProcedureName), "")
		a.features[action.FeatureDynamic] = true
	default:
		return false
	}
	a.features[action.FeatureDDL] = true
	a.effects |= sql.EffectCatalog | sql.EffectEnd
	return true
}

// existing notes that a table that is there is changed.
func (a *analysis) existing(n *ast.TableName) *Table {
	t, o := a.table(n.Schema.O, n.Name.O)
	touch(a.writes, o, "")
	return t
}

// fresh is a table that is to be.
func (a *analysis) fresh(n *ast.TableName) object {
	db := n.Schema.O
	if db == "" {
		db = a.env.Database
	}
	if real, ok := a.env.Catalog.Database(db); ok {
		db = real
	} else {
		a.unresolved = true
	}
	if t, ok := a.env.Catalog.Table(db, n.Name.O); ok {
		return t.object()
	}
	return object{db: db, name: n.Name.O, resolved: true}
}

func (a *analysis) createTable(x *ast.CreateTableStmt, st *sql.Statement) {
	a.verb("create")
	o := a.fresh(x.Table)
	touch(a.writes, o, "")
	if x.TemporaryKeyword != ast.TemporaryNone {
		a.features["temporary"] = true
		st.Name = o.name
	}
	if x.ReferTable != nil {
		t, ro := a.table(x.ReferTable.Schema.O, x.ReferTable.Name.O)
		touch(a.reads, ro, "")
		a.unresolved = a.unresolved || t == nil
	}
	own := &relation{db: o.db, alias: o.name, loose: true}
	s := &scope{rels: []*relation{own}}
	for _, c := range x.Cols {
		a.columnOptions(c, s)
	}
	for _, c := range x.Constraints {
		a.constraint(c)
	}
	for _, opt := range x.Options {
		if opt.Tp == ast.TableOptionUnion || opt.StrValue != "" && (opt.Tp == ast.TableOptionConnection || opt.Tp == ast.TableOptionDataDirectory || opt.Tp == ast.TableOptionIndexDirectory) {
			// Other tables, servers or files under this one's name.
			a.features[action.FeatureServerFile] = true
		}
		if opt.Tp == ast.TableOptionEngine && !plainEngine[lower(opt.StrValue)] {
			a.features[action.FeatureServerFile] = true
		}
	}
	if x.Select != nil {
		fields, ok := a.resultSet(x.Select, nil)
		a.unresolved = a.unresolved || !ok
		for i := range fields {
			a.flow(sql.Column{Schema: o.db, Table: o.name, Name: fields[i].name}, fields[i].value)
		}
	}
}

// plainEngine are storage engines that keep their tables to themselves. Others (FEDERATED, CONNECT, CSV, MERGE …) show
// files, servers or other tables.
var plainEngine = set("innodb myisam aria memory heap archive blackhole")

func (a *analysis) columnOptions(c *ast.ColumnDef, s *scope) {
	for _, o := range c.Options {
		if o.Expr != nil {
			a.expr(o.Expr, s)
		}
		if o.Refer != nil {
			a.references(o.Refer)
		}
	}
}

// references: a foreign key tells which values the other table has.
func (a *analysis) references(r *ast.ReferenceDef) {
	if r.Table == nil {
		return
	}
	t, o := a.table(r.Table.Schema.O, r.Table.Name.O)
	touch(a.reads, o, "")
	a.index(t, r.IndexPartSpecifications)
}

func (a *analysis) constraint(c *ast.Constraint) {
	if c.Refer != nil {
		a.references(c.Refer)
	}
}

// index: building an index over columns may fail because of their values.
func (a *analysis) index(t *Table, parts []*ast.IndexPartSpecification) {
	if t == nil {
		return
	}
	s := &scope{rels: []*relation{{db: t.DB, alias: t.Name, table: t}}}
	for _, p := range parts {
		if p.Expr != nil {
			a.probe(a.expr(p.Expr, s))
		}
		if p.Column != nil && t.Find(p.Column.Name.O) >= 0 {
			a.probe(a.column(p.Column, s))
		}
	}
}

func (a *analysis) createView(x *ast.CreateViewStmt) {
	a.verb("create")
	o := a.fresh(x.ViewName)
	touch(a.writes, o, "")
	fields, ok := a.resultSet(x.Select, nil)
	a.unresolved = a.unresolved || !ok
	for i := range fields {
		a.flow(sql.Column{Schema: o.db, Table: o.name, Name: fields[i].name}, fields[i].value)
	}
}

func (a *analysis) alterTable(x *ast.AlterTableStmt) {
	a.verb("alter")
	t := a.existing(x.Table)
	for _, sp := range x.Specs {
		switch sp.Tp {
		case ast.AlterTableRenameTable:
			a.features[action.FeatureRename] = true
			touch(a.writes, a.fresh(sp.NewTable), "")
		case ast.AlterTableChangeColumn, ast.AlterTableRenameColumn:
			a.features[action.FeatureRename] = true
		case ast.AlterTableExchangePartition:
			a.features[action.FeatureRename] = true
			a.existing(sp.NewTable)
		case ast.AlterTableImportTablespace, ast.AlterTableDiscardTablespace, ast.AlterTableImportPartitionTablespace, ast.AlterTableDiscardPartitionTablespace:
			a.features[action.FeatureServerFile] = true
		}
		a.alterColumns(t, sp)
	}
}

// alterColumns: a column that is made of others, or of another type, holds or shows what these hold.
func (a *analysis) alterColumns(t *Table, sp *ast.AlterTableSpec) {
	if t == nil {
		return
	}
	s := &scope{rels: []*relation{{db: t.DB, alias: t.Name, table: t}, {alias: t.Name, loose: true}}}
	for _, c := range sp.NewColumns {
		for _, o := range c.Options {
			if o.Refer != nil {
				a.references(o.Refer)
			}
			if o.Expr == nil {
				continue
			}
			v := a.expr(o.Expr, s)
			if o.Tp == ast.ColumnOptionGenerated {
				a.flow(sql.Column{Schema: t.DB, Table: t.Name, Name: c.Name.Name.O}, v)
			} else {
				a.probe(v)
			}
		}
		if i := t.Find(c.Name.Name.O); i >= 0 && sp.Tp != ast.AlterTableAddColumns {
			a.probe(a.read(t, i))
		}
	}
	list := sp.NewConstraints
	if sp.Constraint != nil {
		list = append(list, sp.Constraint)
	}
	for _, c := range list {
		a.index(t, c.Keys)
		a.constraint(c)
		if c.Expr != nil {
			a.probe(a.expr(c.Expr, s))
		}
	}
}
