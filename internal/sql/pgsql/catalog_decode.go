package pgsql

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// maxCatalog bounds the document: about a hundred thousand tables.
const maxCatalog = 256 << 20

// DecodeCatalog reads what CatalogQuery returns.
func DecodeCatalog(doc []byte) (*Catalog, error) {
	if len(doc) > maxCatalog {
		return nil, fmt.Errorf("pgsql: catalog of %d bytes is over the limit of %d", len(doc), maxCatalog)
	}
	var d document
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("pgsql: decoding the catalog: %w", err)
	}
	if d.V != 1 {
		return nil, fmt.Errorf("pgsql: catalog of version %d, want 1", d.V)
	}
	sum := sha256.Sum256(doc)
	c := &Catalog{
		version: binary.BigEndian.Uint64(sum[:8]) | 1, path: d.Path, schemas: map[string]bool{},
		rels: make(map[qname]*Relation, len(d.Rels)), byOID: make(map[uint32]*Relation, len(d.Rels)),
		builtins: make(map[string]*Function, len(d.Builtins)), funcs: map[string][]*Function{},
		types: make(map[uint32]*Type, len(d.Types)), byName: make(map[qname]*Type, len(d.Types)),
		ops: map[string][]*Function{}, casts: map[uint32][]*Function{},
	}
	for _, s := range d.Schemas {
		c.schemas[s] = true
	}
	c.addRelations(d.Rels)
	c.addFunctions(d.Builtins, d.Funcs)
	for i := range d.Types {
		t := &d.Types[i].Type
		c.types[t.OID] = t
		c.byName[qname{t.Schema, t.Name}] = t
	}
	for _, o := range d.Ops {
		c.ops[o.name] = append(c.ops[o.name], c.code(o.schema, o.fn, o.extension))
	}
	for _, o := range d.Casts {
		c.casts[o.target] = append(c.casts[o.target], c.code(o.schema, o.fn, o.extension))
	}
	return c, nil
}

func (c *Catalog) addRelations(rows []relRow) {
	for i := range rows {
		r := &rows[i].rel
		c.rels[qname{r.Schema, r.Name}] = r
		c.byOID[r.OID] = r
	}
	for i := range rows {
		r := &rows[i].rel
		r.reindex()
		for _, oid := range rows[i].parents {
			if p := c.byOID[oid]; p != nil {
				r.parents = append(r.parents, p)
				p.children = append(p.children, r)
			}
		}
	}
}

func (c *Catalog) addFunctions(core []builtinRow, others []funcRow) {
	for i := range core {
		f := &core[i].Function
		c.builtins[f.Name] = f
	}
	for i := range others {
		f := &others[i].Function
		// information_schema's helpers were made by initdb; nobody else may add to it.
		f.Core = f.Schema == "information_schema" && f.Extension == "" && (f.Language == "sql" || f.Language == "internal")
		c.funcs[f.Name] = append(c.funcs[f.Name], f)
	}
}

// code is the function behind an operator or a cast.
func (c *Catalog) code(schema, name, extension string) *Function {
	for _, f := range c.funcs[name] {
		if f.Schema == schema {
			return f
		}
	}
	if f := c.builtins[name]; f != nil && schema == "pg_catalog" {
		return f
	}
	return &Function{Schema: schema, Name: name, Extension: extension}
}

// document is the layout that catalog_query.go describes.
type document struct {
	V        int
	Path     []string
	Schemas  []string
	Rels     []relRow
	Builtins []builtinRow
	Funcs    []funcRow
	Types    []typeRow
	Ops      []opRow
	Casts    []castRow
}

type relRow struct {
	rel     Relation
	parents []uint32
}

type columnRow struct{ RelColumn }
type builtinRow struct{ Function }
type funcRow struct{ Function }
type typeRow struct{ Type }
type outRow struct{ outColumn }
type opRow struct{ name, operSchema, schema, fn, extension string }
type castRow struct {
	target                uint32
	schema, fn, extension string
}

// tuple decodes a JSON array position by position; it must have as many.
// A null leaves its destination as it was.
func tuple(b []byte, dst ...any) error {
	n := len(dst)
	if err := json.Unmarshal(b, &dst); err != nil {
		return err
	}
	if len(dst) != n {
		return fmt.Errorf("array of %d, want %d", len(dst), n)
	}
	return nil
}

// letter decodes a one-letter string.
type letter byte

func (l *letter) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if len(s) != 1 {
		return fmt.Errorf("%q is not one letter", s)
	}
	*l = letter(s[0])
	return nil
}

func (r *relRow) UnmarshalJSON(b []byte) error {
	var kind letter
	var cols []columnRow
	err := tuple(b, &r.rel.OID, &r.rel.Schema, &r.rel.Name, &kind, &r.parents, &r.rel.viewDef, &r.rel.RowType, &cols)
	if err != nil {
		return err
	}
	r.rel.Kind = byte(kind)
	r.rel.Columns = make([]RelColumn, len(cols))
	for i := range cols {
		r.rel.Columns[i] = cols[i].RelColumn
	}
	return nil
}

func (r *columnRow) UnmarshalJSON(b []byte) error {
	return tuple(b, &r.Num, &r.Name, &r.Type, &r.NotNull, &r.Generated)
}

func (r *builtinRow) UnmarshalJSON(b []byte) error {
	var vol letter
	var outs *[]outRow
	if err := tuple(b, &r.Name, &vol, &r.Kinds, &r.ReturnsSet, &r.Result, &outs); err != nil {
		return err
	}
	r.Schema, r.Core, r.Language, r.Volatility = "pg_catalog", true, "internal", byte(vol)
	if outs == nil {
		r.OutsDiffer = true
		return nil
	}
	r.Outs = outColumns(*outs)
	return nil
}

func (r *funcRow) UnmarshalJSON(b []byte) error {
	var kind, vol letter
	var outs []outRow
	err := tuple(b, &r.Schema, &r.Name, &kind, &vol, &r.Language, &r.SecDef, &r.Extension, &r.ReturnsSet, &r.Result, &outs)
	r.Kinds, r.Volatility, r.Outs = string(rune(kind)), byte(vol), outColumns(outs)
	return err
}

func (r *typeRow) UnmarshalJSON(b []byte) error {
	var kind letter
	err := tuple(b, &r.OID, &r.Schema, &r.Name, &kind, &r.Relation, &r.Element, &r.Base, &r.Code)
	r.Kind = byte(kind)
	return err
}

func (r *outRow) UnmarshalJSON(b []byte) error { return tuple(b, &r.name, &r.typ) }

func (r *opRow) UnmarshalJSON(b []byte) error {
	return tuple(b, &r.name, &r.operSchema, &r.schema, &r.fn, &r.extension)
}

func (r *castRow) UnmarshalJSON(b []byte) error {
	return tuple(b, &r.target, &r.schema, &r.fn, &r.extension)
}

func outColumns(rows []outRow) []outColumn {
	var out []outColumn
	for _, r := range rows {
		out = append(out, r.outColumn)
	}
	return out
}
