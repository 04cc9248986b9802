package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

func (a *analysis) funcCall(c *pg.FuncCall, sc *scope) lineage {
	names, _ := fieldNames(c.Funcname)
	if len(names) == 0 {
		a.unresolved()
		return nowhere
	}
	args := make([]lineage, 0, len(c.Args))
	for _, n := range c.Args {
		args = append(args, a.expr(n, sc))
	}
	schema, name := "", names[len(names)-1]
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	if name == "set_config" {
		a.setConfig(c, sc)
	}
	a.patternCall(name, c.Args, args)
	l := a.callNamed(schema, name, args)
	typ := l.typ
	rows := l.rows
	for _, n := range append(c.AggOrder[:len(c.AggOrder):len(c.AggOrder)], c.AggFilter) {
		x := a.expr(n, sc)
		a.probe(x)
		l = a.join(l, x)
	}
	if c.Over != nil {
		l = a.join(l, a.window(c.Over, sc))
	}
	l.typ, l.rows = typ, rows
	return l
}

// candidates are the functions that a name can mean, of any argument types: all
// of the search path, because the best match may be in any of its schemas.
func (a *analysis) candidates(schema, name string) []*Function {
	core := a.cat.builtins[name]
	var out []*Function
	if schema == "pg_temp" {
		schema = a.tempSchema()
	}
	if core != nil && (schema == "" || schema == "pg_catalog") {
		out = append(out, core)
	}
	for _, f := range a.cat.funcs[name] {
		// Functions in the temporary schema are found by a qualified name only.
		if f.Schema == schema || schema == "" && !isTempSchema(f.Schema) && slices.Contains(a.path(), f.Schema) {
			out = append(out, f)
		}
	}
	return out
}

// callNamed is the lineage of a call's result.
func (a *analysis) callNamed(schema, name string, args []lineage) lineage {
	var l lineage
	for _, x := range args {
		l = a.join(l, x)
	}
	fns := a.candidates(schema, name)
	if schema == "" && a.batch.pathLost || a.batch.functions {
		a.unresolved()
		l.unknown = true
	}
	if len(fns) == 0 {
		return a.castCall(schema, name, l)
	}
	a.computes(name, fns, args)
	rows, in := false, l
	for i, f := range fns {
		if a.use(f) {
			l.unknown = true
		}
		if f.ReturnsSet {
			a.probe(in) // decides how many rows there are
		}
		if f.Volatility == 'v' {
			// It may carry the value somewhere: a setting, a sequence, a notification.
			a.flow(sql.Column{Schema: f.Schema, Table: f.Name}, in)
			a.carried = a.join(a.carried, lineage{set: in.set, unknown: in.unknown})
		}
		switch {
		case i > 0 && f.Result != l.typ:
			l.typ = 0
		case i == 0:
			l.typ = f.Result
		}
		rows = rows || (f.Result == 0 || polymorphic(f.Result)) && l.rows || a.cat.holdsRows(f.Result)
	}
	l.rows = rows
	if polymorphic(l.typ) || name == "unnest" {
		l.typ = a.actualType(name, l.typ, args)
	}
	return l
}

// actualType is the type of a polymorphic result, which its first argument gives, or 0.
func (a *analysis) actualType(name string, result uint32, args []lineage) uint32 {
	if len(args) == 0 || args[0].typ == 0 {
		return 0
	}
	first := args[0].typ
	t := a.cat.types[first]
	isArray := t != nil && t.Element != 0 && strings.HasPrefix(t.Name, "_")
	switch {
	case name == "unnest" && isArray:
		return t.Element
	case name == "unnest":
		return 0
	case result == oidAnyArray && !isArray && t != nil:
		return a.arrayOf(t)
	}
	return first
}

// castCall is a call of what is no function: a cast in function notation, or unknown.
func (a *analysis) castCall(schema, name string, l lineage) lineage {
	names := []string{name}
	if schema != "" {
		names = []string{schema, name}
	}
	if t := a.findType(names); t != nil {
		a.casted(l, t, false, false)
		if t.Code {
			a.runs(&Function{Schema: t.Schema, Name: t.Name})
		}
		for _, f := range a.cat.casts[t.OID] {
			a.use(f)
		}
		l.typ, l.rows = t.OID, a.cat.holdsRows(t.OID)
		return l
	}
	a.unresolved()
	a.functions[qname{schema, name}] = &action.Function{Schema: schema, Name: name, Opaque: true}
	a.feature(action.FeatureOpaque)
	a.effect(sql.EffectOpaque)
	return a.join(l, nowhere)
}

// use records a call of f; it reports whether f is opaque.
func (a *analysis) use(f *Function) bool {
	class := classOf(f)
	if class == nil && !f.Core {
		if !harmless(f) {
			class = &userDefined
		}
	}
	key := qname{f.Schema, f.Name}
	fn := a.functions[key]
	if fn == nil {
		fn = &action.Function{Schema: f.Schema, Name: f.Name, Volatility: volatility(f.Volatility)}
		a.functions[key] = fn
		a.called = append(a.called, f)
	} else if f.Volatility == 'v' {
		fn.Volatility = volatility('v')
	}
	if class == nil {
		return fn.Opaque
	}
	for _, feature := range class.features {
		a.feature(feature)
	}
	if class.opaque {
		fn.Opaque = true
		a.feature(action.FeatureOpaque)
		a.effect(sql.EffectOpaque)
	}
	return fn.Opaque
}

// runs records that code behind a type, an operator or a cast runs.
func (a *analysis) runs(f *Function) { a.use(f) }

// operator records the function behind an operator when it is not of the core.
func (a *analysis) operator(names []*pg.Node) {
	if len(names) == 0 {
		return
	}
	parts, _ := fieldNames(names)
	if len(parts) == 0 {
		return
	}
	for _, f := range a.cat.ops[parts[len(parts)-1]] {
		if !f.Core && !harmless(f) {
			a.use(f)
		}
	}
}

func volatility(v byte) string {
	switch v {
	case 'i':
		return "immutable"
	case 's':
		return "stable"
	case 'v':
		return "volatile"
	}
	return ""
}
