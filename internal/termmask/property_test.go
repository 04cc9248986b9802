package termmask

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// values are what the plan's detectors find, with what of each may not be seen.
var values = []struct{ text, secret string }{
	{"alice.b+c@mail.example.com", "alice.b"}, {"4111 1111 1111 1111", "1111 1111"}, {"5500-0000-0000-0004", "5500-0000"}, {"4111111111111111", "11111111"}, {"078-05-1120", "078-05"},
	{"DE89 3704 0044 0532 0130 00", "3704 0044"}, {"GB82WEST12345698765432", "12345698"}, {"AKIAIOSFODNN7EXAMPLE", "IOSFODNN"},
	{"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "eyJzdWIi"},
	{"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nAAAA\n-----END PRIVATE KEY-----", "MIIEvQ"},
}

// fillers are what stands between, none of it a value, nor joining one.
var fillers = []string{" ", "\n", "\r\n", "\t| ", " total 12\n", "name, ", "\x1b[0m ", " \x1b[31;1mred\x1b[0m ", "\x1b[2J\x1b[H\n", "\xff\xfe\x00 ", "drwxr-xr-x\n", " <p> ", "\x1b]0;title\x07 ", " 2024-01-02 10:20 ", "\"", "'"}

// sequences take no place, and may stand within a value.
var sequences = []string{"\x1b[0m", "\x1b[1;31m", "\x1b[K", "\x1b(B", "\x07", "\x00", "\x1b[38;5;196m"}

// sprinkled puts sequences between the characters of a value.
func sprinkled(r *rand.Rand, s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte(c)
		if r.IntN(4) == 0 {
			b.WriteString(sequences[r.IntN(len(sequences))])
		}
	}
	return b.String()
}

// strip is what a terminal shows.
func strip(t *testing.T, b []byte) string {
	t.Helper()
	m := New(nil, false)
	m.buf = append(m.buf, b...)
	text, _ := m.visible()
	return string(text)
}

// cut gives a text in pieces of random lengths.
func cut(r *rand.Rand, b []byte, f func([]byte)) {
	for len(b) > 0 {
		n := 1 + r.IntN(min(len(b), 1<<r.IntN(10)))
		f(b[:n])
		b = b[n:]
	}
}

// TestProperties: a text with values, in which escape sequences stand anywhere, comes out the same however it is cut; no value
// is left of it, all else is; and what is kept meanwhile is bounded.
func TestProperties(t *testing.T) {
	p := plan(t)
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 6))
		var text strings.Builder
		var hidden []string
		for range 1 + r.IntN(30) {
			text.WriteString(fillers[r.IntN(len(fillers))])
			if r.IntN(2) == 0 {
				v := values[r.IntN(len(values))]
				hidden = append(hidden, v.secret)
				text.WriteString(" ")
				if r.IntN(2) == 0 {
					text.WriteString(sprinkled(r, v.text))
				} else {
					text.WriteString(v.text)
				}
				text.WriteString(" ")
			}
		}
		in := []byte(text.String())
		whole := New(p, false)
		want := whole.Flush(whole.Write(nil, in))
		if whole.Masked() != int64(len(hidden)) {
			t.Fatalf("seed %d: %d values masked of %d\n%q\n%q", seed, whole.Masked(), len(hidden), in, want)
		}
		for _, tty := range []bool{false, true} {
			for range 8 {
				m := New(p, tty)
				var out []byte
				cut(r, in, func(b []byte) {
					out = m.Write(out, b)
					if held := len(m.buf); held > 2*keep+4*context+1024 {
						t.Fatalf("seed %d: %d bytes are kept", seed, held)
					}
				})
				out = m.Flush(out)
				what := fmt.Sprintf("seed %d, terminal %v", seed, tty)
				shown := strip(t, out)
				for _, s := range hidden {
					if strings.Contains(shown, s) {
						t.Fatalf("%s: %q is shown\n%q\n%q", what, s, in, out)
					}
				}
				if tty { // a character or two leave at once, as an echo, before it can be told
					continue
				}
				if !bytes.Equal(out, want) || m.Masked() != whole.Masked() {
					t.Fatalf("%s: the pieces make a difference: %d values masked of %d\n%q\nin pieces %q\nat once   %q", what, m.Masked(), whole.Masked(), in, out, want)
				}
			}
		}
	}
}

// TestBoundedMemory: whatever comes, and never ends, no more is kept than a multiple of keep.
func TestBoundedMemory(t *testing.T) {
	for _, unit := range []string{"a", "1", "4111 ", "a@", "\x1b", "\x1b[", "\x1b]0;", "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN ", "eyJhbGciOiJIUzI1NiJ9.", "\x00", "\xff", "password=", "(", "\x1b[31m4"} {
		for _, tty := range []bool{false, true} {
			m := New(plan(t), tty)
			piece := []byte(strings.Repeat(unit, 1+4096/len(unit)))
			var out []byte
			for range 20 {
				out = m.Write(out[:0], piece)
				if held := len(m.buf); held > 8*keep+len(piece) { // an escape sequence takes no place in what is kept
					t.Fatalf("%q: %d bytes are kept", unit, held)
				}
			}
		}
	}
}
