package websocket

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

func plan(t testing.TB, specs ...mask.Spec) *mask.Plan {
	t.Helper()
	p, err := mask.Compile(specs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func frame(fin bool, opcode byte, payload string, key ...byte) []byte {
	h := Header{Fin: fin, Opcode: opcode, Length: int64(len(payload)), Masked: len(key) == 4}
	copy(h.Key[:], key)
	b := []byte(payload)
	if h.Masked {
		MaskBytes(b, h.Key, 0)
	}
	return append(h.Append(nil), b...)
}

func masked(m *Masker, in []byte, piece int) (out []byte, err error) {
	for len(in) > 0 && err == nil {
		n := min(piece, len(in))
		out, err = m.Write(out, bytes.Clone(in[:n]))
		in = in[n:]
	}
	return out, err
}

func TestMessages(t *testing.T) {
	p := plan(t, mask.Spec{Name: "j", JSON: []string{"$..ssn"}, Opaque: mask.OpaqueAllow}, mask.Spec{Name: "t", Detectors: []string{"email"}, Opaque: mask.OpaqueAllow})
	long := strings.Repeat("x", 70000)
	for name, c := range map[string]struct{ in, want []byte }{
		"json":       {frame(true, Text, `{"ssn":"mallory","a":1}`), frame(true, Text, `{"ssn":"[redacted]","a":1}`)},
		"text":       {frame(true, Text, `hi mallory@secret.example`), frame(true, Text, `hi [redacted]`)},
		"binary":     {frame(true, Binary, "\x00\x01"), frame(true, Binary, "\x00\x01")},
		"in binary":  {frame(true, Binary, `{"ssn":"mallory"}`), frame(true, Binary, `{"ssn":"[redacted]"}`)},
		"empty":      {frame(true, Text, ``), frame(true, Text, ``)},
		"long":       {frame(true, Text, `{"x":"`+long+`","ssn":"mallory"}`), frame(true, Text, `{"x":"`+long+`","ssn":"[redacted]"}`)},
		"close":      {frame(true, Close, "\x03\xe8bye mallory@secret.example"), frame(true, Close, "\x03\xe8bye [redacted]")},
		"close bare": {frame(true, Close, ""), frame(true, Close, "")},
		"in parts": {bytes.Join([][]byte{frame(false, Text, `{"ss`), frame(true, Ping, "p"), frame(false, Continuation, `n":"mal`), frame(true, Continuation, `lory"}`)}, nil),
			append(frame(true, Ping, "p"), frame(true, Text, `{"ssn":"[redacted]"}`)...)},
		"on a border": {append(frame(false, Text, `mallory@sec`), frame(true, Continuation, `ret.example`)...), frame(true, Text, `[redacted]`)},
	} {
		for _, piece := range []int{1, 5, 1 << 20} {
			out, err := masked(NewMasker(p, 0, nil), c.in, piece)
			if err != nil || !bytes.Equal(out, c.want) {
				t.Errorf("%s in pieces of %d: %.200q %v", name, piece, out, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	strict := plan(t, mask.Spec{Name: "j", JSON: []string{"$..ssn"}})
	for name, c := range map[string]struct {
		in   []byte
		code string
	}{
		"text":            {frame(true, Text, "mallory"), refusal.Opaque},
		"binary":          {frame(true, Binary, "\x00mallory"), refusal.Opaque},
		"broken JSON":     {frame(true, Text, `{"ssn":"mallory",}`), refusal.Opaque},
		"not UTF-8":       {frame(true, Text, "\xff"), refusal.Charset},
		"compressed":      {[]byte{bitFin | 0x40 | Text, 0}, refusal.Unsupported},
		"masked":          {frame(true, Text, "x", 1, 2, 3, 4), refusal.Protocol},
		"opcode":          {frame(true, 3, "x"), refusal.Protocol},
		"control":         {frame(true, 0xB, "x"), refusal.Protocol},
		"control in part": {frame(false, Ping, "x"), refusal.Protocol},
		"long control":    {frame(true, Ping, strings.Repeat("x", 126)), refusal.Protocol},
		"continuation":    {frame(true, Continuation, "x"), refusal.Protocol},
		"two texts":       {append(frame(false, Text, "{"), frame(true, Text, "}")...), refusal.Protocol},
		"long form":       {[]byte{bitFin | Text, len16, 0, 1, 'x'}, refusal.Protocol},
		"longer form":     {[]byte{bitFin | Text, len64, 0, 0, 0, 0, 0, 0, 0, 1, 'x'}, refusal.Protocol},
		"negative":        {[]byte{bitFin | Text, len64, 0x80, 0, 0, 0, 0, 0, 0, 1}, refusal.Protocol},
		"too large":       {frame(true, Text, `"`+strings.Repeat("x", 5<<20)+`"`), refusal.TooLarge},
	} {
		out, err := masked(NewMasker(strict, 0, nil), c.in, 1000)
		var e *refusal.Error
		if !errors.As(err, &e) || e.Code != c.code || bytes.Contains(out, []byte("mallory")) {
			t.Errorf("%s: %v, %q", name, err, out)
		}
	}
}

func TestClientFrames(t *testing.T) {
	in := append(frame(false, Text, "hello ", 1, 2, 3, 4), frame(true, Continuation, "world", 9, 8, 7, 6)...)
	for piece := 1; piece < 5; piece++ {
		d, got := NewDecoder(true), ""
		for rest := in; len(rest) > 0; {
			n := min(piece, len(rest))
			if err := d.Write(rest[:n], func(p *Piece) error { got += string(p.Payload); return nil }); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got != "hello world" {
			t.Errorf("%q", got)
		}
	}
	if err := NewDecoder(true).Write(frame(true, Text, "x"), func(*Piece) error { return nil }); err == nil {
		t.Error("a client's frame is not masked, and passes")
	}
	if b := CloseFrame(CodePolicy, strings.Repeat("é", 100)); len(b) != 2+124 {
		t.Errorf("%d %q", len(b), b)
	}
}

// What is decoded and put together again is what came, however it is cut.
func FuzzFrames(f *testing.F) {
	f.Add(frame(true, Text, `{"ssn":"x"}`), 1)
	f.Add(append(frame(false, Binary, "ab"), frame(true, Continuation, "c")...), 2)
	f.Add(frame(true, Close, "\x03\xe8bye"), 3)
	p := plan(f, mask.Spec{Name: "j", JSON: []string{"$..ssn"}, Opaque: mask.OpaqueAllow}, mask.Spec{Name: "t", Detectors: []string{"email"}, Opaque: mask.OpaqueAllow})
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		whole, err1 := masked(NewMasker(p, 0, nil), in, len(in)+1)
		parts, err2 := masked(NewMasker(p, 0, nil), in, 1+(piece&15))
		if (err1 == nil) != (err2 == nil) || !bytes.Equal(whole, parts) {
			t.Fatalf("in pieces it differs: %q %v, %q %v", whole, err1, parts, err2)
		}
		var again []byte
		d := NewDecoder(false)
		rest := len(in)
		err := d.Write(in, func(p *Piece) error {
			if p.First {
				again = p.Header.Append(again)
			}
			again = append(again, p.Payload...)
			return nil
		})
		if err == nil && !bytes.HasPrefix(in, again) {
			t.Fatalf("%q became %q (%d)", in, again, rest)
		}
		if out, err := masked(NewMasker(nil, 0, nil), whole, 3); err1 == nil && (err != nil || !bytes.Equal(out, whole)) {
			t.Fatalf("what comes out, %q, is not frames: %v", whole, err)
		}
	})
}
