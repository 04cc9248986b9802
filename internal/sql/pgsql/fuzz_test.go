package pgsql

import (
	"errors"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func seeds(f *testing.F) {
	for _, file := range []string{"testdata/describe.sql", "testdata/facts.sql"} {
		for _, q := range lines(f, file) {
			f.Add(q)
		}
	}
	for _, q := range deep(20) {
		f.Add(q)
	}
	for _, q := range []string{"select 'a' 'b'", "select 'a'\n'b'", "select 1.5e3, 1., .5, 0x1f, 1_000", "select float(3) '1'", "select 'a'--\n'b'",
		"select U&'x' uescape '!'", `select u&"x" uescape '!'`, "select $a$x$a$, $1$2", "select a$1'x'", "select n'x', b'1', x'f', e'\\''", "select 1a", "select'a'", `select"a""b"'c'`} {
		f.Add(q)
	}
}

// FuzzAnalyze: no panic, no hang, and what comes back holds together.
func FuzzAnalyze(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		st, err := Analyze(text, oldest())
		var pe *ParseError
		if err != nil && !errors.As(err, &pe) {
			t.Fatalf("%v", err)
		}
		for _, s := range st {
			if s.Start < 0 || s.Start > s.End || s.End > len(text) || s.Action.Text != text[s.Start:s.End] {
				t.Fatalf("span %d..%d", s.Start, s.End)
			}
			if len(s.Action.Verbs) == 0 && !s.Action.Has(FeatureUnknownStatement) {
				t.Fatalf("no verb: %+v", s)
			}
			for _, o := range s.Outputs {
				if o.Direct && (o.Unknown || len(o.Origins) == 0) {
					t.Fatalf("direct from nothing: %+v", o)
				}
			}
		}
	})
}

// FuzzShape: other literals of the same classes give the same shape, and equal
// shapes have equal trees, those literals apart.
func FuzzShape(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		key, ok := Shape(text)
		if !ok || len(text) > freeText {
			return
		}
		for _, v := range fill(key) {
			k2, ok := Shape(v)
			if !ok || k2 != key {
				t.Fatalf("%q has shape %q, its variant %q has %q", text, key, v, k2)
			}
			x, err := tree(text)
			y, err2 := tree(v)
			if err != nil && err2 != nil {
				continue
			}
			if err != nil || err2 != nil {
				if literalError(err) || literalError(err2) {
					continue
				}
				t.Fatalf("%q: %v\n%q: %v", text, err, v, err2)
			}
			// Elsewhere literals stand in other fields; their facts are not cached by shape.
			if x != y && shapeable(text) {
				t.Fatalf("%q and %q have one shape and two trees\n%s\n%s", text, v, x, y)
			}
		}
	})
}

func shapeable(text string) bool {
	r, err := pg.Parse(text)
	return err == nil && len(r.Stmts) == 1 && cacheable(r.Stmts[0].Stmt)
}

// fill puts literals into a shape.
func fill(key string) []string {
	var out []string
	for _, vals := range [][3]string{{"0", "99999999999", "''"}, {"2147483647", "0.5", "'it''s'"}, {"12", "123456789012345678901234567890.5", "'--/*$$\"'"}} {
		r := strings.NewReplacer("\x01", vals[0], "\x02", vals[1], "\x03", vals[2])
		out = append(out, r.Replace(key))
	}
	return out
}

// tree is a parse tree as text, without positions and without the values of literals.
func tree(text string) (string, error) {
	if guard(text, true) != nil {
		return "", errors.New("refused")
	}
	r, err := pg.Parse(text)
	if err != nil {
		return "", err
	}
	blank(r.ProtoReflect())
	b, err := prototext.MarshalOptions{}.Marshal(r)
	return strings.ReplaceAll(string(b), "  ", " "), err
}

func blank(m protoreflect.Message) {
	switch v := m.Interface().(type) {
	case *pg.Integer:
		v.Ival = 0
	case *pg.Float:
		v.Fval = ""
	case *pg.A_Const:
		if s := v.GetSval(); s != nil {
			s.Sval = ""
		}
	case *pg.String, *pg.BitString:
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case strings.HasSuffix(string(fd.Name()), "location") || fd.Name() == "stmt_len":
			m.Clear(fd)
		case fd.Message() == nil:
		case fd.IsList():
			for list, i := v.List(), 0; i < list.Len(); i++ {
				blank(list.Get(i).Message())
			}
		default:
			blank(v.Message())
		}
		return true
	})
}

// literalError: the grammar itself looks at a few literals.
func literalError(err error) bool {
	return err != nil && !strings.Contains(err.Error(), "syntax error")
}

// FuzzScanner: the scanner that counts tokens agrees with the parser's on where they are.
func FuzzScanner(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.IndexByte(text, 0) >= 0 || guard(text, true) != nil {
			return
		}
		want, err := pg.Scan(text)
		if err != nil {
			return
		}
		var ours []int
		s := scanner{text: text}
		for {
			kind, _, err := s.next()
			if err != nil {
				return // refused
			}
			if kind == tokenEnd {
				break
			}
			ours = append(ours, s.pos)
		}
		// Each token of the parser's that can hold others' text ends where one of ours does.
		ends := map[int]bool{}
		for _, e := range ours {
			ends[e] = true
		}
		for _, k := range want.Tokens {
			switch k.Token {
			case pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
			case pg.Token_SCONST, pg.Token_USCONST, pg.Token_BCONST, pg.Token_XCONST, pg.Token_IDENT, pg.Token_UIDENT:
				if e := int(k.End); !ends[e] {
					t.Fatalf("%q: a token ends at %d, ours at %v", text, e, ours)
				}
			}
		}
		if len(ours) == 0 && len(want.Tokens) > 0 {
			for _, k := range want.Tokens {
				if k.Token != pg.Token_SQL_COMMENT && k.Token != pg.Token_C_COMMENT {
					t.Fatalf("%q: no tokens, the parser has %v", text, k)
				}
			}
		}
	})
}

// FuzzCatalog: a document gives a catalog or an error, and a catalog can be asked.
func FuzzCatalog(f *testing.F) {
	f.Add([]byte(`{"v":1,"path":["s"],"schemas":["s"],"rels":[[1,"s","a","v",[2],"select 1 as x",3,[[1,"x",25,false,null]],false,false,false]],
		"builtins":[["upper","i","f",false,25,[]],["unnest","i","f",true,0,null]],"funcs":[["s","f","f","v","sql",false,null,true,3,[["a",25]]]],
		"types":[[3,"s","a","c",1,0,0,false]],"ops":[["+","s","s","f",null]],"casts":[[25,"s","f",null]]}`))
	f.Add([]byte(`{"v":1,"rels":null}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := DecodeCatalog(doc)
		if err != nil {
			return
		}
		for _, r := range c.rels {
			for i := range r.Columns {
				c.Origins(r.name(i))
			}
		}
		if _, err := Analyze("select x + 1, f(a), a.*, unnest(a) from s.a", Env{Catalog: c, Path: c.path}); err != nil {
			t.Fatal(err)
		}
	})
}
