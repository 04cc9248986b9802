package pgsql

import (
	"fmt"
)

// document is the layout that catalog_query.go describes.
type document struct {
	path, schemas   []string
	rels            []relRow
	builtins, funcs []Function
	types           []Type
	ops             []opRow
	casts           []castRow
}

type relRow struct {
	rel     *Relation
	parents []uint32
}

type opRow struct{ name, schema, fn, extension string }

type castRow struct {
	target                uint32
	schema, fn, extension string
}

func readDocument(doc []byte) (*document, error) {
	r := &jsonReader{doc: doc}
	d := &document{}
	version := int64(0)
	r.object(func(key string) {
		switch key {
		case "v":
			version = r.number()
		case "path":
			d.path = r.strings()
		case "schemas":
			d.schemas = r.strings()
		case "rels":
			r.array(func() { d.rels = append(d.rels, readRelation(r)) })
		case "builtins":
			r.array(func() { d.builtins = append(d.builtins, readBuiltin(r)) })
		case "funcs":
			r.array(func() { d.funcs = append(d.funcs, readFunction(r)) })
		case "types":
			r.array(func() { d.types = append(d.types, readType(r)) })
		case "ops":
			r.array(func() { d.ops = append(d.ops, readOperator(r)) })
		case "casts":
			r.array(func() { d.casts = append(d.casts, readCast(r)) })
		default:
			r.fail("unknown key " + key)
		}
	})
	r.end()
	if r.err == nil && version != 1 {
		r.err = fmt.Errorf("version %d, want 1", version)
	}
	return d, r.err
}

// firstOwnOID is the first OID of objects that initdb did not make (FirstNormalObjectId).
const firstOwnOID = 16384

// unprinted stands for the definition of a view that could not be printed; it is no statement, so
// nothing is known of the view's columns.
const unprinted = "-"

func readRelation(r *jsonReader) relRow {
	out := relRow{rel: &Relation{}}
	r.open()
	out.rel.OID, out.rel.Schema, out.rel.Name, out.rel.Kind = r.oid(), r.text(), r.text(), r.letter()
	r.array(func() { out.parents = append(out.parents, r.oid()) })
	out.rel.viewDef, out.rel.RowType = r.text(), r.oid()
	if k := out.rel.Kind; (k == 'v' || k == 'm') && out.rel.OID >= firstOwnOID && out.rel.viewDef == "" {
		out.rel.viewDef = unprinted
	}
	r.array(func() {
		r.open()
		c := RelColumn{Num: int16(r.number()), Name: r.text(), Type: r.oid(), NotNull: r.boolean(), Generated: r.text()}
		r.close()
		out.rel.Columns = append(out.rel.Columns, c)
	})
	out.rel.ReadCode, out.rel.WriteCode, out.rel.Ruled = r.boolean(), r.boolean(), r.boolean()
	r.close()
	return out
}

func readBuiltin(r *jsonReader) Function {
	r.open()
	f := Function{Schema: "pg_catalog", Core: true, Language: "internal", Name: r.text(), Volatility: r.letter(),
		Kinds: r.text(), ReturnsSet: r.boolean(), Result: r.oid()}
	f.OutsDiffer = r.null()
	if !f.OutsDiffer {
		f.Outs = readOuts(r)
	}
	r.close()
	return f
}

func readFunction(r *jsonReader) Function {
	r.open()
	f := Function{Schema: r.text(), Name: r.text(), Kinds: r.text(), Volatility: r.letter(), Language: r.text(),
		SecDef: r.boolean(), Extension: r.text(), ReturnsSet: r.boolean(), Result: r.oid(), Outs: readOuts(r)}
	r.close()
	return f
}

func readOuts(r *jsonReader) (out []outColumn) {
	r.array(func() {
		r.open()
		out = append(out, outColumn{r.text(), r.oid()})
		r.close()
	})
	return out
}

func readType(r *jsonReader) Type {
	r.open()
	t := Type{OID: r.oid(), Schema: r.text(), Name: r.text(), Kind: r.letter(), Relation: r.oid(), Element: r.oid(), Base: r.oid(), Code: r.boolean()}
	r.close()
	return t
}

func readOperator(r *jsonReader) opRow {
	r.open()
	name, _ := r.text(), r.text() // the operator's own schema is not looked at: any of its name counts
	o := opRow{name: name, schema: r.text(), fn: r.text(), extension: r.text()}
	r.close()
	return o
}

func readCast(r *jsonReader) castRow {
	r.open()
	c := castRow{target: r.oid(), schema: r.text(), fn: r.text(), extension: r.text()}
	r.close()
	return c
}
