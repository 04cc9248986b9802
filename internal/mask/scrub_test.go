package mask

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/sql"
)

func TestScrub(t *testing.T) {
	p := compile(t,
		Spec{Detectors: []string{"email"}, Way: WayPartial},
		Spec{Detectors: []string{"card"}, Way: WayHash},
		Spec{Detectors: []string{"us_ssn"}, Way: WayNull},
		Spec{Columns: []string{"t.c"}, Detectors: []string{"phone"}},
	)
	out, n := p.Scrub([]byte(">"), []byte("a alice@example.com b 4111111111111111 c 123-45-6789 d +14155552671"))
	got := string(out)
	if n != 3 || !strings.HasPrefix(got, ">a a***@example.com b hmac_") || !strings.HasSuffix(got, " c [redacted] d +14155552671") {
		t.Errorf("%d %q", n, got)
	}
	if out, n := p.Scrub(nil, []byte("nothing")); n != 0 || string(out) != "nothing" {
		t.Errorf("%d %q", n, out)
	}
	if out, n := (*Plan)(nil).Scrub(nil, []byte("a@b.com")); n != 0 || string(out) != "a@b.com" {
		t.Errorf("%d %q", n, out)
	}
}

func TestJSON(t *testing.T) {
	p := compile(t, Spec{Detectors: []string{"email", "card", "phone", "api_key", "us_ssn"}})
	m := p.Masker(nil, true, false, Type{OID: 114})
	for _, c := range []struct{ in, want string }{
		{`{"a":"alice@example.com","n":4111111111111111}`, `{"a":"[redacted]","n":"[redacted]"}`},
		{`[4111111111111111.5e0, 1]`, `["[redacted]", 1]`},
		{`[-4111111111111111]`, `["[redacted]"]`},
		{`{"phone":4155552671}`, `{"phone":"[redacted]"}`},
		{`{"ssn": 123456789, "x": "y"}`, `{"ssn": "[redacted]", "x": "y"}`},
		{`{"a":"alice\u0040example.com"}`, `{"a":"[redacted]"}`},
		{`{"a":"\talice@example.com\n\"q\"","b":4111111111111111}`, `{"a":"\u0009[redacted]\u000a\"q\"","b":"[redacted]"}`},
		{`{"\u0061lice@example.com":1}`, `{"[redacted]":1}`},
		{`"\ud83d\ude00 alice@example.com"`, `"😀 [redacted]"`},
		{`{"a":"no \u0040 here"}`, `{"a":"no \u0040 here"}`},
		{`{"k":"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"}`, `{"k":"[redacted]\u000a"}`},
		{`"unclosed\`, `"[redacted]"`},
		{`null`, `null`},
	} {
		got := text(m, c.in)
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: %s is no JSON", c.in, got)
		}
	}
	jb := p.Masker(nil, true, false, Type{OID: 3802})
	out, _, changed := jb.Binary(nil, []byte("\x01"+`{"a": "alice@example.com"}`))
	if !changed || string(out) != "\x01"+`{"a": "[redacted]"}` {
		t.Errorf("%q", out)
	}
}

func TestNested(t *testing.T) {
	p := compile(t, Spec{Detectors: []string{"email"}})
	field := func(b []byte, v string) []byte {
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	array := append([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1}, field(field(nil, "x"), "a@b.com")...)
	record := field(append(field([]byte{0, 0, 0, 2, 0, 0, 0, 25}, "a@b.com"), 0, 0, 3, 0xf1), string(array))
	for _, c := range []struct {
		oid  uint32
		in   string
		bin  bool
		want string // in the result; "" means NULL, "=" means unchanged
	}{
		{1009, string(array), true, "\x00\x00\x00\x0a[redacted]"},
		{1009, string(array[:len(array)-1]), true, "\x00\x00\x00\x19"},
		{1009, "{x,a@b.com}", false, "{x,[redacted]}"},
		{2249, string(record), true, "\x00\x00\x00\x0a[redacted]"},
		{2249, "(a@b.com,x)", false, "([redacted],x)"},
		{2249, string(record[:9]), true, ""},
		{17, `\x6140622e636f6d`, false, `\x5b72656461637465645d`},
		{17, `a@b.com\\\001`, false, `\x5b72656461637465645d5c01`},
		{17, "\xff\xfea@b.com", true, "="},
		{17, "a@b.com", true, "[redacted]"},
		{1001, `{"\\x6140622e636f6d"}`, false, "{}"},
		{3614, `'a@b.com':1`, false, ""},
		{99999, "a@b.com", true, ""},
		{99999, "a@b.com", false, "[redacted]"},
		{99999, "ab.com", true, "="},
		{142, "<m>a@b.com</m>", true, "<m>[redacted]</m>"},
	} {
		m := p.Masker(nil, true, false, Type{OID: c.oid})
		f := m.Text
		if c.bin {
			f = m.Binary
		}
		out, null, changed := f(nil, []byte(c.in))
		if c.oid == 3614 && (null || len(out) != 0 || !changed) || c.want == "=" && changed ||
			c.want == "" && c.oid != 3614 && !null || len(c.want) > 1 && !bytes.Contains(out, []byte(c.want)) || bytes.Contains(out, []byte("a@b")) {
			t.Errorf("%d %q: got %q %v %v, want %q", c.oid, c.in, out, null, changed, c.want)
		}
	}
}

func TestHash(t *testing.T) {
	col := []sql.Column{{Schema: "s", Table: "t", Name: "c"}}
	spec := Spec{Columns: []string{"t.c"}, Way: WayHash}
	p := compile(t, spec)
	get := func(p *Plan, typ Type, v string) string { return text(p.Masker(col, true, false, typ), v) }
	a, b := get(p, TextType, "alice"), get(p, TextType, "alicf")
	if len(a) != 31 || !strings.HasPrefix(a, "hmac_") || a == b || a != get(p, Type{OID: 1043}, "alice") || a != get(p, Type{OID: 1042}, "alice   ") {
		t.Errorf("%q %q", a, b)
	}
	other, _ := Compile([]Spec{spec}, bytes.Repeat([]byte{1}, 32))
	if get(other, TextType, "alice") == a {
		t.Error("the key does not matter")
	}
	keyless, err := Compile([]Spec{spec}, nil)
	if err != nil || get(keyless, TextType, "alice") != "[redacted]" {
		t.Error("a plan without a key does not redact")
	}
	if x, y := get(p, Type{OID: 1700}, "1.50"), get(p, Type{OID: 1700}, "1.5"); x != y {
		t.Errorf("%s and %s", x, y)
	}
	for oid, limit := range map[uint32]int{21: 5, 23: 10, 20: 19} {
		if v := get(p, Type{OID: oid}, "-17"); v == "0" || len(v) > limit || v[0] == '-' {
			t.Errorf("%d: %s", oid, v)
		}
	}
	if v := get(p, Type{OID: 23}, "no number"); v != "0" {
		t.Errorf("%s", v)
	}
	if v := get(p, Type{OID: 1043, Typmod: 12}, "alice"); v != a[:8] {
		t.Errorf("%s", v)
	}
	if v := get(p, Type{OID: 16}, "t"); v != "f" {
		t.Errorf("a bool is hashed: %s", v)
	}
}

// TestLinear feeds the scanners what is bad for them. One that looks at everything again and again would take minutes;
// the bound is for that, and not for how fast they are.
func TestLinear(t *testing.T) {
	const all = detSet(1<<detCount - 1)
	for _, unit := range []string{"a@", "a.b-c%40", "eyJ-", "eyJhbGciOiJub25lIn0.", "token=", "password: ", "1 2-3 4-", "+1 ", "(0", "DE89 ", "xoxb-", "-----BEGIN ",
		"4111-", "a4", `"@`, "x.", "%40", `\u0040`, "sk-a-", "ghp_aaaa-", "é@", "@a.", "0171/", "ssn 12345678 ", "hvs.a_", "AIzaaaa-"} {
		run := func(n int) time.Duration {
			b := []byte(strings.Repeat(unit, n/len(unit)))
			start := time.Now()
			for at := 0; ; {
				m, ok := all.next(b, at)
				if !ok {
					return time.Since(start)
				}
				at = m.end
			}
		}
		if d := run(1 << 19); d > time.Minute {
			t.Errorf("%q: 512 KiB take %v", unit, d)
		}
	}
}

func FuzzDetect(f *testing.F) {
	for _, s := range []string{"alice@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "123-45-6789", "+44 20 7946 0958", testJWT, "AKIAIOSFODNN7EXAMPLE", "a%40b.com", `{"a":"\u0040"}`, "{a,\"b\"}", "\\x6140"} {
		f.Add([]byte(s))
	}
	specs := []Spec{{Detectors: detectorNames[:], Way: WayPartial}}
	p, _ := Compile(specs, testKey)
	r, _ := Compile([]Spec{{Detectors: detectorNames[:]}}, testKey)
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		for _, oid := range []uint32{25, 114, 3802, 17, 1009, 2249, 1001, 3614, 99999, 142} {
			m := p.Masker(nil, true, false, Type{OID: oid})
			m.Text(nil, b)
			m.Binary(nil, b)
			out, null, changed := r.Masker(nil, true, false, Type{OID: oid}).Text(nil, b)
			if (oid == 114 || oid == 3802) && changed && !null && json.Valid(b) && !json.Valid(out) {
				t.Fatalf("%q became %q, which is no JSON", b, out)
			}
		}
		once, n := r.Scrub(nil, b)
		if twice, again := r.Scrub(nil, once); n > 0 && again > n || n == 0 && !bytes.Equal(once, b) || again == 0 && !bytes.Equal(once, twice) {
			t.Fatalf("%q, then %q, then %q", b, once, twice)
		}
		if !bytes.Equal(in, b) {
			t.Fatal("the input was written to")
		}
	})
}

func FuzzWays(f *testing.F) {
	f.Add([]byte("alice@example.com"))
	f.Add([]byte("\x00\x02\x00\x00\x40\x00\x00\x02\x00\x01\x13\x88"))
	f.Add([]byte(`\x00ff`))
	var plans []*Plan
	for _, w := range []string{WayRedact, WayNull, WayPartial, WayHash} {
		p, _ := Compile([]Spec{{Columns: []string{"t.c"}, Way: w}}, testKey)
		plans = append(plans, p)
	}
	col := []sql.Column{{Schema: "s", Table: "t", Name: "c"}}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range plans {
			for _, typ := range []Type{{OID: 25}, {OID: 1043, Typmod: 9}, {OID: 1042, Typmod: 9}, {OID: 17}, {OID: 20}, {OID: 21}, {OID: 700}, {OID: 701}, {OID: 1700}, {OID: 1700, Typmod: 4 + 5<<16 + 2}, {OID: 2950}, {OID: 3802}, {OID: 1007}, {OID: 16}} {
				m := p.Masker(col, true, false, typ)
				out, null, changed := m.Text(nil, b)
				if b == nil {
					b = []byte{}
				}
				if !changed || null && out != nil {
					t.Fatalf("%v: %q %v %v", typ, out, null, changed)
				}
				if _, _, changed := m.Binary(nil, b); !changed {
					t.Fatalf("%v in binary", typ)
				}
			}
		}
	})
}

var sink []byte

func BenchmarkValue(b *testing.B) {
	col := []sql.Column{{Schema: "s", Table: "t", Name: "c"}}
	for _, c := range []struct {
		name string
		spec Spec
		typ  Type
		val  string
		bin  bool
	}{
		{"redact text", Spec{Columns: []string{"t.c"}}, TextType, "alice@example.com", false},
		{"partial email", Spec{Columns: []string{"t.c"}, Way: WayPartial}, TextType, "alice@example.com", false},
		{"partial card", Spec{Columns: []string{"t.c"}, Way: WayPartial}, TextType, "4111 1111 1111 1111", false},
		{"hash text", Spec{Columns: []string{"t.c"}, Way: WayHash}, TextType, "alice@example.com", false},
		{"hash int8 binary", Spec{Columns: []string{"t.c"}, Way: WayHash}, Type{OID: 20}, "\x00\x00\x00\x00\x00\x00\x00\x07", true},
		{"hash numeric binary", Spec{Columns: []string{"t.c"}, Way: WayHash}, Type{OID: 1700}, "\x00\x02\x00\x00\x40\x00\x00\x02\x00\x01\x13\x88", true},
		{"hash uuid text", Spec{Columns: []string{"t.c"}, Way: WayHash}, Type{OID: 2950}, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", false},
		{"all detectors, no find", Spec{Detectors: detectorNames[:]}, TextType, "a few words about the customer, nothing more", false},
		{"all detectors, a find", Spec{Detectors: detectorNames[:]}, TextType, "a few words about alice@example.com, no more", false},
	} {
		m := compile(b, c.spec).Masker(col, true, false, c.typ)
		b.Run(c.name, func(b *testing.B) {
			v := []byte(c.val)
			b.ReportAllocs()
			for b.Loop() {
				if c.bin {
					sink, _, _ = m.Binary(sink[:0], v)
				} else {
					sink, _, _ = m.Text(sink[:0], v)
				}
			}
		})
	}
}

func BenchmarkScrub(b *testing.B) {
	prose := []byte(strings.Repeat("2024-05-06 07:08:09 INFO request 17 of user 4711 took 12.5 ms, and the result was fine.\n", 1000))
	finds := []byte(strings.Repeat("user alice@example.com paid with 4111 1111 1111 1111 from 10.1.2.3, call +44 20 7946 0958\n", 1000))
	for name, text := range map[string][]byte{"log": prose, "finds": finds} {
		for set, p := range map[string]*Plan{"all": compile(b, Spec{Detectors: detectorNames[:]}), "email": compile(b, Spec{Detectors: []string{"email"}})} {
			b.Run(name+"/"+set, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					sink, _ = p.Scrub(sink[:0], text)
				}
			})
		}
	}
}
