package form

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
)

func run(t testing.TB, p *mask.Plan, in string, piece, limit int) (string, int, error) {
	m := New(p, limit)
	var out []byte
	var err error
	for b := []byte(in); len(b) > 0 && err == nil; {
		n := min(piece, len(b))
		out, err = m.Write(out, bytes.Clone(b[:n]))
		b = b[n:]
	}
	if err == nil {
		out, err = m.Close(out)
	}
	return string(out), m.Masked(), err
}

func plan(t testing.TB) *mask.Plan {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{{Name: "f", Fields: []string{"ssn", "x-*"}}, {Name: "t", Detectors: []string{"email"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestForm(t *testing.T) {
	for in, want := range map[string]string{
		"a=1&ssn=2&b=3": "a=1&ssn=%5Bredacted%5D&b=3", "s%73n=2": "s%73n=%5Bredacted%5D", "X-1=a": "X-1=%5Bredacted%5D",
		"m=a%40b.example+c": "m=%5Bredacted%5D+c", "a@b.example=1": "%5Bredacted%5D=1", "&&=&a": "&&=&a", "ssn": "ssn",
	} {
		for _, piece := range []int{1, 100} {
			if got, _, err := run(t, plan(t), in, piece, 0); got != want || err != nil {
				t.Errorf("%s: %s %v", in, got, err)
			}
		}
	}
	got, n, err := run(t, plan(t), "a=1&b="+strings.Repeat("x", 1000)+"&c=2", 7, 100)
	if got != "a=1&b=%5Bredacted%5D&c=2" || n != 1 || err != nil {
		t.Errorf("%s %v", got, err)
	}
	if _, _, err = run(t, plan(t), strings.Repeat("x", 1000), 7, 100); err == nil {
		t.Error("an endless name passes")
	}
}

// In whatever pieces, the same; and net/url reads in it what it read before, but for what is masked.
func FuzzForm(f *testing.F) {
	f.Add("a=1&ssn=2&m=a%40b.example", 1)
	f.Add("%zz=%&+=+", 2)
	f.Fuzz(func(t *testing.T, in string, piece int) {
		p := plan(t)
		whole, n, err1 := run(t, p, in, len(in)+1, 0)
		parts, _, err2 := run(t, p, in, 1+(piece&15), 0)
		if (err1 == nil) != (err2 == nil) || err1 == nil && whole != parts {
			t.Fatalf("in pieces it differs: %q, %q", whole, parts)
		}
		if err1 != nil {
			return
		}
		if n == 0 && whole != in {
			t.Fatalf("%q became %q", in, whole)
		}
		before, err := url.ParseQuery(in)
		if err != nil {
			return
		}
		after, err := url.ParseQuery(whole)
		if err != nil || len(after) > len(before) {
			t.Fatalf("%q became %q: %v", in, whole, err)
		}
		for _, v := range after["ssn"] {
			if v != "[redacted]" && strings.Contains(whole, "ssn=") && v != "" {
				t.Fatalf("%q became %q", in, whole)
			}
		}
	})
}
