package mask

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/sql"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func compile(t testing.TB, specs ...Spec) *Plan {
	t.Helper()
	p, err := Compile(specs, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompileErrors(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Columns: []string{"a.b"}, Way: "blur"}, "use redact, null, partial, hash, base64 or empty"},
		{Spec{Columns: []string{"a.b"}, Predicates: "maybe"}, "use block or allow"},
		{Spec{Detectors: []string{"e-mail"}}, "use email, card, iban, us_ssn, phone, jwt, api_key"},
		{Spec{Columns: []string{"ssn"}}, "schema.table.column"},
		{Spec{Columns: []string{"a.b.c.d"}}, "schema.table.column"},
		{Spec{Columns: []string{"a..c"}}, "a part is empty"},
		{Spec{Columns: []string{""}}, "a part is empty"},
		{Spec{Columns: []string{"a.[b]"}}, "double quotes"},
		{Spec{Columns: []string{`a."b`}}, "not closed"},
		{Spec{Columns: []string{`a."b"c`}}, "after a closing quote"},
		{Spec{Columns: []string{"a.b"}, Way: WayPartial, KeepFirst: -1}, "negative"},
		{Spec{Columns: []string{"a.b"}, KeepFirst: 1}, "need the way partial"},
		{Spec{Name: "x"}, "mask x: it names neither"},
	} {
		_, err := Compile([]Spec{c.spec}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q in it", c.spec, err, c.want)
		}
	}
	if _, err := Compile(nil, []byte("short")); err == nil {
		t.Error("a short key compiles")
	}
}

func TestCovers(t *testing.T) {
	p := compile(t,
		Spec{Name: "a", Columns: []string{"public.customers.email", "*.*.ssn"}},
		Spec{Name: "b", Columns: []string{"customers.*", `"Odd.Schema"."T""x".c?l*`}, Way: WayNull},
	)
	for _, c := range []struct {
		col  sql.Column
		want string
	}{
		{sql.Column{Schema: "public", Table: "customers", Name: "email"}, "a"},
		{sql.Column{Schema: "other", Table: "customers", Name: "email"}, "b"},
		{sql.Column{Schema: "public", Table: "Customers", Name: "email"}, ""},
		{sql.Column{Schema: "x", Table: "y", Name: "ssn"}, "a"},
		{sql.Column{Schema: "x", Table: "y", Name: "SSN"}, ""},
		{sql.Column{Schema: "x", Table: "y", Name: "ssn2"}, ""},
		{sql.Column{Schema: "Odd.Schema", Table: `T"x`, Name: "col_1"}, "b"},
		{sql.Column{Schema: "Odd.Schema", Table: `T"x`, Name: "cl_1"}, ""},
		{sql.Column{Schema: "", Table: "customers", Name: "email"}, "a"},
		{sql.Column{Schema: "public", Table: "customers"}, "a"},
	} {
		for range 2 { // the second time from the cache
			s, ok := p.Covers(c.col)
			if ok != (c.want != "") || ok && s.Name != c.want {
				t.Errorf("%v: got %v %v, want %q", c.col, s, ok, c.want)
			}
		}
	}
	s, col, ok := p.CoversAny([]sql.Column{{Schema: "q", Table: "q", Name: "q"}, {Schema: "o", Table: "customers", Name: "x"}, {Schema: "o", Table: "o", Name: "ssn"}})
	if !ok || s.Name != "a" || col.Name != "ssn" {
		t.Errorf("CoversAny: %v %v %v", s, col, ok)
	}
	var none *Plan
	if _, ok := none.Covers(col); ok || !none.Empty() || none.HasColumns() || none.HasDetectors() || none.Masker(nil, false, true, TextType) != nil {
		t.Error("a nil plan masks")
	}
}

func text(m *Masker, v string) string {
	out, null, changed := m.Text([]byte("^"), []byte(v))
	switch {
	case null:
		return "NULL"
	case !changed:
		return v
	}
	return strings.TrimPrefix(string(out), "^")
}

func TestMaskerChoice(t *testing.T) {
	email := sql.Column{Schema: "public", Table: "customers", Name: "email"}
	view := sql.Column{Schema: "public", Table: "v", Name: "mail"}
	name := sql.Column{Schema: "public", Table: "customers", Name: "name"}
	notes := sql.Column{Schema: "public", Table: "customers", Name: "notes"}
	phone := sql.Column{Schema: "public", Table: "customers", Name: "phone"}
	p := compile(t,
		Spec{Columns: []string{"customers.email"}, Way: WayPartial},
		Spec{Columns: []string{"customers.notes"}, Detectors: []string{"card"}},
		Spec{Columns: []string{"customers.phone"}, Way: WayNull},
		Spec{Detectors: []string{"us_ssn"}},
	)
	for _, c := range []struct {
		name    string
		cols    []sql.Column
		direct  bool
		unknown bool
		t       Type
		in      string
		want    string
	}{
		{"direct", []sql.Column{email}, true, false, TextType, "alice@example.com", "a***@example.com"},
		{"view", []sql.Column{email, view}, true, false, TextType, "alice@example.com", "a***@example.com"},
		{"tainted", []sql.Column{email, name}, false, false, TextType, "alice@example.com", "[redacted]"},
		{"tainted int", []sql.Column{email}, false, false, Type{OID: 23}, "17", "0"},
		{"tainted enum", []sql.Column{email}, false, false, Type{OID: 99999, Kind: KindEnum}, "red", "NULL"},
		{"tainted null", []sql.Column{phone}, false, false, TextType, "1", "NULL"},
		{"unknown", nil, false, true, TextType, "x", "[redacted]"},
		{"unknown direct", []sql.Column{name}, true, true, TextType, "x", "[redacted]"},
		{"clean", []sql.Column{name}, true, false, TextType, "x", "x"},
		{"clean ssn", []sql.Column{name}, true, false, TextType, "is 123-45-6789.", "is [redacted]."},
		{"clean int", []sql.Column{name}, true, false, Type{OID: 23}, "123456789", "123456789"},
		{"notes", []sql.Column{notes}, true, false, TextType, "c 4111111111111111 s 123-45-6789 e a@b.com", "c [redacted] s [redacted] e a@b.com"},
		{"notes tainted", []sql.Column{notes}, false, false, TextType, "nothing", "[redacted]"},
		{"other", []sql.Column{name}, true, false, TextType, "c 4111111111111111", "c 4111111111111111"},
	} {
		if got := text(p.Masker(c.cols, c.direct, c.unknown, c.t), c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if m := p.Masker([]sql.Column{name}, true, false, Type{OID: 23}); m != nil {
		t.Error("an int of a clean column is masked")
	}
	if out, null, changed := p.Masker([]sql.Column{email}, true, false, TextType).Text(nil, nil); out != nil || !null || changed {
		t.Error("NULL does not stay NULL")
	}
	if _, null, _ := (&Masker{}).Text(nil, []byte("x")); !null {
		t.Error("the zero Masker lets a value pass")
	}
}

func TestPartial(t *testing.T) {
	col := sql.Column{Schema: "s", Table: "t", Name: "c"}
	for _, c := range []struct {
		first, last int
		typ         Type
		in, want    string
	}{
		{0, 0, TextType, "alice@example.com", "a***@example.com"},
		{0, 0, TextType, "a@example.com", "***@example.com"},
		{0, 0, TextType, "Åsa.Öberg@exämple.se", "Å***@exämple.se"},
		{0, 0, TextType, "root@localhost", "r***@localhost"},
		{0, 0, TextType, "4111111111111111", "************1111"},
		{0, 0, TextType, "4111-1111-1111-1111", "****-****-****-1111"},
		{0, 0, TextType, "4111111111111112", "************1112"},
		{0, 0, TextType, "123-45-6789", "***-**-6789"},
		{0, 0, TextType, "+44 20 7946 0958", "+** ** **** *958"},
		{0, 0, TextType, "DE89370400440532013000", "DE****************3000"},
		{0, 0, TextType, "Katherine", "K********"},
		{0, 0, TextType, "Li", "L*"},
		{0, 0, TextType, "X", "*"},
		{0, 0, TextType, "", ""},
		{2, 2, TextType, "Katherine", "Ka*****ne"},
		{5, 5, TextType, "日本語文字", "日本***"},
		{0, 4, TextType, "abc", "**c"},
		{0, 0, Type{OID: 1043, Typmod: 4 + 10}, "alice@example.com", "a***@examp"},
		{0, 0, Type{OID: 1042, Typmod: 4 + 8}, "Bob     ", "B**     "},
		{0, 0, Type{OID: 23}, "12345", "0"},
		{0, 0, Type{OID: 3802}, `{"a":1}`, `"[redacted]"`},
	} {
		p := compile(t, Spec{Columns: []string{"t.c"}, Way: WayPartial, KeepFirst: c.first, KeepLast: c.last})
		if got := text(p.Masker([]sql.Column{col}, true, false, c.typ), c.in); got != c.want {
			t.Errorf("%q (%d,%d): got %q, want %q", c.in, c.first, c.last, got, c.want)
		}
	}
}
