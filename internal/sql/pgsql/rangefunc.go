package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// rangeFunction is a function in FROM. Its arguments decide how many rows there
// are, so they are probes as well as the lineage of all its columns.
func (a *analysis) rangeFunction(rf *pg.RangeFunction, sc *scope) *item {
	it := &item{}
	for _, n := range rf.Functions {
		parts := n.GetList().GetItems()
		if len(parts) == 0 {
			it.open = true
			continue
		}
		defs := rf.Coldeflist
		if len(parts) > 1 && parts[1].GetList() != nil {
			defs = parts[1].GetList().Items
		}
		out := a.functionRows(parts[0], defs, rf.Alias, sc)
		if it.alias == "" {
			it.alias = figureName(parts[0])
		}
		it.columns = append(it.columns, out.columns...)
		it.open = it.open || out.open
	}
	if rf.Ordinality {
		it.columns = append(it.columns, column{name: "ordinality"})
	}
	if it.open {
		it.rowset = a.united(it.rowset, rowset{open: true})
	}
	return rename(it, rf.Alias)
}

// functionRows are the columns of one function in FROM.
func (a *analysis) functionRows(n *pg.Node, defs []*pg.Node, alias *pg.Alias, sc *scope) rowset {
	call := n.GetFuncCall()
	if call != nil && len(defs) == 0 {
		if out, ok := a.unnest(call, sc); ok {
			return out
		}
	}
	l := a.expr(n, sc)
	a.probe(l)
	l.item, l.direct = nil, false
	if len(defs) > 0 {
		var out rowset
		for _, d := range defs {
			c := d.GetColumnDef()
			if c == nil {
				return rowset{open: true}
			}
			v := l
			v.typ, v.rows = 0, true
			if t := a.typeName(c.TypeName); t != nil {
				v.typ, v.rows = t.OID, a.cat.holdsRows(t.OID)
			}
			out.columns = append(out.columns, column{name: c.Colname, lineage: v})
		}
		return out
	}
	return a.resultColumns(call, l, figureName(n), alias)
}

// resultColumns are the columns that a function's result type gives.
func (a *analysis) resultColumns(call *pg.FuncCall, l lineage, name string, alias *pg.Alias) rowset {
	if call == nil {
		return rowset{columns: []column{{name: name, lineage: l}}, open: l.rows}
	}
	names, _ := fieldNames(call.Funcname)
	schema := ""
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	fns := a.candidates(schema, names[len(names)-1])
	if len(fns) == 0 {
		return rowset{columns: []column{{name: name, lineage: l}}, open: true}
	}
	var out rowset
	for i, f := range fns {
		cols, ok := a.outs(f, l, name, alias)
		if !ok || i > 0 && !sameNames(cols, out.columns) {
			return rowset{columns: cols, open: true}
		}
		out.columns = cols
	}
	return out
}

func (a *analysis) outs(f *Function, l lineage, name string, alias *pg.Alias) ([]column, bool) {
	plain := func(n string, typ uint32) column {
		v := l
		v.typ, v.rows = typ, a.cat.holdsRows(typ) || polymorphic(typ) && l.rows
		return column{name: n, lineage: v}
	}
	one := name
	if alias != nil && alias.Aliasname != "" {
		one = alias.Aliasname // a function of one scalar column names it after its alias
	}
	switch {
	case f.Core && f.Name == "unnest":
		return a.unnested(l, one)
	case f.OutsDiffer:
		return nil, false
	case len(f.Outs) == 1 && f.Result != oidRecord:
		n := f.Outs[0].name
		if n == "" {
			n = one
		}
		return []column{plain(n, f.Outs[0].typ)}, true
	case len(f.Outs) > 0:
		var out []column
		for i, o := range f.Outs {
			n := o.name
			if n == "" {
				n = "column" + itoa(i+1)
			}
			out = append(out, plain(n, o.typ))
		}
		return out, true
	case f.Result == oidRecord || f.Result == 0 && l.rows:
		return nil, false
	case polymorphic(f.Result):
		// The value has its argument's type; a row of known type is spread.
		if r := a.cat.composite(l.typ); r != nil {
			break
		}
		if l.rows {
			return nil, false
		}
		return []column{plain(one, 0)}, true
	}
	typ := f.Result
	if polymorphic(typ) {
		typ = l.typ
	}
	if r := a.cat.composite(typ); r != nil {
		var out []column
		for _, c := range r.Columns {
			out = append(out, plain(c.Name, c.Type))
		}
		return out, true
	}
	return []column{plain(one, typ)}, true
}

// unnested are the columns of unnest over one argument: one for an array, one
// for each field when it holds rows, three for a tsvector.
func (a *analysis) unnested(l lineage, name string) ([]column, bool) {
	if r := a.cat.composite(l.typ); r != nil {
		var out []column
		for _, c := range r.Columns {
			v := derived(l)
			v.typ, v.rows = c.Type, a.cat.holdsRows(c.Type)
			out = append(out, column{name: c.Name, lineage: v})
		}
		return out, true
	}
	v := derived(l)
	v.typ = l.typ
	return []column{{name: name, lineage: v}}, l.typ != 0 && !l.rows
}

func sameNames(x, y []column) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].name != y[i].name {
			return false
		}
	}
	return true
}

// unnest(a, b, …) in FROM is one unnest for each argument, side by side.
func (a *analysis) unnest(c *pg.FuncCall, sc *scope) (rowset, bool) {
	names, _ := fieldNames(c.Funcname)
	if len(names) != 1 || names[0] != "unnest" || len(c.Args) < 2 || c.AggOrder != nil || c.AggFilter != nil || c.Over != nil {
		return rowset{}, false
	}
	var out rowset
	for _, n := range c.Args {
		v := a.callNamed("", "unnest", []lineage{a.expr(n, sc)})
		a.probe(v)
		out.columns = append(out.columns, column{name: "unnest", lineage: derived(v)})
		out.open = out.open || v.rows
	}
	return out, true
}
