package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/filters/http/content/contenttest"
	"dragoman.dev/dragoman/internal/mask"
)

type attack = contenttest.Attack

var attackPlans = contenttest.Plans()

func compile(t testing.TB, specs ...mask.Spec) *mask.Plan {
	t.Helper()
	p, err := mask.Compile(specs, []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func attacks(t testing.TB) []attack {
	t.Helper()
	all, err := contenttest.Load("testdata/attacks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func bytesOf(t testing.TB, a *attack) []byte {
	t.Helper()
	b, err := a.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func headOf(a *attack) Head {
	h := Head{Method: "GET", Status: 200, Type: a.Type, Encoding: a.Coding()}
	if a.Status != 0 {
		h.Status = a.Status
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

func TestAttacks(t *testing.T) {
	classes := map[string]int{}
	all := attacks(t)
	for _, a := range all {
		classes[a.Class]++
		t.Run(a.Class+"/"+a.Name, func(t *testing.T) {
			plan, body := compile(t, attackPlans[a.Plan]...), bytesOf(t, &a)
			pieces := []int{1, 3, 17, 1000, len(body) + 1}
			if len(body) > 100000 {
				pieces = pieces[2:]
			}
			var first []byte
			for i, piece := range pieces {
				out, masked, err := through(headOf(&a), plan, body, piece)
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
				if leak, gone := a.Leaks(out); leak != "" || gone != "" {
					t.Fatalf("in pieces of %d, comes out: %s; is gone: %s", piece, leak, gone)
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
