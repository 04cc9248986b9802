package rows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/sql"
)

var secret = []sql.Column{{Schema: "s", Table: "t", Name: "c"}}

func masker(t testing.TB, spec mask.Spec, typ mask.Type) *mask.Masker {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{spec}, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return p.Masker(secret, true, false, typ)
}

// row makes a DataRow's body; nil is NULL.
func row(vals ...[]byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(vals)))
	for _, v := range vals {
		n := uint32(len(v))
		if v == nil {
			n--
		}
		b = append(binary.BigEndian.AppendUint32(b, n), v...)
	}
	return b
}

func message(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{'D'}, uint32(len(body)+4)), body...)
}

func redactor(t testing.TB) *mask.Masker {
	return masker(t, mask.Spec{Columns: []string{"t.c"}}, mask.TextType)
}

func detector(t testing.TB) *mask.Masker {
	return masker(t, mask.Spec{Detectors: []string{"email", "card", "us_ssn"}}, mask.TextType)
}

func TestRewriteDataRow(t *testing.T) {
	r, d := redactor(t), detector(t)
	null := masker(t, mask.Spec{Columns: []string{"t.c"}, Way: mask.WayNull}, mask.TextType)
	red := []byte("[redacted]")
	for _, c := range []struct {
		name     string
		in, want [][]byte
		cols     Columns
		masked   int
	}{
		{"one", [][]byte{[]byte("x")}, [][]byte{red}, Columns{r}, 1},
		{"among others", [][]byte{[]byte("a"), []byte("x"), nil}, [][]byte{[]byte("a"), red, nil}, Columns{nil, r, nil}, 1},
		{"null stays", [][]byte{nil, []byte("b")}, nil, Columns{r, nil}, 0},
		{"to null", [][]byte{[]byte("b"), []byte("c")}, [][]byte{nil, []byte("c")}, Columns{null, nil}, 1},
		{"empty", [][]byte{{}}, [][]byte{red}, Columns{r}, 1},
		{"detector without a find", [][]byte{[]byte("b"), []byte("c")}, nil, Columns{d, d}, 0},
		{"find last", [][]byte{[]byte("b"), []byte("to a@b.com!")}, [][]byte{[]byte("b"), []byte("to [redacted]!")}, Columns{d, d}, 1},
		{"find first", [][]byte{[]byte("a@b.com"), []byte("b"), nil, []byte("c")}, [][]byte{red, []byte("b"), nil, []byte("c")}, Columns{d, d, d, d}, 1},
		{"no masks", [][]byte{[]byte("b")}, nil, Columns{nil}, 0},
	} {
		prefix := []byte("before")
		out, masked, err := RewriteDataRow(prefix, row(c.in...), nil, c.cols)
		want := []byte("before")
		if c.want != nil {
			want = append(want, message(row(c.want...))...)
		}
		if err != nil || masked != c.masked || !bytes.Equal(out, want) {
			t.Errorf("%s: got %q %d %v, want %q", c.name, out, masked, err, want)
		}
	}
}

func TestDataRowErrors(t *testing.T) {
	cols := Columns{redactor(t), nil}
	good := row([]byte("abc"), []byte("d"))
	for _, c := range []struct {
		name    string
		body    []byte
		formats []int16
		want    error
	}{
		{"empty", nil, nil, ErrMalformed},
		{"one byte", []byte{0}, nil, ErrMalformed},
		{"fewer columns", row([]byte("a")), nil, ErrFields},
		{"more columns", row(nil, nil, nil), nil, ErrFields},
		{"cut", good[:len(good)-1], nil, ErrMalformed},
		{"cut length", good[:4], nil, ErrMalformed},
		{"trailing", append(bytes.Clone(good), 0), nil, ErrMalformed},
		{"length -2", []byte{0, 2, 255, 255, 255, 254, 255, 255, 255, 255}, nil, ErrMalformed},
		{"length over", []byte{0, 2, 127, 255, 255, 255, 255, 255, 255, 255}, nil, ErrMalformed},
		{"formats", good, []int16{0, 1, 0}, ErrFields},
		{"format 2", good, []int16{2}, ErrMalformed},
	} {
		out, masked, err := RewriteDataRow([]byte("x"), c.body, c.formats, cols)
		if !errors.Is(err, c.want) || masked != 0 || string(out) != "x" {
			t.Errorf("%s: got %q %d %v", c.name, out, masked, err)
		}
		r, err := NewRowStream(len(c.body), c.formats, cols, Limits{})
		if err == nil {
			_, _, err = r.Write(nil, c.body)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: the stream gives %v", c.name, err)
		}
	}
}

func TestValueLimit(t *testing.T) {
	long := bytes.Repeat([]byte("a"), 100)
	l := Limits{Value: 64}
	hash := masker(t, mask.Spec{Columns: []string{"t.c"}, Way: mask.WayHash}, mask.TextType)
	for _, m := range []*mask.Masker{hash, detector(t), redactor(t)} {
		body := row([]byte("x"), long)
		out, masked, err := l.RewriteDataRow(nil, body, nil, Columns{nil, m})
		if want := message(row([]byte("x"), []byte("[redacted]"))); err != nil || masked != 1 || !bytes.Equal(out, want) {
			t.Errorf("got %q %d %v", out, masked, err)
		}
		r, _ := NewRowStream(len(body), nil, Columns{nil, m}, l)
		got, _, err := r.Write(nil, body)
		if err != nil || !bytes.Equal(got, out) {
			t.Errorf("the stream gives %q %v", got, err)
		}
		for _, f := range []CopyFormat{CopyText, CopyCSV} {
			c, err := NewCopyStream(CopyOptions{Format: f}, Columns{m}, l)
			if err != nil {
				t.Fatal(err)
			}
			out, masked, err := c.Write(nil, append(bytes.Clone(long), '\n'))
			if err != nil || masked != 1 || string(payload(t, out)) != "[redacted]\n" {
				t.Errorf("COPY: got %q %d %v", out, masked, err)
			}
		}
	}
}

// TestRowStreamMemory sends a row of 256 MiB through; only what is before the last masked
// column's end may be held.
func TestRowStreamMemory(t *testing.T) {
	const big = 256 << 20
	head := append(binary.BigEndian.AppendUint32(nil, 6), "secret"...)
	head = binary.BigEndian.AppendUint32(head, big)
	head = append([]byte{0, 2}, head...)
	piece := bytes.Repeat([]byte("z"), 1<<20)
	for _, cols := range []Columns{{redactor(t), nil}, {nil, nil}} {
		r, err := NewRowStream(len(head)+big, nil, cols, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		buf, total := make([]byte, 0, 2<<20), 0
		out, masked, err := r.Write(buf, head)
		for n := 0; n < big && err == nil; n += len(piece) {
			total += len(out)
			var m int
			out, m, err = r.Write(buf[:0], piece)
			masked += m
			if len(r.held) > 1024 || cap(out) > 2<<20 {
				t.Fatalf("%d bytes held, %d out", len(r.held), cap(out))
			}
		}
		total += len(out)
		want := headerSize + len(head) + big
		if cols.Any() {
			want += len("[redacted]") - len("secret")
		}
		if err != nil || !r.Done() || total != want || masked != btoi(cols.Any()) {
			t.Errorf("%d bytes of %d, %d masked, %v", total, want, masked, err)
		}
	}
	// The other way round the big value would have to be held.
	r, _ := NewRowStream(big, nil, Columns{nil, redactor(t)}, Limits{})
	_, _, err := r.Write(nil, append([]byte{0, 2}, binary.BigEndian.AppendUint32(nil, big-12)...))
	for n := 0; n < 64 && err == nil; n++ {
		_, _, err = r.Write(nil, piece)
	}
	if !errors.Is(err, ErrRowTooLarge) || r.held != nil {
		t.Errorf("got %v", err)
	}
	// A masked value is dropped, not held.
	r, _ = NewRowStream(6+big, nil, Columns{redactor(t)}, Limits{})
	out, _, err := r.Write(nil, append([]byte{0, 1}, binary.BigEndian.AppendUint32(nil, big)...))
	for n := 0; n < big && err == nil; n += len(piece) {
		out, _, err = r.Write(out, piece)
	}
	if want := message(row([]byte("[redacted]"))); err != nil || !bytes.Equal(out, want) {
		t.Errorf("got %.60q %v", out, err)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestCopyErrors(t *testing.T) {
	r := redactor(t)
	sig := binSignature + "\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		name string
		opts CopyOptions
		in   string
		want error
	}{
		{"fewer", CopyOptions{}, "a\n", ErrFields},
		{"more", CopyOptions{}, "a\tb\tc\n", ErrFields},
		{"end in a row", CopyOptions{}, "a\tb", ErrMalformed},
		{"end in an escape", CopyOptions{}, "\\", ErrMalformed},
		{"fewer csv", CopyOptions{Format: CopyCSV}, "a\n", ErrFields},
		{"more csv", CopyOptions{Format: CopyCSV}, "a,b,c\n", ErrFields},
		{"end in quotes", CopyOptions{Format: CopyCSV}, "a,\"b\n", ErrMalformed},
		{"header csv", CopyOptions{Format: CopyCSV, Header: true}, "a\nb,c\n", ErrFields},
		{"signature", CopyOptions{Format: CopyBinary}, strings.Replace(sig, "COPY", "cOPY", 1), ErrMalformed},
		{"has oids", CopyOptions{Format: CopyBinary}, binSignature + "\x00\x01\x00\x00\x00\x00\x00\x00", ErrMalformed},
		{"extension", CopyOptions{Format: CopyBinary}, binSignature + "\x00\x00\x00\x00\x7f\x00\x00\x00", ErrMalformed},
		{"fewer binary", CopyOptions{Format: CopyBinary}, sig + "\x00\x01", ErrFields},
		{"length -2", CopyOptions{Format: CopyBinary}, sig + "\x00\x02\xff\xff\xff\xfe", ErrMalformed},
		{"no trailer", CopyOptions{Format: CopyBinary}, sig, ErrMalformed},
		{"after the trailer", CopyOptions{Format: CopyBinary}, sig + "\xff\xffx", ErrMalformed},
		{"end in a value", CopyOptions{Format: CopyBinary}, sig + "\x00\x02\x00\x00\x00\x04ab", ErrMalformed},
	} {
		s, err := NewCopyStream(c.opts, Columns{r, nil}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for i := 0; i < len(c.in) && err == nil; i++ {
			out, _, err = s.Write(out, []byte{c.in[i]})
		}
		if err == nil {
			err = s.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	for _, null := range []string{"secret", "se"} { // what is no value's form only in the agent's hope
		s, err := NewCopyStream(CopyOptions{Null: &null}, Columns{r, nil}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := s.Write(nil, []byte("secret\tb\nse\tc\n\\N\td\n"))
		if err != nil || strings.Contains(string(out), "se") {
			t.Errorf("null string %q: %q %v", null, out, err)
		}
	}
	hashed := masker(t, mask.Spec{Columns: []string{"t.c"}, Way: mask.WayHash}, mask.TextType)
	if _, err := NewCopyStream(CopyOptions{Null: ptr("guess")}, Columns{hashed}, Limits{}); !errors.Is(err, ErrNull) {
		t.Error("a guess is hashed", err)
	}
	for _, o := range []CopyOptions{{Encoding: "sjis"}, {Encoding: "GB18030"}, {Format: CopyCSV, Encoding: "Big5"}, {Delimiter: '\n'}, {Format: 9}, {Format: CopyCSV, Delimiter: '"'}, {Null: ptr("a\tb")}} {
		if _, err := NewCopyStream(o, Columns{r}, Limits{}); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestCopyBinaryExtension(t *testing.T) {
	in := binSignature + "\x00\x00\x00\x00\x00\x00\x00\x03ext" + "\x00\x01\x00\x00\x00\x02ab" + "\x00\x01\xff\xff\xff\xff" + "\xff\xff"
	s, _ := NewCopyStream(CopyOptions{Format: CopyBinary}, Columns{redactor(t)}, Limits{})
	out, n, err := s.Write(nil, []byte(in))
	want := strings.Replace(in, "\x02ab", "\x0a[redacted]", 1)
	if got := string(payload(t, out)); got != want || n != 1 || err != nil || s.Close() != nil {
		t.Errorf("got %q %d %v", got, n, err)
	}
}
