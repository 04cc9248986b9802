package pgsql

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/sql"
)

// relLineage is where a relation's columns come from.
type relLineage struct {
	columns []columnLineage
	// reads are the relations behind a view, at any depth, by their names;
	// functions and features are those of its definition.
	reads     []qname
	functions []*Function
	features  map[string]any
	// broken says that a definition could not be analysed: columns may hold anything.
	broken bool
}

type columnLineage struct {
	origins []sql.Column // sorted, with the column itself
	direct  bool         // a table's own column, or a bare renaming of one
	unknown bool
}

// lineageOf is safe for concurrent use.
func (c *Catalog) lineageOf(r *Relation) *relLineage {
	if l := r.lineage.Load(); l != nil {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lineageLocked(r)
}

// lineageLocked works the lineage out with c.mu held; views of views recur.
func (c *Catalog) lineageLocked(r *Relation) *relLineage {
	if l := r.lineage.Load(); l != nil {
		return l
	}
	if r.busy {
		return &relLineage{columns: ownColumns(r, true), broken: true}
	}
	r.busy = true
	defer func() { r.busy = false }()
	var l *relLineage
	switch {
	case r.viewDef != "":
		l = c.viewLineage(r)
	default:
		l = c.tableLineage(r)
	}
	r.lineage.Store(l)
	return l
}

func ownColumns(r *Relation, unknown bool) []columnLineage {
	cols := make([]columnLineage, len(r.Columns))
	for i := range cols {
		cols[i] = columnLineage{origins: []sql.Column{r.name(i)}, direct: !unknown, unknown: unknown}
	}
	return cols
}

// viewLineage analyses the definition under the path that it was printed for.
func (c *Catalog) viewLineage(r *Relation) *relLineage {
	l := &relLineage{columns: ownColumns(r, false)}
	st, fns, err := analyzeView(r.viewDef, Env{Catalog: c, Path: c.path, Strings: true})
	if err != nil || len(st.Outputs) != len(r.Columns) {
		for i := range l.columns {
			l.columns[i].direct, l.columns[i].unknown = false, true
		}
		l.broken = true
		return l
	}
	for i, out := range st.Outputs {
		col := &l.columns[i]
		col.origins = union(col.origins, out.Origins)
		col.direct, col.unknown = out.Direct, out.Unknown
	}
	for _, o := range st.Action.Reads {
		l.reads = append(l.reads, qname{o.Schema, o.Name})
	}
	l.functions, l.features = fns, viewFeatures(st.Action.Features)
	l.broken = st.Action.Has("unresolved")
	return l
}

// viewFeatures keeps what reading the view means for its reader.
func viewFeatures(all map[string]any) map[string]any {
	kept := map[string]any{}
	for k, v := range all {
		switch k {
		case "where", "limit", "locking":
		default:
			kept[k] = v
		}
	}
	return kept
}

// tableLineage adds a generated column's sources and, for inheritance and
// partitions, the column of the same name in all ancestors and descendants.
func (c *Catalog) tableLineage(r *Relation) *relLineage {
	l := &relLineage{columns: ownColumns(r, false)}
	family := relatives(r)
	for i := range r.Columns {
		col := &l.columns[i]
		for _, k := range family {
			if j := k.column(r.Columns[i].Name); j >= 0 {
				col.origins = append(col.origins, k.name(j))
			}
		}
		col.origins = sorted(col.origins)
		if g := r.Columns[i].Generated; g != "" {
			c.generatedLineage(r, g, col)
		}
	}
	return l
}

func (c *Catalog) generatedLineage(r *Relation, expression string, col *columnLineage) {
	col.direct = false
	// The expression names columns of its own table only.
	plain := &Relation{OID: r.OID, Schema: r.Schema, Name: r.Name, Kind: r.Kind}
	for _, k := range r.Columns {
		k.Generated = ""
		plain.Columns = append(plain.Columns, k)
	}
	plain.reindex()
	plain.lineage.Store(&relLineage{columns: ownColumns(plain, false)})
	origins, unknown := analyzeExpression(expression, plain, Env{Catalog: c, Path: c.path, Strings: true})
	col.origins = union(col.origins, origins)
	col.unknown = unknown
	for _, o := range origins {
		for _, k := range relatives(r) {
			if j := k.column(o.Name); j >= 0 {
				col.origins = union(col.origins, []sql.Column{k.name(j)})
			}
		}
	}
}

// relatives are the ancestors and the descendants of a relation.
func relatives(r *Relation) []*Relation {
	seen := map[*Relation]bool{r: true}
	var out []*Relation
	var walk func(rs []*Relation, next func(*Relation) []*Relation)
	walk = func(rs []*Relation, next func(*Relation) []*Relation) {
		for _, k := range rs {
			if !seen[k] {
				seen[k] = true
				out = append(out, k)
				walk(next(k), next)
			}
		}
	}
	walk(r.parents, func(k *Relation) []*Relation { return k.parents })
	walk(r.children, func(k *Relation) []*Relation { return k.children })
	return out
}

func compareColumns(a, b sql.Column) int {
	if n := strings.Compare(a.Schema, b.Schema); n != 0 {
		return n
	}
	if n := strings.Compare(a.Table, b.Table); n != 0 {
		return n
	}
	return strings.Compare(a.Name, b.Name)
}

// sorted sorts in place and drops duplicates.
func sorted(cols []sql.Column) []sql.Column {
	slices.SortFunc(cols, compareColumns)
	return slices.Compact(cols)
}

// union returns a new sorted list of both.
func union(a, b []sql.Column) []sql.Column {
	return sorted(append(append(make([]sql.Column, 0, len(a)+len(b)), a...), b...))
}
