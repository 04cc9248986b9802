package pgsql

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// maxCatalog bounds the document: about a hundred thousand tables.
const maxCatalog = 256 << 20

// Core is what initdb made in a database: the part of its catalog that stays. It is immutable.
type Core struct {
	document *document
	builtins map[string]*Function
	sum      [sha256.Size]byte
}

// DecodeCore reads what CoreQuery returns.
func DecodeCore(doc []byte) (*Core, error) {
	d, sum, err := decode(doc)
	if err != nil {
		return nil, err
	}
	return &Core{document: d, builtins: byName(d.builtins), sum: sum}, nil
}

// Decode reads what OwnQuery returns: with the core, it is the whole catalog.
func (core *Core) Decode(doc []byte) (*Catalog, error) {
	d, sum, err := decode(doc)
	if err != nil {
		return nil, err
	}
	whole := *d
	whole.rels = make([]relRow, 0, len(core.document.rels)+len(d.rels))
	for _, r := range core.document.rels {
		whole.rels = append(whole.rels, relRow{r.rel.copy(), r.parents}) // lineage and children are a catalog's own
	}
	whole.rels = append(whole.rels, d.rels...)
	whole.funcs = slices.Concat(core.document.funcs, d.funcs)
	whole.types = slices.Concat(core.document.types, d.types)
	sum = sha256.Sum256(slices.Concat(core.sum[:], sum[:]))
	return newCatalog(&whole, core.builtins, sum), nil
}

// copy is the relation as it was read.
func (r *Relation) copy() *Relation {
	return &Relation{OID: r.OID, Schema: r.Schema, Name: r.Name, Kind: r.Kind, Columns: r.Columns, RowType: r.RowType,
		ReadCode: r.ReadCode, WriteCode: r.WriteCode, Ruled: r.Ruled, viewDef: r.viewDef}
}

// DecodeCatalog reads what CatalogQuery returns.
func DecodeCatalog(doc []byte) (*Catalog, error) {
	d, sum, err := decode(doc)
	if err != nil {
		return nil, err
	}
	return newCatalog(d, byName(d.builtins), sum), nil
}

func decode(doc []byte) (*document, [sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	if len(doc) > maxCatalog {
		return nil, sum, fmt.Errorf("pgsql: catalog of %d bytes is over the limit of %d", len(doc), maxCatalog)
	}
	d, err := readDocument(doc)
	if err != nil {
		return nil, sum, fmt.Errorf("pgsql: decoding the catalog: %w", err)
	}
	return d, sha256.Sum256(doc), nil
}

func byName(list []Function) map[string]*Function {
	m := make(map[string]*Function, len(list))
	for i := range list {
		m[list[i].Name] = &list[i]
	}
	return m
}

func newCatalog(d *document, builtins map[string]*Function, sum [sha256.Size]byte) *Catalog {
	c := &Catalog{
		version: binary.BigEndian.Uint64(sum[:8]) | 1, path: d.path, schemas: map[string]bool{},
		rels: make(map[qname]*Relation, len(d.rels)), byOID: make(map[uint32]*Relation, len(d.rels)),
		builtins: builtins, funcs: map[string][]*Function{},
		types: make(map[uint32]*Type, len(d.types)), byName: make(map[qname]*Type, len(d.types)),
		ops: map[string][]*Function{}, casts: map[uint32][]*Function{},
	}
	for _, s := range d.schemas {
		c.schemas[s] = true
	}
	c.addRelations(d.rels)
	c.addFunctions(d.funcs)
	for i := range d.types {
		t := &d.types[i]
		c.types[t.OID] = t
		c.byName[qname{t.Schema, t.Name}] = t
	}
	for _, o := range d.ops {
		c.ops[o.name] = append(c.ops[o.name], c.code(o.schema, o.fn, o.extension))
	}
	for _, o := range d.casts {
		c.casts[o.target] = append(c.casts[o.target], c.code(o.schema, o.fn, o.extension))
	}
	return c
}

func (c *Catalog) addRelations(rows []relRow) {
	for i := range rows {
		r := rows[i].rel
		c.rels[qname{r.Schema, r.Name}] = r
		c.byOID[r.OID] = r
	}
	for i := range rows {
		r := rows[i].rel
		r.reindex()
		for _, oid := range rows[i].parents {
			if p := c.byOID[oid]; p != nil {
				r.parents = append(r.parents, p)
				p.children = append(p.children, r)
			}
		}
	}
}

func (c *Catalog) addFunctions(others []Function) {
	for i := range others {
		f := &others[i]
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
