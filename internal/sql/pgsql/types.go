package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// typeName resolves a type; nil when it is not in the catalog. Array bounds are not applied.
func (a *analysis) typeName(t *pg.TypeName) *Type {
	names, _ := fieldNames(t.GetNames())
	if len(names) == 0 {
		return nil
	}
	if t.PctType {
		// table.column%TYPE: as good as reading nothing, but the names must exist.
		return nil
	}
	if len(names) == 3 {
		names = names[1:]
	}
	ty := a.findType(names)
	if ty == nil {
		a.unresolved()
		return nil
	}
	if ty.Code {
		a.runs(&Function{Schema: ty.Schema, Name: ty.Name})
	}
	return ty
}

func (a *analysis) findType(names []string) *Type {
	name := names[len(names)-1]
	if len(names) == 2 {
		schema := names[0]
		if schema == "pg_temp" {
			schema = a.tempSchema()
		}
		return a.cat.byName[qname{schema, name}]
	}
	for _, s := range a.path() {
		if t := a.cat.byName[qname{s, name}]; t != nil {
			return t
		}
	}
	if a.path() == nil {
		return nil
	}
	return a.cat.byName[qname{"pg_catalog", name}]
}

func (a *analysis) typeCast(c *pg.TypeCast, sc *scope) lineage {
	l := a.expr(c.Arg, sc)
	ty := a.typeName(c.TypeName)
	if ty == nil {
		a.probe(l)
		out := derived(l)
		out.rows = true
		return out
	}
	a.casted(l, ty, len(c.TypeName.ArrayBounds) > 0, len(c.TypeName.Typmods) > 0)
	if c.Arg.GetAConst() != nil && ty.Schema == "pg_catalog" && strings.HasPrefix(ty.Name, "reg") {
		a.literal = true
	}
	for _, f := range a.cat.casts[ty.OID] {
		a.use(f)
	}
	array := len(c.TypeName.ArrayBounds) > 0
	if l.direct && !array && len(c.TypeName.Typmods) == 0 && sameValue(l.typ, ty.OID) {
		l.typ, l.item = ty.OID, nil
		return l
	}
	out := derived(l)
	out.typ = ty.OID
	out.rows = a.cat.holdsRows(ty.OID)
	if array {
		out.typ = a.arrayOf(ty)
	}
	return out
}

// arrayOf is the array type over a type, or 0.
func (a *analysis) arrayOf(t *Type) uint32 {
	if at := a.cat.byName[qname{t.Schema, "_" + t.Name}]; at != nil && at.Element == t.OID {
		return at.OID
	}
	return 0
}

// sameValue reports whether a cast from one type to the other leaves the value as it is.
func sameValue(from, to uint32) bool {
	return from == to && from != 0 && from != oidBpchar || from == oidVarchar && to == oidText || from == oidText && to == oidVarchar
}

func polymorphic(oid uint32) bool {
	switch oid {
	case oidAny, oidAnyElement, oidAnyArray, 2776, 3500, 3831, 4537, 5077, 5078, 5079, 5080, 4538:
		return true
	}
	return false
}
