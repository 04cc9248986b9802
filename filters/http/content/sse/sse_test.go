package sse

import (
	"bytes"
	"strings"
	"testing"

	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/internal/mask"
)

// events decodes in pieces, each event in its plainest form.
func events(in string, piece, limit int) (out []string, err error) {
	d := NewDecoder(limit)
	do := func(e *Event) error { out = append(out, string(e.Append(nil))); return nil }
	for b := []byte(in); len(b) > 0 && err == nil; {
		n := min(piece, len(b))
		err = d.Write(bytes.Clone(b[:n]), do)
		b = b[n:]
	}
	if err == nil {
		err = d.Close(do)
	}
	return out, err
}

// The examples of the standard, and its corners.
func TestDecoder(t *testing.T) {
	for in, want := range map[string]string{
		"data: YHOO\ndata: +2\ndata: 10\n\n":                        "data: YHOO\ndata: +2\ndata: 10\n\n",
		": test stream\n\ndata: first event\nid: 1\n\ndata\nid\n\n": ": test stream\n\n|id: 1\ndata: first event\n\n|id: \ndata: \n\n",
		"data:test\n\ndata: test\n\n":                               "data: test\n\n|data: test\n\n",
		"data:  two\r\n\r\ndata:x\rdata:y\r\r":                      "data:  two\n\n|data: x\ndata: y\n\n",
		"\xEF\xBB\xBFdata: x\n\n":                                   "data: x\n\n",
		"event: a\nevent: b\nretry: 10\nfoo: bar\ndata: x\n\n":      "event: b\nretry: 10\ndata: x\n\n",
		"\n\n\n":           "",
		"data: not ended":  "data: not ended\n",
		"data: a\n\ndata:": "data: a\n\n|data: \n",
	} {
		for piece := 1; piece < 6; piece++ {
			got, err := events(in, piece, 0)
			if err != nil || strings.Join(got, "|") != want {
				t.Errorf("%q in pieces of %d: %q %v", in, piece, got, err)
			}
		}
	}
	if _, err := events("data: "+strings.Repeat("x", 100), 7, 50); err == nil {
		t.Error("an event without end passes")
	}
}

// In whatever pieces, the same events; and what is given out is read as the same again.
func FuzzEvents(f *testing.F) {
	f.Add("data: {\"ssn\":1}\n\n: c\nid: 7\r\rdata:a@b.example\r\n\r\n", 1)
	f.Add("\xEF\xBB\xBFevent:x\ndata\ndata: \n\n", 3)
	p, err := mask.Compile([]mask.Spec{{Name: "j", JSON: []string{"$..ssn"}, Opaque: mask.OpaqueAllow}, {Name: "t", Detectors: []string{"email"}}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string, piece int) {
		whole, err1 := events(in, len(in)+1, 0)
		parts, err2 := events(in, 1+(piece&15), 0)
		if (err1 == nil) != (err2 == nil) || strings.Join(whole, "|") != strings.Join(parts, "|") {
			t.Fatalf("in pieces it differs: %q %v, %q %v", whole, err1, parts, err2)
		}
		again, err := events(strings.Join(whole, ""), 5, 0)
		if err != nil || strings.Join(again, "") != strings.Join(whole, "") {
			t.Fatalf("%q is read as %q, %v", whole, again, err)
		}
		m := NewMasker(p, 0, jsonbody.Limits{})
		out, err := m.Write(nil, []byte(in))
		if err == nil {
			out, err = m.Close(out)
		}
		if err == nil && m.Masked() == 0 && string(out) != strings.Join(whole, "") {
			t.Fatalf("nothing was masked, and %q became %q", whole, out)
		}
	})
}
