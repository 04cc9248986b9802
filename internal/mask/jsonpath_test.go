package mask

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// walk follows a place like "a/0/b" ("#0" is an index) and gives the names of the specs that mask it.
func walk(p *Plan, place string) string {
	paths := p.Paths()
	at, to := make(Place, paths.Words()), make(Place, paths.Words())
	by := paths.Root(at)
	if place == "" {
		return name(by)
	}
	for part := range strings.SplitSeq(place, "/") {
		var index int
		if _, err := fmt.Sscanf(part, "#%d", &index); err == nil {
			by = paths.Element(at, to, index)
		} else {
			by = paths.Member(at, to, []byte(part))
		}
		at, to = to, at
	}
	return name(by)
}

func name(by Named) string {
	if !by.Set() {
		return ""
	}
	return by.v.spec.Name
}

func TestJSONPaths(t *testing.T) {
	for path, places := range map[string]string{
		"$":                        "",
		"$.a":                      "a",
		"$['a']":                   "a",
		`$["a","b"]`:               "a b",
		"$.a.b":                    "a/b",
		"$.a[*]":                   "a/#0 a/#1 a/#4 a/#7 a/b",
		"$.a.*":                    "a/#0 a/#1 a/#4 a/#7 a/b",
		"$.a[0]":                   "a/#0",
		"$.a[0,7]":                 "a/#0 a/#7",
		"$.a[1:8:3]":               "a/#7 a/#1 a/#4",
		"$.a[:2]":                  "a/#0 a/#1",
		"$.a[5:]":                  "a/#7",
		"$..b":                     "b a/b a/#0/b a/b/b c/b",
		"$..[0]":                   "a/#0",
		"$.a..b":                   "a/b a/#0/b a/b/b",
		"$..*":                     "a b a/b a/#0 a/#7 a/#0/b a/b/b c c/b a/#1 a/#4",
		"$..a..b":                  "a/b a/#0/b a/b/b",
		`$['\u0061']`:              "a",
		`$['a' , 'c']['b']`:        "a/b c/b",
		`$ .a [0] .b`:              "a/#0/b",
		`$["\"", 'it\'s', "a\/b"]`: `" it's a|b`,
	} {
		p, err := Compile([]Spec{{Name: "x", JSON: []string{path}}}, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, place := range strings.Fields("a b c a/b a/#0 a/#1 a/#4 a/#7 a/#0/b a/b/b c/b") {
			want := slices.Contains(strings.Fields(places), place)
			if got := walk(p, place) == "x"; got != want {
				t.Errorf("%s selects %s: %v", path, place, got)
			}
		}
	}
	p, _ := Compile([]Spec{{Name: "one", JSON: []string{"$..b", "$.a"}}, {Name: "two", JSON: []string{"$.a.b", "$.c"}}}, nil)
	for place, want := range map[string]string{"a/b": "one", "c": "two", "a": "one", "": ""} {
		if got := walk(p, place); got != want {
			t.Errorf("%s is masked by %q", place, got)
		}
	}
}

func TestWrongJSONPaths(t *testing.T) {
	for _, path := range []string{"", "a", ".a", "$a", "$.", "$..", "$[", "$[]", "$[a]", "$['a]", "$['a'", "$[-1]", "$[01]", "$[1:2:0]", "$[?@.a]", "$[?(@.a)]",
		"$.a[(@.length-1)]", "$.a ", "$.1a", "$[1 2]", "$.*a", "$['\\x']", "$[\"a\nb\"]", "$[9007199254740992]", "$[0:-1]", "$" + strings.Repeat(".a", 100),
		"$[" + strings.Repeat("1,", 100) + "1]"} {
		if _, err := Compile([]Spec{{Name: "x", JSON: []string{path}}}, nil); err == nil {
			t.Errorf("%s compiles", path)
		}
	}
	if _, err := Compile([]Spec{{Name: "x", JSON: slices.Repeat([]string{"$.a.b.c.d.e"}, 300)}}, nil); err == nil {
		t.Error("endless paths compile")
	}
}

func TestValues(t *testing.T) {
	p, err := Compile([]Spec{
		{Name: "whole", Fields: []string{"ssn", "X-*"}}, {Name: "part", Fields: []string{"mail"}, Way: WayPartial},
		{Name: "null", Fields: []string{"gone"}, Way: WayNull}, {Name: "found", Fields: []string{"note"}, Detectors: []string{"email"}},
		{Name: "any", Detectors: []string{"card", "api_key", "phone"}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := p.Values()
	for _, c := range []struct{ field, in, want string }{
		{"ssn", "1", "[redacted]"}, {"SSN", "1", "[redacted]"}, {"x-a", "1", "[redacted]"}, {"mail", "alice@example.com", "a***@example.com"},
		{"gone", "x", "null:[redacted]"}, {"note", "to a@b.example, 4111111111111111", "to [redacted], [redacted]"}, {"other", "a@b.example", ""},
		{"other", "4111111111111111", "[redacted]"}, {"password", "k8Jd92mQp04xTz71", "[redacted]"}, {"id", "k8Jd92mQp04xTz71", ""}, {"phone", "5551234567", "[redacted]"},
	} {
		out, null, n := v.Text(nil, p.Field(c.field), []byte(c.field), []byte(c.in))
		got := string(out)
		if null {
			got = "null:" + got
		}
		if got != c.want || (n > 0) != (c.want != "") {
			t.Errorf("%s=%s: %q, %d", c.field, c.in, got, n)
		}
	}
	if out, _, n := v.Number(nil, Named{}, []byte("phone"), []byte("5551234567")); string(out) != `"[redacted]"` || n != 1 {
		t.Errorf("%s", out)
	}
	if p.HasColumns() || !p.HasFields() || p.HasJSON() || !p.HasText() || p.PassOpaque() || !p.PassText() {
		t.Error("what the plan has is not what it says")
	}
	var none *Plan
	if none.Content() || !none.PassOpaque() || none.Field("a").Set() || none.Paths() != nil {
		t.Error("no plan masks something")
	}
	sql, _ := Compile([]Spec{{Name: "c", Columns: []string{"a.b"}}}, nil)
	if sql.Content() || !sql.PassOpaque() {
		t.Error("a mask of columns is about content")
	}
}

// A spec of JSON paths and fields, with detectors as well, does not touch SQL results.
func TestNamedSpecsAndColumns(t *testing.T) {
	p, _ := Compile([]Spec{{Name: "j", JSON: []string{"$.a"}, Fields: []string{"a"}, Detectors: []string{"email"}}}, nil)
	if m := p.Masker(nil, false, true, TextType); m != nil {
		t.Error("a column is masked")
	}
	if p.HasDetectors() {
		t.Error("detectors of JSON paths are taken for those of columns")
	}
	if out, n := p.Scrub(nil, []byte("a@b.example")); n != 0 {
		t.Errorf("%s", out)
	}
}

func FuzzJSONPath(f *testing.F) {
	for _, s := range []string{"$.a[0]..b['c',1:2]", "$..*", "$['\\u0061']", "$[?@]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Compile([]Spec{{Name: "x", JSON: []string{s}}}, nil)
		if err == nil {
			walk(p, "a/#0/b/#1/c")
		}
	})
}
