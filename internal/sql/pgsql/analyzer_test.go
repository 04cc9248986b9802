package pgsql

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
)

func TestAnalyzerShape(t *testing.T) {
	a := NewAnalyzer(1000)
	env := oldest()
	first, err := a.Analyze("select ssn from customers where id = 1 and name = 'x'", env)
	if err != nil {
		t.Fatal(err)
	}
	text := " select ssn from customers where id = 22 and name = 'it''s' ;"
	plain, err := a.Analyze(text, env)
	if err != nil {
		t.Fatal(err)
	}
	_ = first
	again, err := a.Analyze(" select ssn from customers where id = 333 and name = '' ;", env)
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Action.Text != "select ssn from customers where id = 333 and name = ''" {
		t.Errorf("%q", again[0].Action.Text)
	}
	if reflect.ValueOf(again[0].Action.Features).Pointer() != reflect.ValueOf(plain[0].Action.Features).Pointer() {
		t.Error("not a shape hit")
	}
	same, _ := a.Analyze(text, env)
	if same[0] != plain[0] {
		t.Error("not an exact hit")
	}
	other := env
	other.Path = []string{"app", "pg_catalog"}
	if st, _ := a.Analyze(text, other); !st[0].Action.Has("unresolved") {
		t.Error("a hit across search paths")
	}
	if st, _ := a.Analyze(text, Env{Path: env.Path, Strings: true, User: env.User}); !st[0].Action.Has("unresolved") {
		t.Error("a hit across catalogs")
	}
}

// TestShapeFacts: what a shape hit says is what the analysis of that very text says.
func TestShapeFacts(t *testing.T) {
	a := NewAnalyzer(100000)
	env := oldest()
	for _, file := range []string{"testdata/describe.sql", "testdata/facts.sql"} {
		for _, q := range lines(t, file) {
			if _, err := a.Analyze(q, env); err != nil {
				continue
			}
			for _, v := range []string{vary(q, "7", "other"), vary(q, "0", ""), vary(q, "2", "%"), vary(q, "1", "role")} {
				got, err := a.Analyze(v, env)
				want, err2 := Analyze(v, env)
				if (err == nil) != (err2 == nil) || len(got) != len(want) {
					t.Errorf("%s: %v, %v", v, err, err2)
					continue
				}
				for i := range got {
					w, g := *want[i], *got[i]
					w.ShapeKey, g.ShapeKey = "", ""
					if !reflect.DeepEqual(w, g) {
						t.Errorf("%s\n  hit  %+v\n  miss %+v", v, g, w)
					}
				}
			}
		}
	}
}

// vary gives the text other plain literals.
func vary(text, number, str string) string {
	var out []byte
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case isLetter(c):
			j := wordEnd(text, i)
			if j == i {
				j++
			}
			out = append(out, text[i:j]...)
			i = j
		case c == '$':
			out = append(out, c)
			i++
			for i < len(text) && isDigit(text[i]) {
				out = append(out, text[i])
				i++
			}
		case isDigit(c):
			j, _, ok := scanNumber(text, i)
			if !ok {
				return text
			}
			out = append(out, number...)
			i = j
		case c == '\'':
			j, ok := plainString(text, i)
			if !ok {
				return text
			}
			out = append(append(append(out, '\''), str...), '\'')
			i = j
		default:
			out = append(out, c)
			i++
		}
	}
	return string(out)
}

func scanNumber(text string, i int) (int, byte, bool) { return number(text, i) }

func TestAnalyzerBounded(t *testing.T) {
	a := NewAnalyzer(64)
	for i := range 5000 {
		if _, err := a.Analyze(fmt.Sprintf("select %d as c%d", i, i), Env{Strings: true}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for i := range a.shards {
		n += len(a.shards[i].young) + len(a.shards[i].old)
	}
	if n > 64+2*len(a.shards) {
		t.Errorf("%d entries", n)
	}
}

func TestAnalyzerConcurrent(t *testing.T) {
	a := NewAnalyzer(50)
	cat, err := DecodeCatalog(servers[0].doc)
	if err != nil {
		t.Fatal(err)
	}
	env := oldest()
	env.Catalog = cat // its views are not worked out yet
	qs := lines(t, "testdata/describe.sql")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range qs {
				a.Analyze(qs[(i*7+g*31)%len(qs)], env)
			}
		}()
	}
	wg.Wait()
}
