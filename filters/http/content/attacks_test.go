package content

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"html"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"gopkg.in/yaml.v3"

	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/internal/mask"
)

// attack is one entry of testdata/attacks.yaml.
type attack struct {
	Class, Name, Plan, Type, Encoding, Body, Base64, UTF16, Refused, End string
	Status                                                               int
	Twice                                                                bool
	Pack, Secrets, Keep                                                  []string
	Repeat, Tail                                                         []any
}

var attackPlans = map[string][]mask.Spec{
	"json":   {{Name: "j", JSON: []string{"$..email", "$..ssn", "$.card", "$.users[*].token"}}},
	"text":   {{Name: "t", Detectors: []string{"email", "card", "us_ssn", "iban", "jwt", "api_key"}}},
	"both":   {{Name: "j", JSON: []string{"$..email", "$..ssn"}, Opaque: mask.OpaqueAllow}, {Name: "t", Detectors: []string{"email", "card"}}},
	"fields": {{Name: "f", Fields: []string{"email", "ssn", "pass*"}}},
}

func compile(t testing.TB, specs ...mask.Spec) *mask.Plan {
	t.Helper()
	p, err := mask.Compile(specs, []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func attacks(t testing.TB) (out []attack) {
	t.Helper()
	b, err := os.ReadFile("testdata/attacks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// bytes is the body as it comes.
func (a *attack) bytes(t testing.TB) []byte {
	t.Helper()
	part := func(p []any) string {
		if p == nil {
			return ""
		}
		return strings.Repeat(p[0].(string), p[1].(int))
	}
	body := []byte(part(a.Repeat) + a.Body + part(a.Tail) + a.End)
	switch {
	case a.Base64 != "":
		b, err := base64.StdEncoding.DecodeString(a.Base64)
		if err != nil {
			t.Fatal(err)
		}
		body = b
	case a.UTF16 != "":
		order := map[string]binary.AppendByteOrder{"le": binary.LittleEndian, "be": binary.BigEndian}[a.UTF16]
		var b []byte
		for _, u := range utf16.Encode([]rune("\uFEFF" + a.Body)) {
			b = order.AppendUint16(b, u)
		}
		body = b
	}
	if len(a.Pack) > 0 {
		var b []byte
		for range map[bool]int{true: 2, false: 1}[a.Twice] {
			e, err := coding.NewEncoder(a.Pack)
			if err != nil {
				t.Fatal(err)
			}
			b, _ = e.Write(b, body)
			b, _ = e.Close(b)
		}
		body = b
	}
	return body
}

func (a *attack) head() Head {
	h := Head{Method: "GET", Status: 200, Type: a.Type, Encoding: a.Encoding}
	if a.Status != 0 {
		h.Status = a.Status
	}
	if h.Encoding == "" {
		h.Encoding = strings.Join(a.Pack, ", ")
	}
	return h
}

// through masks a body in pieces.
func through(h Head, plan *mask.Plan, body []byte, piece int) ([]byte, int, error) {
	s, err := New(h, plan, Limits{})
	if err != nil {
		return nil, 0, err
	}
	defer s.Abort()
	var out []byte
	for len(body) > 0 {
		n := min(piece, len(body))
		if out, err = s.Write(out, bytes.Clone(body[:n])); err != nil {
			return out, s.Masked(), err
		}
		body = body[n:]
	}
	out, err = s.Close(out)
	return out, s.Masked(), err
}

// undone is what a reader could make of what came out: each form on a line.
func undone(t testing.TB, out []byte, h Head) string {
	t.Helper()
	names, err := coding.Parse(h.Encoding)
	if err != nil && len(out) > 0 {
		t.Fatal(err)
	}
	if len(names) > 0 {
		var plain []byte
		d := coding.NewDecoder(names, 0)
		sink := func(b []byte) error { plain = append(plain, b...); return nil }
		if err := d.Write(out, sink); err == nil {
			_ = d.Close(sink)
		}
		d.Abort()
		out = plain
	}
	all := []string{string(out), html.UnescapeString(string(out)), string(mask.AppendUnescaped(nil, out))}
	if s, err := url.QueryUnescape(string(out)); err == nil {
		all = append(all, s)
	}
	return strings.Join(all, "\n")
}

func TestAttacks(t *testing.T) {
	classes := map[string]int{}
	all := attacks(t)
	for _, a := range all {
		classes[a.Class]++
		t.Run(a.Class+"/"+a.Name, func(t *testing.T) {
			plan, body := compile(t, attackPlans[a.Plan]...), a.bytes(t)
			pieces := []int{1, 3, 17, 1000, len(body) + 1}
			if len(body) > 100000 {
				pieces = pieces[2:]
			}
			var first []byte
			for i, piece := range pieces {
				out, masked, err := through(a.head(), plan, body, piece)
				var refused *Error
				errors.As(err, &refused)
				switch {
				case a.Refused != "" && (refused == nil || !slices.Contains(strings.Fields(a.Refused), refused.Code)):
					t.Fatalf("in pieces of %d: %v, and %.200q came out; it must be refused (%s)", piece, err, out, a.Refused)
				case a.Refused == "" && err != nil:
					t.Fatalf("in pieces of %d: %v", piece, err)
				case a.Refused == "" && masked == 0 && len(a.Secrets) > 0 && a.Class != "multipart":
					t.Errorf("nothing was counted as masked")
				}
				got := undone(t, out, a.head())
				for _, s := range append(slices.Clone(a.Secrets), "mallory@secret.example") {
					if strings.Contains(got, s) {
						t.Fatalf("in pieces of %d, %q comes out: %.300s", piece, s, got)
					}
				}
				for _, s := range a.Keep {
					if !strings.Contains(got, s) {
						t.Errorf("%q is gone: %.300s", s, got)
					}
				}
				if i == 0 {
					first = out
				} else if a.Refused == "" && len(a.Pack) == 0 && !bytes.Equal(first, out) {
					t.Errorf("in pieces of %d it is another: %.200q, %.200q", piece, out, first)
				}
			}
		})
	}
	if len(all) < 60 || len(classes) < 8 {
		t.Errorf("%d bodies of %d classes", len(all), len(classes))
	}
	t.Logf("%d bodies: %v", len(all), classes)
}

// Clean bodies come out as they went in.
func TestClean(t *testing.T) {
	for _, c := range []struct{ plan, typ, body string }{
		{"json", "application/json", ` { "id" : 7, "n":[1.50, "a\u00e9", true,null ], "Email": "x", "emails": ["b"] } `},
		{"text", "application/json", `{"a":"hello","n":1234567890123,"t":"2024-01-01T00:00:00Z","u":"550e8400-e29b-41d4-a716-446655440000"}`},
		{"text", "text/html", "<p>a &amp; b &lt; c</p>\n"}, {"text", "text/plain", "nothing to see\r\n"}, {"text", "text/plain", ""},
		{"text", "application/x-www-form-urlencoded", "a=1&b=%20x+y&&c"}, {"fields", "application/json", "not json"},
		{"text", "multipart/mixed; boundary=b", "--b\r\nX: y\r\n\r\nhello\r\n--b\r\n\r\n\r\n--b--\r\n"},
		{"json", "text/event-stream", "event: a\nid: 1\ndata: {\"n\":1}\n\n: ping\n\ndata: [DONE]\n\n"},
		{"text", "application/grpc", "\x00\x00\x00\x00\x04\x0a\x02hi"},
		{"both", "text/plain", "[INFO] starting\n"}, {"both", "text/csv", "a,b\n1,2\n"}, {"both", "text/plain", "[2024-01-01 10:00] up\n"}, {"both", "text/plain", "{name} is here"},
		{"text", "text/javascript", `var a = "\u00e9\x20"; /* \u0041 */`}, {"text", "application/octet-stream", "héllo"},
		{"fields", "image/png", "\x89PNG\x00\x01"},
	} {
		for _, piece := range []int{1, 5, 100000} {
			out, n, err := through(Head{Type: c.typ}, compile(t, attackPlans[c.plan]...), []byte(c.body), piece)
			if err != nil || n != 0 || string(out) != c.body {
				t.Errorf("%s, %s: %q became %q (%d masked), %v", c.plan, c.typ, c.body, out, n, err)
			}
		}
	}
}

// What a mask's way makes of each sort of JSON value.
func TestWays(t *testing.T) {
	in := `{"a":"mallory@secret.example","n":42.50,"t":true,"z":null,"l":[1],"o":{"x":1}}`
	for way, want := range map[string]string{
		mask.WayRedact:  `{"a":"[redacted]","n":0,"t":false,"z":null,"l":[],"o":{}}`,
		mask.WayNull:    `{"a":null,"n":null,"t":null,"z":null,"l":null,"o":null}`,
		mask.WayPartial: `{"a":"m***@secret.example","n":0,"t":false,"z":null,"l":[],"o":{}}`,
	} {
		out, n, err := through(Head{Type: "application/json"}, compile(t, mask.Spec{Name: "x", JSON: []string{"$.*"}, Way: way}), []byte(in), 4)
		if err != nil || string(out) != want {
			t.Errorf("%s: %s, %v", way, out, err)
		}
		if n != 5 {
			t.Errorf("%s: %d values", way, n)
		}
	}
	hash := compile(t, mask.Spec{Name: "x", JSON: []string{"$..id"}, Way: mask.WayHash})
	out, _, err := through(Head{Type: "application/json"}, hash, []byte(`[{"id":"a"},{"id":"a"},{"id":7},{"id":7.0},{"id":8}]`), 3)
	var ids []struct{ ID any }
	if err != nil || json.Unmarshal(out, &ids) != nil || ids[0] != ids[1] || ids[2] != ids[3] || ids[3] == ids[4] || ids[2].ID == 7.0 {
		t.Errorf("%s %v", out, err)
	}
}
