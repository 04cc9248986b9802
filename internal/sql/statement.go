// Package sql is what the gateway knows of a SQL statement, whatever the
// dialect: the action for policy, and the lineage for masking. Parsers fill it
// in (internal/sql/pgsql); it knows neither policy nor wire.
package sql

import "dragoman.dev/dragoman/internal/action"

// Column names a column of a table or view by its resolved names.
type Column struct {
	Schema, Table, Name string
}

func (c Column) String() string { return c.Schema + "." + c.Table + "." + c.Name }

// Output is one column of a statement's result.
type Output struct {
	Name string
	// Origins are the base columns that the value is computed from, sorted,
	// without duplicates; views are followed to their tables, and the view's
	// own column is among them too. A whole-row reference or a function over a
	// row has all the row's columns.
	Origins []Column
	// Direct says that the value is one origin's, unchanged, so that its
	// mask can keep the shape (partial, hash). Otherwise a masked origin
	// taints the value and it is redacted whole.
	Direct bool
	// Unknown says that the origins could not be determined: whoever masks must
	// treat the value as coming from any column of the statement's reads.
	Unknown bool
}

// Flow is a write of values derived from columns: INSERT … SELECT ssn,
// UPDATE … SET notes = ssn, CREATE TABLE AS.
type Flow struct {
	To   Column // Name is "" when the whole object is written
	From []Column
}

// Effect says what a statement changes about the session or the catalog.
type Effect uint32

const (
	// EffectNames: later names may resolve differently (search_path, role,
	// temp objects, set_config, DISCARD, end of a transaction that set them).
	EffectNames Effect = 1 << iota
	// EffectCatalog: DDL; the catalog must be read again.
	EffectCatalog
	// EffectBegin, EffectEnd: opens or closes a transaction block.
	EffectBegin
	EffectEnd
	// EffectPrepare, EffectExecute, EffectDeallocate: SQL-level prepared statements.
	EffectPrepare
	EffectExecute
	EffectDeallocate
	// EffectCursor: DECLARE; EffectFetch: FETCH or MOVE of one.
	EffectCursor
	EffectFetch
	// EffectCopyIn, EffectCopyOut: the statement starts a COPY sub-protocol.
	EffectCopyIn
	EffectCopyOut
	// EffectOpaque: runs code that cannot be seen, so it may have any of the above.
	EffectOpaque
)

// Statement is one analysed statement. It is immutable once returned and may be
// shared between sessions and cached.
type Statement struct {
	Action action.Action
	// Start and End are the statement's byte span in the text it came in.
	Start, End int
	// Returns says that it returns rows; Outputs are then its columns in
	// order, or nil when their number is not known (treat all as Unknown).
	Returns bool
	Outputs []Output
	// Probes are columns whose values can be told from something else than the masked result: they decide
	// which rows are returned or changed, their order or grouping (WHERE, ON, USING, GROUP BY, ORDER BY, HAVING,
	// DISTINCT, set operations that compare, window clauses, LIMIT), or they are computed with in a way that
	// may raise an error, give NULL or take time because of them (CASE, comparisons, arithmetic, most casts
	// and functions). Sorted, no duplicates.
	Probes  []Column
	Flows   []Flow
	Effects Effect
	// Name is the prepared statement or cursor that the effect is about; for
	// EffectPrepare and EffectCursor, Inner is the statement under that name.
	Name  string
	Inner *Statement
	// Copy says how COPY writes or reads its rows; nil for other statements.
	Copy *CopyOptions
	// ShapeKey is a key under which another text with the same tokens but other plain literals has
	// the same analysis (Text, Params and spans apart), or "" when the facts depend on literals.
	ShapeKey string
}

// CopyOptions are the options of COPY that say how a row is written. The
// Outputs of COPY … TO are the copied columns, though Returns is false.
type CopyOptions struct {
	Format     string // "text", "csv", "binary"
	Delimiter  string
	Null       string
	Quote      string // csv
	Escape     string // csv
	Encoding   string // "" is the client's
	Header     bool
	ForceQuote bool // some columns are always quoted
	// Unknown says that an option was not understood: the rows cannot be read.
	Unknown bool
}

// Reads reports whether any read object of the statement is schema.table.
func (s *Statement) ReadsTable(schema, table string) bool {
	for _, o := range s.Action.Reads {
		if o.Schema == schema && o.Name == table {
			return true
		}
	}
	return false
}
