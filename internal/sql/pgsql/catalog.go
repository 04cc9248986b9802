package pgsql

import (
	"strings"
	"sync"
	"sync/atomic"

	"dragoman.dev/dragoman/internal/sql"
)

// Catalog is an immutable snapshot of a database's names. It is safe for
// concurrent use; the lineage of views is worked out when first asked for.
type Catalog struct {
	version  uint64
	path     []string // search path under which view definitions were printed
	schemas  map[string]bool
	rels     map[qname]*Relation
	byOID    map[uint32]*Relation
	builtins map[string]*Function
	funcs    map[string][]*Function // not of the core, by name
	types    map[uint32]*Type
	byName   map[qname]*Type
	ops      map[string][]*Function // operators with code not of the core, by operator name
	casts    map[uint32][]*Function // casts with code not of the core, by target type

	mu sync.Mutex // guards the working out of lineage, and Relation.busy
}

type qname struct{ schema, name string }

// Relation is a table, view, sequence or the like.
type Relation struct {
	OID          uint32
	Schema, Name string
	Kind         byte // pg_class.relkind: r p v m f S c
	Columns      []RelColumn
	RowType      uint32
	// ReadCode: reading it runs row security or rules. WriteCode: writing to it runs triggers, foreign keys, or
	// defaults, checks and indexes with functions that are not of the core.
	// Ruled: a rule changes what INSERT, UPDATE or DELETE does, and with it what RETURNING gives.
	ReadCode, WriteCode, Ruled bool

	viewDef  string
	parents  []*Relation
	children []*Relation
	index    map[string]int
	lineage  atomic.Pointer[relLineage]
	busy     bool
	temp     bool // made earlier in the same text
}

// RelColumn is a column of a relation.
type RelColumn struct {
	Num       int16
	Name      string
	Type      uint32
	NotNull   bool
	Generated string // expression of a generated column
}

// Function is one function, or all core functions of one name taken together.
type Function struct {
	Schema, Name string
	Kinds        string // of pg_proc.prokind
	Volatility   byte   // i s v; the worst of all overloads
	Language     string
	SecDef       bool
	Extension    string
	Core         bool // made by initdb
	ReturnsSet   bool
	Result       uint32 // type; 0 when overloads differ
	Outs         []outColumn
	OutsDiffer   bool // overloads have different OUT columns
}

type outColumn struct {
	name string
	typ  uint32
}

// Type is a data type.
type Type struct {
	OID          uint32
	Schema, Name string
	Kind         byte // pg_type.typtype
	Relation     uint32
	Element      uint32
	Base         uint32
	Code         bool // input, output or checks run code that is not of the core or an extension
}

// Version is a digest of the content.
func (c *Catalog) Version() uint64 {
	if c == nil {
		return 0
	}
	return c.version
}

// Column names the column that a RowDescription identifies.
func (c *Catalog) Column(tableOID uint32, attnum int16) (sql.Column, bool) {
	if c == nil {
		return sql.Column{}, false
	}
	r := c.byOID[tableOID]
	if r == nil {
		return sql.Column{}, false
	}
	for i := range r.Columns {
		if r.Columns[i].Num == attnum {
			return sql.Column{Schema: r.Schema, Table: r.Name, Name: r.Columns[i].Name}, true
		}
	}
	return sql.Column{}, false
}

// Relation finds a relation by its resolved name.
func (c *Catalog) Relation(schema, name string) (*Relation, bool) {
	if c == nil {
		return nil, false
	}
	r, ok := c.rels[qname{schema, name}]
	return r, ok
}

// Family are the relation, its ancestors and its descendants: those whose rows it shares.
func (r *Relation) Family() []*Relation {
	seen := map[*Relation]bool{r: true}
	out := []*Relation{r}
	for i := 0; i < len(out); i++ {
		for _, list := range [][]*Relation{out[i].parents, out[i].children} {
			for _, other := range list {
				if !seen[other] {
					seen[other] = true
					out = append(out, other)
				}
			}
		}
	}
	return out
}

// Type finds a type by its OID.
func (c *Catalog) Type(oid uint32) (*Type, bool) {
	if c == nil {
		return nil, false
	}
	t, ok := c.types[oid]
	return t, ok
}

// Origins follows a column to the columns that its values come from: through
// views, generated columns, and inheritance both ways. The column itself is
// among them. The result is sorted and shared: do not change it.
func (c *Catalog) Origins(col sql.Column) []sql.Column {
	if r, ok := c.Relation(col.Schema, col.Table); ok {
		if i, ok := r.index[col.Name]; ok {
			return c.lineageOf(r).columns[i].origins
		}
	}
	return []sql.Column{col}
}

// column is the index of the named column, or -1.
func (r *Relation) column(name string) int {
	if i, ok := r.index[name]; ok {
		return i
	}
	return -1
}

func (r *Relation) name(i int) sql.Column {
	return sql.Column{Schema: r.Schema, Table: r.Name, Name: r.Columns[i].Name}
}

func (r *Relation) reindex() {
	r.index = make(map[string]int, len(r.Columns))
	for i := range r.Columns {
		r.index[r.Columns[i].Name] = i
	}
}

// isSystemColumn reports the columns that every table has.
func isSystemColumn(name string) bool {
	switch name {
	case "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid":
		return true
	}
	return false
}

// composite returns the relation whose columns a value of the type has, through domains.
func (c *Catalog) composite(oid uint32) *Relation {
	for range 32 {
		t := c.types[oid]
		if t == nil {
			return nil
		}
		if t.Relation != 0 {
			return c.byOID[t.Relation]
		}
		if t.Kind != 'd' {
			return nil
		}
		oid = t.Base
	}
	return nil
}

// holdsRows reports whether values of the type are rows or arrays of rows.
func (c *Catalog) holdsRows(oid uint32) bool {
	switch oid {
	case oidRecord, oidRecordArray:
		return true
	}
	t := c.types[oid]
	for range 32 {
		if t == nil {
			return false
		}
		if t.Relation != 0 || t.Kind == 'c' {
			return true
		}
		switch {
		case t.Kind == 'd':
			t = c.types[t.Base]
		case strings.HasPrefix(t.Name, "_"):
			t = c.types[t.Element]
		default:
			return false
		}
	}
	return true
}

// OIDs of core types that never change.
const (
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidText        = 25
	oidTextArray   = 1009
	oidRecord      = 2249
	oidRecordArray = 2287
	oidAny         = 2276
	oidAnyElement  = 2283
	oidAnyArray    = 2277
)
