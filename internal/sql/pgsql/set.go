package pgsql

import (
	"slices"

	"dragoman.dev/dragoman/internal/sql"
)

// set is a sorted list of column numbers (see facts.id), never changed once made.
type set []int32

// lineage is where a value comes from.
type lineage struct {
	set set
	// direct: the value is one column's, unchanged. unknown: it may come from anywhere.
	direct, unknown bool
	// rows: the value may be a row or hold rows, so that a function in FROM may spread it.
	rows bool
	typ  uint32 // its type, where known
	item *item  // of a whole-row reference
}

var nowhere = lineage{unknown: true, rows: true}

func unite(a, b set) set {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	case len(a) == len(b) && (&a[0] == &b[0] || slices.Equal(a, b)):
		return a
	}
	out := make(set, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case a[0] > b[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// join is the lineage of a value computed from both.
func (f *facts) join(a, b lineage) lineage {
	f.spend(1 + (len(a.set)+len(b.set))/16)
	return lineage{set: unite(a.set, b.set), unknown: a.unknown || b.unknown, rows: a.rows || b.rows}
}

// derived is the lineage of a value computed from l alone.
func derived(l lineage) lineage {
	l.direct, l.typ, l.item = false, 0, nil
	return l
}

// either is the lineage of a value that is one of both, as in a set operation.
func (f *facts) either(a, b lineage) lineage {
	out := f.join(a, b)
	if a.typ == b.typ {
		out.typ = a.typ
	}
	out.direct = a.direct && b.direct && slices.Equal(a.set, b.set)
	return out
}

// id numbers a column; the number is only good within these facts.
func (f *facts) id(c sql.Column) int32 {
	if n, ok := f.ids[c]; ok {
		return n
	}
	n := int32(len(f.columns))
	f.ids[c] = n
	f.columns = append(f.columns, c)
	return n
}

func (f *facts) numbers(cols []sql.Column) set {
	out := make(set, len(cols))
	for i, c := range cols {
		out[i] = f.id(c)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (f *facts) named(s set) []sql.Column {
	if len(s) == 0 {
		return nil
	}
	out := make([]sql.Column, len(s))
	for i, n := range s {
		out[i] = f.columns[n]
	}
	return sorted(out)
}
