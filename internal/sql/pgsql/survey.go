package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"dragoman.dev/dragoman/internal/sql"
)

// survey visits a utility statement: every table that it names is written (and
// read, where the statement takes something from it), every column, function
// and query below counts.
type survey struct {
	a      *analysis
	scope  *scope
	option bool // below an option, where a word parses as a type's name
	create *pg.RangeVar
	flows  *sql.Column // where expressions write to: defaults, generated columns, USING
	alters *pg.RangeVar
}

// survey resolves the tables first, so that expressions see their columns.
func (a *analysis) survey(m protoreflect.Message) *survey {
	s := &survey{a: a, scope: &scope{}}
	switch v := m.Interface().(type) {
	case *pg.CreateStmt:
		s.create = v.Relation
	case *pg.CreateForeignTableStmt:
		s.create = v.BaseStmt.GetRelation()
	case *pg.CreateSeqStmt:
		s.create = v.Sequence
	case *pg.AlterTableStmt:
		to := target(a.table(v.Relation), v.Relation, "")
		s.flows, s.alters = &to, v.Relation
	case *pg.CompositeTypeStmt:
		s.create = v.Typevar
	}
	s.tables(m)
	if c, ok := m.Interface().(*pg.CreateStmt); ok {
		s.scope.source = s.scope.plus(single(newColumns(c)))
	}
	for _, name := range []string{"old", "new"} {
		for _, it := range s.scope.items {
			row := *it
			row.alias, row.schema = name, ""
			s.scope.items = append(s.scope.items, &row)
			break
		}
	}
	return s
}

// newColumns are the columns that a CREATE TABLE defines, for its own expressions.
func newColumns(c *pg.CreateStmt) *item {
	it := &item{alias: c.Relation.GetRelname()}
	for _, n := range c.TableElts {
		if d := n.GetColumnDef(); d != nil {
			it.columns = append(it.columns, column{name: d.Colname})
		}
	}
	return it
}

// tables records every RangeVar that is not inside a query of its own.
func (s *survey) tables(m protoreflect.Message) {
	s.a.spend(1)
	switch v := m.Interface().(type) {
	case *pg.SelectStmt, *pg.InsertStmt, *pg.UpdateStmt, *pg.DeleteStmt, *pg.MergeStmt, *pg.SubLink:
		return
	case *pg.RangeVar:
		s.table(v)
		return
	case *pg.TableLikeClause:
		s.scope.source = s.scope.plus(single(s.a.readTable(v.Relation)))
		return
	}
	children(m, s.tables)
}

func (s *survey) table(rv *pg.RangeVar) {
	if rv == s.create {
		schema := s.a.creationSchema(rv)
		touch(s.a.writes, qname{schema, rv.Relname}, schema != "")
		if schema == "" {
			s.a.unresolved()
		}
		return
	}
	it := s.a.table(rv)
	s.a.written(rv)
	s.scope.source = s.scope.plus(single(it))
}

// visit looks at expressions, queries, types and options.
func (s *survey) visit(m protoreflect.Message) {
	a := s.a
	a.spend(1)
	if a.exhausted() {
		return
	}
	switch v := m.Interface().(type) {
	case *pg.RangeVar, *pg.TableLikeClause:
		return
	case *pg.SelectStmt:
		a.probeRow(a.selectStmt(v, s.scope, false))
		return
	case *pg.InsertStmt, *pg.UpdateStmt, *pg.DeleteStmt, *pg.MergeStmt:
		a.probeRow(a.query(wrap(m), s.scope))
		return
	case *pg.ColumnRef, *pg.FuncCall, *pg.TypeCast, *pg.SubLink, *pg.A_Expr, *pg.A_Indirection, *pg.CaseExpr, *pg.RowExpr:
		if !s.option {
			l := a.expr(wrap(m), s.scope)
			a.probe(l)
			if s.flows != nil {
				a.flow(*s.flows, l)
			}
		}
		return
	case *pg.TypeName:
		if !s.option {
			a.typeName(v)
		}
		return
	case *pg.IndexElem:
		if v.Name != "" && len(s.scope.items) > 0 {
			a.probe(a.field(s.scope.items[:1], v.Name))
		}
	case *pg.Constraint:
		s.constraint(v)
	case *pg.PartitionBoundSpec:
		return // literals only; MINVALUE parses as a column
	case *pg.ObjectWithArgs:
		names, _ := fieldNames(v.Objname)
		if len(names) > 0 {
			schema := ""
			if len(names) > 1 {
				schema = names[len(names)-2]
			}
			touch(a.writes, qname{schema, names[len(names)-1]}, false)
		}
		return
	case *pg.DefElem:
		was := s.option
		s.option = true
		children(m, s.visit)
		s.option = was
		return
	}
	children(m, s.visit)
}

// wrap puts a message back into a Node.
func wrap(m protoreflect.Message) *pg.Node {
	n := &pg.Node{}
	r := n.ProtoReflect()
	fields := r.Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Message() != nil && fd.Message().FullName() == m.Descriptor().FullName() {
			r.Set(fd, protoreflect.ValueOfMessage(m))
			break
		}
	}
	return n
}

func children(m protoreflect.Message, visit func(protoreflect.Message)) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for list, i := v.List(), 0; i < list.Len(); i++ {
				visit(list.Get(i).Message())
			}
		default:
			visit(v.Message())
		}
		return true
	})
}
