package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/sql"
)

// batch is what earlier statements of one text did to the names that later ones use.
type batch struct {
	made      map[qname]*Relation
	changed   map[qname]bool // no longer what the catalog says, nor known
	temp      bool           // the temporary schema exists now
	pathLost  bool           // unqualified names may mean anything
	functions bool           // functions, types or operators changed
}

func newBatch() *batch { return &batch{made: map[qname]*Relation{}, changed: map[qname]bool{}} }

func (b *batch) make(r *Relation) {
	q := qname{r.Schema, r.Name}
	b.made[q] = r
	delete(b.changed, q)
	b.temp = b.temp || isTempSchema(r.Schema)
}

func (b *batch) change(q qname) {
	b.changed[q] = true
	delete(b.made, q)
}

// after takes over what a statement did.
func (b *batch) after(st *sql.Statement, n *pg.Node, a *analysis) {
	if st.Effects&(sql.EffectNames|sql.EffectOpaque|sql.EffectExecute|sql.EffectFetch) != 0 {
		switch n.GetNode().(type) {
		case *pg.Node_CreateStmt, *pg.Node_CreateTableAsStmt, *pg.Node_SelectStmt, *pg.Node_ViewStmt:
			if st.Effects&sql.EffectOpaque != 0 || a.verbs["set"] {
				b.pathLost = true
			}
		case *pg.Node_FetchStmt:
		default:
			b.pathLost = true
		}
	}
	switch v := n.GetNode().(type) {
	case *pg.Node_TransactionStmt:
		if v.TransactionStmt.Kind != pg.TransactionStmtKind_TRANS_STMT_BEGIN {
			b.rolledBack()
		}
	case *pg.Node_SelectStmt, *pg.Node_CreateStmt, *pg.Node_CreateTableAsStmt, *pg.Node_ViewStmt, *pg.Node_DropStmt, *pg.Node_IndexStmt, *pg.Node_CommentStmt:
	default:
		if st.Effects&sql.EffectCatalog == 0 {
			return
		}
		for q := range a.writes {
			b.change(q)
		}
		if _, table := n.GetNode().(*pg.Node_AlterTableStmt); !table {
			b.functions = true
		}
	}
}

// rolledBack: what was made may be gone.
func (b *batch) rolledBack() {
	for q := range b.made {
		b.change(q)
	}
}

// createTable notes the columns of a plain CREATE TABLE.
func (a *analysis) createTable(c *pg.CreateStmt) {
	if c.Partbound != nil {
		// It can only be made when no row of the default partition belongs in it: that says what keys there are.
		for _, n := range c.InhRelations {
			a.probe(a.ownRow(n.GetRangeVar()))
		}
	}
	schema := a.creationSchema(c.Relation)
	if isTempSchema(schema) {
		a.effect(sql.EffectNames)
	}
	r := &Relation{Schema: schema, Name: c.Relation.GetRelname(), Kind: 'r', temp: true}
	for i, n := range c.TableElts {
		d := n.GetColumnDef()
		if d == nil {
			if n.GetConstraint() != nil {
				continue
			}
			a.batch.change(qname{schema, r.Name})
			return
		}
		col := RelColumn{Num: int16(i + 1), Name: d.Colname}
		if t := a.typeName(d.TypeName); t != nil && len(d.TypeName.ArrayBounds) == 0 {
			col.Type = t.OID
		}
		r.Columns = append(r.Columns, col)
	}
	if len(c.InhRelations) > 0 || c.OfTypename != nil || schema == "" || c.IfNotExists {
		a.batch.change(qname{schema, r.Name})
		return
	}
	r.reindex()
	r.lineage.Store(&relLineage{columns: ownColumns(r, false)})
	a.batch.make(r)
}
