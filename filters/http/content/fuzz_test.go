package content

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
)

var fuzzTypes = []string{"", "application/json", "application/x-ndjson", "text/plain", "text/html", "text/event-stream",
	"application/x-www-form-urlencoded", "multipart/form-data; boundary=XX", "application/grpc", "image/png"}

// Whatever comes, in whatever pieces: the same comes out or is refused, nothing
// panics, and the canary, an address that every plan masks, never comes out.
func FuzzContent(f *testing.F) {
	for _, a := range attacks(f) {
		b := bytesOf(f, &a)
		if len(b) > 4096 || len(a.Pack) > 0 {
			continue
		}
		for i, typ := range fuzzTypes {
			if strings.HasPrefix(a.Type, typ) {
				f.Add(b, uint8(i), 3)
			}
		}
	}
	plan := compile(f, mask.Spec{Name: "j", JSON: []string{"$..email", "$.list[0:2]"}, Opaque: mask.OpaqueAllow},
		mask.Spec{Name: "t", Detectors: []string{"email", "card"}}, mask.Spec{Name: "f", Fields: []string{"email"}})
	f.Fuzz(func(t *testing.T, body []byte, typ uint8, piece int) {
		h := Head{Type: fuzzTypes[int(typ)%len(fuzzTypes)], Status: 200}
		whole, n1, err1 := through(h, plan, body, len(body)+1)
		parts, n2, err2 := through(h, plan, body, 1+(piece&15))
		if (err1 == nil) != (err2 == nil) || err1 == nil && (!bytes.Equal(whole, parts) || n1 != n2) {
			t.Fatalf("in pieces it differs:\n%q %d %v\n%q %d %v", whole, n1, err1, parts, n2, err2)
		}
		if err1 == nil && h.Type == "application/json" && json.Valid(body) && !json.Valid(bytes.TrimPrefix(whole, []byte("\xEF\xBB\xBF"))) {
			t.Fatalf("%q became %q", body, whole)
		}
		if bytes.Contains(whole, []byte(" mallory@secret.example ")) {
			t.Fatalf("%q lets it through: %q", body, whole)
		}
	})
}

// document is a JSON document of about n bytes.
func document(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"users":[`)
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":12345,"name":"Alice Example","email":"alice@example.com","address":{"city":"Berlin","street":"Main Street 5"},"tags":["a","b"],"active":true}`)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkJSON(b *testing.B) {
	doc := document(64 << 10)
	for _, c := range []struct {
		name string
		spec mask.Spec
	}{
		{"paths", mask.Spec{Name: "p", JSON: []string{"$.users[*].email"}}},
		{"descendants", mask.Spec{Name: "p", JSON: []string{"$..email", "$..street"}, Way: mask.WayPartial}},
		{"detectors", mask.Spec{Name: "d", Detectors: []string{"email", "card", "iban", "api_key"}}},
		{"nothing", mask.Spec{Name: "p", JSON: []string{"$.other"}}},
	} {
		plan := compile(b, c.spec)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			out := make([]byte, 0, 2*len(doc))
			for b.Loop() {
				s, err := New(Head{Type: "application/json"}, plan, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				out = out[:0]
				for rest := doc; len(rest) > 0; {
					n := min(16<<10, len(rest))
					if out, err = s.Write(out, rest[:n]); err != nil {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
				if out, err = s.Close(out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(doc, &v); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A body's size does not show in memory: 256 MiB in one string, in many, and as text.
func TestBoundedMemory(t *testing.T) {
	plan := compile(t, mask.Spec{Name: "j", JSON: []string{"$..email"}, Way: mask.WayPartial, Opaque: mask.OpaqueAllow}, mask.Spec{Name: "t", Detectors: []string{"email"}})
	for typ, body := range map[string][3]string{
		"application/json": {`{"email":"`, strings.Repeat("x", 64<<10), `"}`}, "application/x-ndjson": {"", string(document(64<<10)) + "\n", ""},
		"text/plain": {"", strings.Repeat("lorem ipsum ", 5461), "\n"},
	} {
		s, err := New(Head{Type: typ}, plan, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		write := func(p string) {
			if out, err = s.Write(out[:0], []byte(p)); err != nil {
				t.Fatal(err)
			}
		}
		write(body[0])
		var most uint64
		mem := testing.AllocsPerRun(1, func() {
			for range 64 {
				write(body[1])
				most = max(most, uint64(cap(out)))
			}
		})
		write(body[2])
		if out, err = s.Close(out[:0]); err != nil || most > 4<<20 {
			t.Errorf("%s: a buffer of %d, %v", typ, most, err)
		}
		t.Logf("%s: the largest piece given out %d bytes, %.0f allocations", typ, most, mem)
	}
}
