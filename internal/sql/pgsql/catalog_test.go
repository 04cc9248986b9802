package pgsql

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/sql"
)

func col(table, name string) sql.Column {
	return sql.Column{Schema: "public", Table: table, Name: name}
}

func TestCatalog(t *testing.T) {
	for _, s := range servers {
		t.Run(s.version, func(t *testing.T) {
			c := s.env.Catalog
			for _, x := range []struct {
				col  sql.Column
				want []sql.Column
			}{
				{col("active", "mail"), []sql.Column{col("active", "mail"), col("customers", "email")}},
				{col("active2", "mail"), []sql.Column{col("active", "mail"), col("active2", "mail"), col("customers", "email")}},
				{col("totals", "sum"), []sql.Column{col("orders", "total"), col("totals", "sum")}},
				{col("derived", "a"), []sql.Column{col("base", "a"), col("derived", "a")}},
				{col("base", "a"), []sql.Column{col("base", "a"), col("derived", "a")}},
				{col("events_2024", "shout"), []sql.Column{col("events", "payload"), col("events", "shout"), col("events_2024", "payload"), col("events_2024", "shout")}},
				{col("nowhere", "x"), []sql.Column{col("nowhere", "x")}},
			} {
				if got := c.Origins(x.col); !slices.Equal(got, x.want) {
					t.Errorf("%v: %v, want %v", x.col, got, x.want)
				}
			}
			r, ok := c.Relation("public", "customers")
			if !ok || len(r.Columns) != 7 || !r.Columns[0].NotNull {
				t.Fatalf("%+v", r)
			}
			if got, ok := c.Column(r.OID, 4); !ok || got != col("customers", "ssn") {
				t.Error(got, ok)
			}
			if _, ok := c.Column(r.OID, 99); ok {
				t.Error("a column that is not there")
			}
			if ty, ok := c.Type(25); !ok || ty.Name != "text" {
				t.Error(ty, ok)
			}
			if c.rels[qname{"pg_toast", "pg_toast_2604"}] != nil {
				t.Error("TOAST tables are in the catalog")
			}
		})
	}
}

// TestCatalogStable: the digest follows the content, and unprivileged users see the same.
func TestCatalogStable(t *testing.T) {
	ctx := context.Background()
	for _, s := range servers {
		t.Run(s.version, func(t *testing.T) {
			read := func() *Catalog {
				var doc string
				if err := s.conn.QueryRow(ctx, CatalogQuery, pgx.QueryExecModeSimpleProtocol).Scan(&doc); err != nil {
					t.Fatal(err)
				}
				c, err := DecodeCatalog([]byte(doc))
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			exec := func(q string) {
				t.Helper()
				if _, err := s.conn.Exec(ctx, q); err != nil {
					t.Fatal(err)
				}
			}
			before := read()
			exec("create table fresh(a int)")
			if read().Version() == before.Version() {
				t.Error("a new table, and the same version")
			}
			exec("drop table fresh")
			if read().Version() != before.Version() {
				t.Error("the same content, and another version")
			}
			exec("create role guest; set role guest")
			if got := read(); got.Version() != before.Version() {
				t.Error("an unprivileged user sees another catalog")
			}
			exec("reset role; drop role guest")
			exec("create temp table tmp(a int)")
			if c := read(); len(c.path) != 3 || c.rels[qname{c.path[0], "tmp"}] == nil {
				t.Error("the temporary table is not seen", c.path)
			}
			exec("discard temp")
		})
	}
}

func TestDecodeCatalogErrors(t *testing.T) {
	for _, doc := range []string{"", "{}", "[]", `{"v":2}`, `{"v":1,"rels":[[1]]}`, `{"v":1,"rels":[[1,"a","b","rr",null,null,0,null]]}`, `{"v":1,"funcs":[[1]]}`} {
		if _, err := DecodeCatalog([]byte(doc)); err == nil {
			t.Errorf("%s: no error", doc)
		}
	}
	// Views that refer to each other, parents that do, and names that are nowhere.
	c, err := DecodeCatalog([]byte(`{"v":1,"path":["s"],"rels":[
		[1,"s","a","v",null,"select x from b",0,[[1,"x",25,false,null]],false,false,false],
		[2,"s","b","v",null,"select x from a",0,[[1,"x",25,false,null]],false,false,false],
		[3,"s","c","r",[4],null,0,[[1,"x",25,false,null]],false,false,false],
		[4,"s","d","r",[3,9],null,0,[[1,"x",25,false,"upper(y)"]],false,false,false]]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Origins(sql.Column{Schema: "s", Table: "a", Name: "x"}); len(got) != 2 {
		t.Error(got)
	}
	if got := c.Origins(sql.Column{Schema: "s", Table: "c", Name: "x"}); len(got) != 2 {
		t.Error(got)
	}
	st, err := Analyze("select x from a", Env{Catalog: c, Path: []string{"s"}})
	if err != nil || !st[0].Action.Has("unresolved") || !st[0].Outputs[0].Unknown {
		t.Errorf("%+v %v", st[0], err)
	}
	st, err = Analyze("select x from nowhere", Env{})
	if err != nil || !st[0].Action.Has("unresolved") || !st[0].Outputs[0].Unknown {
		t.Errorf("%+v %v", st[0], err)
	}
}

// TestCatalogParts says that the core and the database's own part are the whole catalog.
func TestCatalogParts(t *testing.T) {
	ctx := context.Background()
	for _, s := range servers {
		read := func(query string) []byte {
			var doc string
			if err := s.conn.QueryRow(ctx, query).Scan(&doc); err != nil {
				t.Fatal(err)
			}
			return []byte(doc)
		}
		const made = `create schema parts; create type parts.kind as (x text);
			create function parts.same(text, text) returns bool language sql as 'select true';
			create operator parts.=== (function = parts.same, leftarg = text, rightarg = text);
			create operator parts.==== (function = texteq, leftarg = text, rightarg = text);
			create function parts.text(parts.kind) returns text language sql as 'select ($1).x';
			create cast (parts.kind as text) with function parts.text(parts.kind)`
		if _, err := s.conn.Exec(ctx, made); err != nil {
			t.Fatal(err)
		}
		defer s.conn.Exec(ctx, "drop schema parts cascade")
		whole, err := DecodeCatalog(read(CatalogQuery))
		if err != nil {
			t.Fatal(err)
		}
		own := read(OwnQuery)
		if all := len(s.doc); len(own) > all/4 {
			t.Errorf("%s: the own part has %d of %d bytes", s.version, len(own), all)
		}
		core, err := DecodeCore(read(CoreQuery))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a core serves many catalogs
			parts, err := core.Decode(own)
			if err != nil {
				t.Fatal(err)
			}
			if len(parts.rels) != len(whole.rels) || len(whole.rels) < 200 {
				t.Errorf("%s: %d relations of %d", s.version, len(parts.rels), len(whole.rels))
			}
			for name, r := range whole.rels {
				p := parts.rels[name]
				if p == nil || p == core.document.rels[0].rel || fmt.Sprint(p.Columns, p.OID, p.Kind, p.ReadCode, p.WriteCode, p.viewDef, len(p.parents), len(p.children)) !=
					fmt.Sprint(r.Columns, r.OID, r.Kind, r.ReadCode, r.WriteCode, r.viewDef, len(r.parents), len(r.children)) {
					t.Fatalf("%s: %v is %+v, want %+v", s.version, name, p, r)
				}
				for i := range r.Columns {
					if got, want := parts.Origins(p.name(i)), whole.Origins(r.name(i)); !slices.Equal(got, want) {
						t.Errorf("%s: %v has origins %v, want %v", s.version, p.name(i), got, want)
					}
				}
			}
			if len(parts.ops) != 2 || len(parts.casts) != 1 {
				t.Errorf("%s: operators %v, casts %v", s.version, parts.ops, parts.casts)
			}
			for what, equal := range map[string]bool{"builtins": reflect.DeepEqual(parts.builtins, whole.builtins), "functions": reflect.DeepEqual(parts.funcs, whole.funcs),
				"types": reflect.DeepEqual(parts.types, whole.types), "type names": reflect.DeepEqual(parts.byName, whole.byName), "operators": reflect.DeepEqual(parts.ops, whole.ops),
				"casts": reflect.DeepEqual(parts.casts, whole.casts), "path": slices.Equal(parts.path, whole.path), "schemas": reflect.DeepEqual(parts.schemas, whole.schemas)} {
				if !equal {
					t.Errorf("%s: %s differ", s.version, what)
				}
			}
		}
	}
}
