package pgsql

import (
	"slices"

	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

func lower(s string) string { return strings.ToLower(s) }

// ddl marks a statement that changes the catalog.
func (a *analysis) ddl(verb string) {
	a.verb(verb)
	a.feature(action.FeatureDDL)
	a.effect(sql.EffectCatalog)
}

// create records a new object that holds or shows a query's result.
func (a *analysis) create(rv *pg.RangeVar, out rowset, kind byte) {
	a.ddl("create")
	schema := a.creationSchema(rv)
	if isTempSchema(schema) {
		a.effect(sql.EffectNames)
	}
	touch(a.writes, qname{schema, rv.GetRelname()}, schema != "")
	if schema == "" {
		a.unresolved()
	}
	r := &Relation{Schema: schema, Name: rv.GetRelname(), Kind: kind, temp: true}
	rl := &relLineage{}
	for i := range out.columns {
		c := &out.columns[i]
		col := sql.Column{Schema: schema, Table: r.Name, Name: c.name}
		a.flow(col, c.lineage)
		r.Columns = append(r.Columns, RelColumn{Num: int16(i + 1), Name: c.name, Type: c.lineage.typ})
		rl.columns = append(rl.columns, columnLineage{origins: union([]sql.Column{col}, a.named(c.lineage.set)), direct: c.lineage.direct, unknown: c.lineage.unknown})
	}
	if out.open {
		a.flow(sql.Column{Schema: schema, Table: r.Name}, nowhere)
		a.batch.change(qname{schema, r.Name})
		return
	}
	r.reindex()
	r.lineage.Store(rl)
	a.batch.make(r)
}

// into is SELECT INTO and CREATE TABLE AS.
func (a *analysis) into(into *pg.IntoClause, out rowset, kind string) {
	names, _ := fieldNames(into.ColNames)
	out.columns = renamed(out.columns, names)
	k := byte('r')
	if kind == "matview" {
		k = 'm'
	}
	a.create(into.Rel, out, k)
}

func (a *analysis) createTableAs(c *pg.CreateTableAsStmt, st *sql.Statement) {
	if c.Into == nil {
		a.utility(&pg.Node{Node: &pg.Node_CreateTableAsStmt{CreateTableAsStmt: c}})
		return
	}
	kind := "table"
	if c.Objtype == pg.ObjectType_OBJECT_MATVIEW {
		kind = "matview"
	}
	if x := c.Query.GetExecuteStmt(); x != nil {
		a.execute(x, st)
		a.feature(action.FeatureDynamic)
		a.into(c.Into, rowset{open: true}, kind)
		return
	}
	a.into(c.Into, a.query(c.Query, nil), kind)
}

func (a *analysis) viewStmt(v *pg.ViewStmt) {
	out := a.query(v.Query, nil)
	names, _ := fieldNames(v.Aliases)
	out.columns = renamed(out.columns, names)
	a.create(v.View, out, 'v')
}

// utility handles statements by their entry in the table of utilities and by
// what is found below them.
func (a *analysis) utility(n *pg.Node) {
	m := n.ProtoReflect()
	fd := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if fd == nil {
		a.feature(FeatureUnknownStatement)
		return
	}
	body := m.Get(fd).Message()
	u, ok := utilities[string(body.Descriptor().Name())]
	if !ok {
		a.feature(FeatureUnknownStatement)
		a.unresolved()
	}
	if u.verb != "" {
		a.verb(u.verb)
	}
	if u.ddl {
		a.feature(action.FeatureDDL)
		a.effect(sql.EffectCatalog)
	}
	if u.body {
		a.feature(action.FeatureOpaque)
		a.feature(action.FeatureDynamic)
	}
	for _, f := range u.features {
		a.feature(f)
	}
	a.effect(u.effects)
	if a.special(n) {
		return
	}
	w := a.survey(body)
	w.visit(body)
}

// special handles the parts of a utility that its messages do not say; it
// reports whether nothing is left to survey.
func (a *analysis) special(n *pg.Node) bool {
	switch v := n.GetNode().(type) {
	case *pg.Node_GrantStmt:
		a.verb(map[bool]string{true: "grant", false: "revoke"}[v.GrantStmt.IsGrant])
	case *pg.Node_GrantRoleStmt:
		a.verb(map[bool]string{true: "grant", false: "revoke"}[v.GrantRoleStmt.IsGrant])
	case *pg.Node_VacuumStmt:
		a.verb(map[bool]string{true: "vacuum", false: "analyze"}[v.VacuumStmt.IsVacuumcmd])
	case *pg.Node_LockStmt:
		a.feature(action.FeatureLocking)
	case *pg.Node_DropStmt:
		a.drop(v.DropStmt)
		return true
	case *pg.Node_DiscardStmt:
		a.discard(v.DiscardStmt)
	case *pg.Node_CreateStmt:
		a.createTable(v.CreateStmt)
	case *pg.Node_RenameStmt:
		a.feature(action.FeatureRename)
		switch v.RenameStmt.RenameType {
		case pg.ObjectType_OBJECT_SCHEMA:
			touch(a.writes, qname{v.RenameStmt.Subname, ""}, true)
			a.effect(sql.EffectNames)
		case pg.ObjectType_OBJECT_ATTRIBUTE:
			a.unresolved() // the tables of the type are not known
		}
		if rv := v.RenameStmt.Relation; rv != nil {
			a.batch.change(qname{a.schemaOf(rv), v.RenameStmt.Newname})
		}
	case *pg.Node_AlterObjectSchemaStmt:
		a.feature(action.FeatureRename)
		if rv := v.AlterObjectSchemaStmt.Relation; rv != nil {
			a.batch.change(qname{v.AlterObjectSchemaStmt.Newschema, rv.Relname})
		}
	case *pg.Node_AlterTableStmt:
		if slices.ContainsFunc(v.AlterTableStmt.Cmds, moves) {
			a.feature(action.FeatureRename)
		}
		a.alterTable(v.AlterTableStmt)
	case *pg.Node_ClusterStmt:
		if v.ClusterStmt.Indexname != "" && v.ClusterStmt.Relation != nil {
			a.probe(a.ownRow(v.ClusterStmt.Relation)) // rows then come in the index's order
		}
	case *pg.Node_RefreshMatViewStmt:
		if r := a.lookup(v.RefreshMatViewStmt.Relation.GetSchemaname(), v.RefreshMatViewStmt.Relation.GetRelname()); r != nil {
			a.read(r)
		}
	case *pg.Node_CommentStmt:
		a.about(v.CommentStmt.Objtype, v.CommentStmt.Object)
	case *pg.Node_SecLabelStmt:
		a.about(v.SecLabelStmt.Objtype, v.SecLabelStmt.Object)
	case *pg.Node_AlterSystemStmt:
		a.setting(v.AlterSystemStmt.Setstmt.GetName())
	case *pg.Node_AlterRoleSetStmt:
		a.setting(v.AlterRoleSetStmt.Setstmt.GetName())
	case *pg.Node_AlterDatabaseSetStmt:
		a.setting(v.AlterDatabaseSetStmt.Setstmt.GetName())
	}
	return false
}

// about records the table that COMMENT or SECURITY LABEL is about, or is about a part of.
func (a *analysis) about(kind pg.ObjectType, object *pg.Node) {
	names, _ := fieldNames(object.GetList().GetItems())
	switch kind {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE,
		pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_INDEX:
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_TABCONSTRAINT:
		names = names[:max(len(names)-1, 0)]
	default:
		return
	}
	if len(names) == 0 {
		return
	}
	rv := &pg.RangeVar{Relname: names[len(names)-1]}
	if len(names) > 1 {
		rv.Schemaname = names[len(names)-2]
	}
	a.written(rv)
}

func (a *analysis) schemaOf(rv *pg.RangeVar) string {
	if r := a.lookup(rv.Schemaname, rv.Relname); r != nil {
		return r.Schema
	}
	return rv.Schemaname
}

func (a *analysis) discard(d *pg.DiscardStmt) {
	switch d.Target {
	case pg.DiscardMode_DISCARD_PLANS, pg.DiscardMode_DISCARD_SEQUENCES:
	default:
		a.effect(sql.EffectNames | sql.EffectCatalog | sql.EffectDeallocate)
	}
}

// drop records each dropped object under its name.
func (a *analysis) drop(d *pg.DropStmt) {
	for _, o := range d.Objects {
		var names []string
		switch v := o.GetNode().(type) {
		case *pg.Node_List:
			names, _ = fieldNames(v.List.Items)
		case *pg.Node_String_:
			names = []string{v.String_.Sval}
		case *pg.Node_TypeName:
			names, _ = fieldNames(v.TypeName.Names)
		case *pg.Node_ObjectWithArgs:
			names, _ = fieldNames(v.ObjectWithArgs.Objname)
		}
		if len(names) == 0 {
			a.unresolved()
			continue
		}
		rv := &pg.RangeVar{Relname: names[len(names)-1]}
		if len(names) > 1 {
			rv.Schemaname = names[len(names)-2]
		}
		switch d.RemoveType {
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE, pg.ObjectType_OBJECT_SEQUENCE:
			if r := a.lookup(rv.Schemaname, rv.Relname); r != nil {
				touch(a.writes, qname{r.Schema, r.Name}, true)
				a.batch.change(qname{r.Schema, r.Name})
			} else {
				touch(a.writes, qname{rv.Schemaname, rv.Relname}, false)
			}
		case pg.ObjectType_OBJECT_SCHEMA:
			touch(a.writes, qname{rv.Relname, ""}, true)
			a.effect(sql.EffectNames)
			a.batch.pathLost = true
		case pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY:
			// The last name is the object's, those before it the table's.
			if len(names) > 1 {
				schema := ""
				if len(names) > 2 {
					schema = names[len(names)-3]
				}
				a.written(&pg.RangeVar{Schemaname: schema, Relname: names[len(names)-2]})
			}
		default:
			touch(a.writes, qname{rv.Schemaname, rv.Relname}, false)
			a.batch.functions = true
		}
	}
}

// moves reports whether a command of ALTER TABLE changes the table through
// which rows are reached.
func moves(cmd *pg.Node) bool {
	switch cmd.GetAlterTableCmd().GetSubtype() {
	case pg.AlterTableType_AT_AttachPartition, pg.AlterTableType_AT_DetachPartition,
		pg.AlterTableType_AT_DetachPartitionFinalize, pg.AlterTableType_AT_AddInherit, pg.AlterTableType_AT_DropInherit:
		return true
	}
	return false
}
