package replay

import (
	"github.com/jackc/pgx/v5/pgproto3"
)

// Bounds of what is remembered of a session's requests; a session that goes over them is shown
// with values whose types are not known.
const (
	maxOps   = 100_000
	maxNames = 10_000
)

// pgOp is a request whose answer is still to come: its message type, and what it is about.
type pgOp struct {
	typ  byte
	name string // of the statement, of a Describe of one
	stmt bool   // a Describe of a statement
	// portal is the one that had the name when the request was made: pipelined requests use names anew.
	portal *pgPortal
}

type pgPortal struct {
	statement string
	formats   []int16
	columns   []pgproto3.FieldDescription // nil: the statement's
}

// pgFlow matches answers to requests, so that a row is read by the columns of its own
// statement, whenever that was described.
type pgFlow struct {
	ops        []pgOp
	statements map[string][]pgproto3.FieldDescription
	portals    map[string]*pgPortal
	// columns are those of the result that is being read; fresh says that no row of it was seen.
	columns []pgproto3.FieldDescription
	fresh   bool
}

func newFlow() pgFlow {
	return pgFlow{statements: map[string][]pgproto3.FieldDescription{}, portals: map[string]*pgPortal{}}
}

func (f *pgFlow) ask(op pgOp) {
	if len(f.ops) >= maxOps {
		f.ops = nil
	}
	f.ops = append(f.ops, op)
	if op.typ == 'E' {
		f.fresh = true
	}
}

// about asks to describe or close a statement ('S') or a portal.
func (f *pgFlow) about(typ, object byte, name string) {
	if object == 'S' {
		f.ask(pgOp{typ: typ, name: name, stmt: true})
		return
	}
	f.askPortal(typ, name)
}

// askPortal asks about a portal.
func (f *pgFlow) askPortal(typ byte, name string) { f.ask(pgOp{typ: typ, portal: f.portals[name]}) }

func (f *pgFlow) bind(m *pgproto3.Bind) {
	if len(f.portals) >= maxNames {
		clear(f.portals)
	}
	f.portals[m.DestinationPortal] = &pgPortal{statement: m.PreparedStatement, formats: append([]int16(nil), m.ResultFormatCodes...)}
	f.ask(pgOp{typ: 'B'})
}

func (f *pgFlow) head() pgOp {
	if len(f.ops) == 0 {
		return pgOp{}
	}
	return f.ops[0]
}

// done takes the oldest request off, if it is of that type.
func (f *pgFlow) done(typ byte) {
	if f.head().typ == typ {
		f.ops = f.ops[1:]
	}
	f.columns, f.fresh = nil, true
}

// described takes a row description. It reports whether a result begins with it, and not only
// the answer to a Describe.
func (f *pgFlow) described(cols []pgproto3.FieldDescription) bool {
	op := f.head()
	if op.typ != 'D' {
		f.columns, f.fresh = cols, false
		return true
	}
	if op.stmt {
		if len(f.statements) >= maxNames {
			clear(f.statements)
		}
		f.statements[op.name] = cols
	} else if op.portal != nil {
		op.portal.columns = cols
	}
	f.done('D')
	return false
}

// row gives the columns of the row that comes, and whether it is the first of an Execute.
func (f *pgFlow) row(n int) (cols []pgproto3.FieldDescription, first bool) {
	if op := f.head(); op.typ == 'E' && f.columns == nil {
		f.columns = f.ofPortal(op.portal)
	}
	first, f.fresh = f.fresh && f.columns != nil, false
	if len(f.columns) != n {
		return nil, false
	}
	return f.columns, first
}

func (f *pgFlow) ofPortal(p *pgPortal) []pgproto3.FieldDescription {
	if p == nil {
		return nil
	}
	if p.columns != nil {
		return p.columns
	}
	stmt := f.statements[p.statement]
	cols := append([]pgproto3.FieldDescription(nil), stmt...)
	for i := range cols {
		switch {
		case len(p.formats) == 1:
			cols[i].Format = p.formats[0]
		case i < len(p.formats):
			cols[i].Format = p.formats[i]
		default:
			cols[i].Format = 0
		}
	}
	return cols
}

// failed: after an error the target skips everything up to the next Sync.
func (f *pgFlow) failed() {
	for len(f.ops) > 0 && f.ops[0].typ != 'S' && f.ops[0].typ != 'Q' {
		f.ops = f.ops[1:]
	}
	f.columns, f.fresh = nil, true
}

// ready: a Sync or a simple query is answered whole.
func (f *pgFlow) ready() {
	f.failed()
	if len(f.ops) > 0 {
		f.ops = f.ops[1:]
	}
	if len(f.ops) == 0 {
		f.ops = nil
	}
}
