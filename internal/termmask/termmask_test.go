package termmask

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
)

func plan(t testing.TB) *mask.Plan {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{{Name: "m", Detectors: []string{"email", "card", "us_ssn", "iban", "api_key", "jwt"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// secrets in texts as programs write them, and what of them may not leave in any piece.
var texts = []struct{ text, secret string }{
	{"mail alice@example.com now\n", "alice@example"},
	{"card 4111 1111 1111 1111 end\n", "1111 1111"},
	{"card 4111111111111111", "1111111"},
	{"\x1b[31m4111\x1b[0m1111\x1b[1m11111111\x1b[0m\n", "4111"},
	{"x\x1b]0;bob@example.com\x07y\n", "bob@"},
	{"key AKIAIOSFODNN7EXAMPLE ok\n", "IOSFODNN"},
	{"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nAAAA\n-----END PRIVATE KEY-----\ndone\n", "MIIEvQ"},
	{"a@b.example.org,c@d.example.org\n", "@d.example"},
}

func TestEveryCut(t *testing.T) {
	p := plan(t)
	for _, c := range texts {
		for i := range len(c.text) {
			for j := i; j <= len(c.text); j += 1 + len(c.text)/12 {
				m := New(p, false)
				var out []byte
				for _, piece := range []string{c.text[:i], c.text[i:j], c.text[j:]} {
					out = m.Write(out, []byte(piece))
				}
				out = m.Flush(out)
				if strings.Contains(string(out), c.secret) || m.Masked() == 0 {
					t.Fatalf("cut at %d and %d: %q", i, j, out)
				}
			}
		}
		m := New(p, false)
		var out []byte
		for i := range len(c.text) {
			out = m.Write(out, []byte{c.text[i]})
		}
		if out = m.Flush(out); strings.Contains(string(out), c.secret) {
			t.Fatalf("byte by byte: %q", out)
		}
	}
}

// TestNothingElse: what is no value comes out as it went in, whatever the pieces.
func TestNothingElse(t *testing.T) {
	text := "total 12\r\n\x1b[01;34mdir\x1b[0m  file-1.txt 2024-01-02 10:20 \x1b[K$ \xff\x00bin\x1b"
	for _, tty := range []bool{true, false} {
		for n := 1; n < len(text); n++ {
			m := New(plan(t), tty)
			var out []byte
			for i := 0; i < len(text); i += n {
				out = m.Write(out, []byte(text[i:min(i+n, len(text))]))
			}
			if out = m.Flush(out); string(out) != text {
				t.Fatalf("pieces of %d, terminal %v: %q", n, tty, out)
			}
		}
	}
}

func TestTerminalEcho(t *testing.T) {
	m := New(plan(t), true)
	for _, key := range []string{"l", "s", " ", "-", "l"} {
		if out := m.Write(nil, []byte(key)); string(out) != key {
			t.Errorf("%q is kept back", key)
		}
		m.Flush(nil)
	}
}

func FuzzWrite(f *testing.F) {
	for _, c := range texts {
		f.Add([]byte(c.text), uint8(3))
	}
	p := plan(f)
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		whole := New(p, false)
		want := whole.Flush(whole.Write(nil, b))
		m := New(p, false)
		var out []byte
		step := int(n)%17 + 1
		for i := 0; i < len(b); i += step {
			out = m.Write(out, b[i:min(i+step, len(b))])
		}
		out = m.Flush(out)
		if string(out) != string(want) {
			t.Errorf("%q became %q", b, out)
		}
	})
}
