package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// own is a column with what it comes from; it is not read.
func (a *analysis) own(r *Relation, i int) lineage {
	return lineage{set: a.numbers(a.lineageOf(r).columns[i].origins)}
}

// ownRow are all columns of a relation, which are not read.
func (a *analysis) ownRow(rv *pg.RangeVar) lineage {
	r := a.lookup(rv.GetSchemaname(), rv.GetRelname())
	if r == nil {
		return nowhere
	}
	var l lineage
	for i := range r.Columns {
		l = a.join(l, a.own(r, i))
	}
	return l
}

// ownColumns are columns by their names; those that are not there are new.
func (a *analysis) ownColumns(rv *pg.RangeVar, names []*pg.Node) lineage {
	var l lineage
	r := a.lookup(rv.GetSchemaname(), rv.GetRelname())
	if r == nil {
		return l
	}
	list, _ := fieldNames(names)
	for _, name := range list {
		if i := r.column(name); i >= 0 {
			l = a.join(l, a.own(r, i))
		}
	}
	return l
}

// kept names a column of a relation as the place where values stay.
func (a *analysis) kept(rv *pg.RangeVar, name string) sql.Column {
	if r := a.lookup(rv.GetSchemaname(), rv.GetRelname()); r != nil {
		return sql.Column{Schema: r.Schema, Table: r.Name, Name: name}
	}
	return sql.Column{Schema: rv.GetSchemaname(), Table: rv.GetRelname(), Name: name}
}

// alterTable looks at the commands whose success depends on what the rows hold.
func (a *analysis) alterTable(s *pg.AlterTableStmt) {
	for _, n := range s.Cmds {
		c := n.GetAlterTableCmd()
		switch c.GetSubtype() {
		case pg.AlterTableType_AT_AlterColumnType:
			a.probe(a.ownColumns(s.Relation, []*pg.Node{pg.MakeStrNode(c.Name)}))
		case pg.AlterTableType_AT_DropExpression: // from now on nobody knows what the column was made of
			a.flow(a.kept(s.Relation, c.Name), a.ownColumns(s.Relation, []*pg.Node{pg.MakeStrNode(c.Name)}))
		case pg.AlterTableType_AT_ClusterOn:
			a.probe(a.ownRow(s.Relation))
		case pg.AlterTableType_AT_AttachPartition:
			a.probe(a.ownRow(c.GetDef().GetPartitionCmd().GetName()))
			a.probe(a.ownRow(s.Relation)) // of which the default partition must hold no row that belongs in it
		case pg.AlterTableType_AT_GenericOptions, pg.AlterTableType_AT_AlterColumnGenericOptions:
			a.feature(action.FeatureOpaque) // of a foreign table: it may be another one from now on
			a.feature(action.FeatureDynamic)
		}
	}
}

// constraint probes the columns of a key: it can only be made when the rows agree.
func (s *survey) constraint(c *pg.Constraint) {
	a := s.a
	if s.alters != nil {
		a.probe(a.ownColumns(s.alters, c.Keys))
		a.probe(a.ownColumns(s.alters, c.FkAttrs))
	}
	switch {
	case c.Pktable == nil:
	case len(c.PkAttrs) > 0:
		a.probe(a.ownColumns(c.Pktable, c.PkAttrs))
	default: // its primary key, which is not known
		a.probe(a.ownRow(c.Pktable))
	}
}
