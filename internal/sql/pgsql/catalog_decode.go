package pgsql

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// maxCatalog bounds the document: about a hundred thousand tables.
const maxCatalog = 256 << 20

// DecodeCatalog reads what CatalogQuery returns.
func DecodeCatalog(doc []byte) (*Catalog, error) {
	if len(doc) > maxCatalog {
		return nil, fmt.Errorf("pgsql: catalog of %d bytes is over the limit of %d", len(doc), maxCatalog)
	}
	d, err := readDocument(doc)
	if err != nil {
		return nil, fmt.Errorf("pgsql: decoding the catalog: %w", err)
	}
	sum := sha256.Sum256(doc)
	c := &Catalog{
		version: binary.BigEndian.Uint64(sum[:8]) | 1, path: d.path, schemas: map[string]bool{},
		rels: make(map[qname]*Relation, len(d.rels)), byOID: make(map[uint32]*Relation, len(d.rels)),
		builtins: make(map[string]*Function, len(d.builtins)), funcs: map[string][]*Function{},
		types: make(map[uint32]*Type, len(d.types)), byName: make(map[qname]*Type, len(d.types)),
		ops: map[string][]*Function{}, casts: map[uint32][]*Function{},
	}
	for _, s := range d.schemas {
		c.schemas[s] = true
	}
	c.addRelations(d.rels)
	c.addFunctions(d.builtins, d.funcs)
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
	return c, nil
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

func (c *Catalog) addFunctions(core, others []Function) {
	for i := range core {
		f := &core[i]
		c.builtins[f.Name] = f
	}
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
