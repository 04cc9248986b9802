package rows

import (
	"bytes"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
)

// FuzzDataRow: the stream and the whole agree, and never panic.
func FuzzDataRow(f *testing.F) {
	f.Add(row([]byte("x"), []byte("a@b.com"), nil), byte(3), byte(0))
	f.Add(row([]byte("x"), []byte("y"), []byte("z")), byte(1), byte(1))
	f.Add([]byte{0, 3, 0, 0, 0, 9}, byte(2), byte(2))
	cols := Columns{detector(f), nil, masker(f, mask.Spec{Columns: []string{"t.c"}, Way: mask.WayHash}, mask.TextType)}
	f.Fuzz(func(t *testing.T, body []byte, size, format byte) {
		formats := []int16{int16(format % 2)}
		out, masked, err := Limits{Value: 32}.RewriteDataRow(nil, body, formats, cols)
		r, serr := NewRowStream(len(body), formats, cols, Limits{Value: 32})
		var got []byte
		streamed := 0
		for rest := body; serr == nil && len(rest) > 0; {
			n := min(len(rest), int(size)%9+1)
			var m int
			got, m, serr = r.Write(got, rest[:n])
			streamed += m
			rest = rest[n:]
		}
		if serr == nil && !r.Done() {
			t.Fatal("neither an error nor done")
		}
		if (err == nil) != (serr == nil) {
			t.Fatalf("whole: %v, stream: %v", err, serr)
		}
		if err != nil {
			return
		}
		if masked == 0 {
			out = message(body)
		}
		if masked != streamed || !bytes.Equal(out, got) {
			t.Fatalf("whole %d %q, stream %d %q", masked, out, streamed, got)
		}
	})
}

// FuzzCopy: how the stream is cut does not matter, and where nothing is masked
// nothing changes.
func FuzzCopy(f *testing.F) {
	f.Add([]byte("a\tb\\tc\n\\N\ta@b.com\n"), byte(0), byte(1))
	f.Add([]byte("a,\"b\n\"\"\"\n,\"\"\n"), byte(1), byte(3))
	f.Add([]byte("a,'b\\''\n"), byte(2), byte(3))
	f.Add([]byte(binSignature+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff\xff\xff"), byte(3), byte(5))
	opts := []CopyOptions{{}, {Format: CopyCSV}, {Format: CopyCSV, Quote: '\'', Escape: '\\', Header: true}, {Format: CopyBinary}}
	det := Columns{detector(f), redactor(f)}
	idle := masker(f, mask.Spec{Detectors: []string{"jwt"}}, mask.TextType)
	f.Fuzz(func(t *testing.T, in []byte, form, size byte) {
		o := opts[int(form)%len(opts)]
		whole, werr := copyAll(t, o, det, Limits{Value: 40}, in, len(in)+1)
		parts, perr := copyAll(t, o, det, Limits{Value: 40}, in, int(size)%7+1)
		if (werr == nil) != (perr == nil) || werr == nil && !bytes.Equal(whole, parts) {
			t.Fatalf("whole %q %v, parts %q %v", whole, werr, parts, perr)
		}
		if bytes.Contains(in, []byte("eyJ")) {
			return
		}
		if same, err := copyAll(t, o, Columns{idle, idle}, Limits{}, in, int(size)%5+1); err == nil && !bytes.Equal(same, in) {
			t.Fatalf("%q became %q", in, same)
		}
	})
}

func copyAll(t *testing.T, o CopyOptions, cols Columns, l Limits, in []byte, size int) ([]byte, error) {
	s, err := NewCopyStream(o, cols, l)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for len(in) > 0 && err == nil {
		n := min(size, len(in))
		out, _, err = s.Write(out, in[:n])
		in = in[n:]
	}
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		return nil, err
	}
	return payload(t, out), nil
}

func BenchmarkDataRow(b *testing.B) {
	vals := [][]byte{[]byte("12345"), []byte("Alice Example"), []byte("alice@example.com"), []byte("123-45-6789"), []byte("a few words about the customer, nothing more")}
	p := func(s mask.Spec) *mask.Masker { return masker(b, s, mask.TextType) }
	partial, red, det := p(mask.Spec{Columns: []string{"t.c"}, Way: mask.WayPartial}), redactor(b), detector(b)
	for _, c := range []struct {
		name string
		cols Columns
	}{
		{"nothing", make(Columns, 5)},
		{"columns", Columns{nil, nil, partial, red, nil}},
		{"columns and detectors", Columns{nil, det, partial, red, det}},
		{"detectors without a find", Columns{nil, det, nil, nil, det}},
	} {
		b.Run(c.name, func(b *testing.B) {
			body, dst := row(vals...), make([]byte, 0, 1024)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				dst, _, _ = RewriteDataRow(dst[:0], body, nil, c.cols)
			}
		})
	}
}

func BenchmarkCopyText(b *testing.B) {
	line := []byte("12345\tAlice Example\talice@example.com\t123-45-6789\ta few words about the customer\n")
	s, _ := NewCopyStream(CopyOptions{}, Columns{nil, nil, redactor(b), redactor(b), nil}, Limits{})
	dst := make([]byte, 0, 1024)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		dst, _, _ = s.Write(dst[:0], line)
	}
}
