package rows

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/mask"
)

// pieces feeds a COPY's messages to a CopyStream in pieces of n bytes (0: as
// they come) and keeps the payload of what comes out.
type pieces struct {
	t       *testing.T
	c       *CopyStream
	n       int
	in, out bytes.Buffer
	masked  int
}

func (p *pieces) Write(b []byte) (int, error) {
	p.in.Write(b)
	for rest := b; len(rest) > 0; {
		n := len(rest)
		if p.n > 0 {
			n = min(n, p.n)
		}
		out, masked, err := p.c.Write(nil, rest[:n])
		if err != nil {
			return 0, err
		}
		p.masked += masked
		p.out.Write(payload(p.t, out))
		rest = rest[n:]
	}
	return len(b), nil
}

// payload takes the CopyData framing off.
func payload(t testing.TB, b []byte) (out []byte) {
	t.Helper()
	for len(b) > 0 {
		if len(b) < 5 || b[0] != 'd' || int(binary.BigEndian.Uint32(b[1:]))+1 > len(b) {
			t.Fatalf("bad CopyData % x", b)
		}
		n := int(binary.BigEndian.Uint32(b[1:])) + 1
		out = append(out, b[5:n]...)
		b = b[n:]
	}
	return out
}

var copyForms = []struct {
	with string
	opts CopyOptions
}{
	{"FORMAT text", CopyOptions{}},
	{"FORMAT text, DELIMITER '*', NULL '\\N', HEADER", CopyOptions{Delimiter: '*', Null: ptr(`\N`), Header: true}},
	{"FORMAT csv", CopyOptions{Format: CopyCSV}},
	{"FORMAT csv, HEADER, DELIMITER ';', QUOTE '''', NULL 'r'", CopyOptions{Format: CopyCSV, Header: true, Delimiter: ';', Quote: '\'', Null: ptr("r")}},
	{"FORMAT csv, ESCAPE '\\', FORCE_QUOTE *", CopyOptions{Format: CopyCSV, Escape: '\\'}},
	{"FORMAT binary", CopyOptions{Format: CopyBinary}},
}

func ptr(s string) *string { return &s }

// TestRealCopy copies a table of all types out, masks the stream, and loads it
// again into a table of the same types.
func TestRealCopy(t *testing.T) {
	dial := server(t)
	raw, c := dial(), dial()
	createTable(t, c)
	user := kinds(t, c)
	fields, _ := query(t, raw, 0)
	for _, form := range copyForms {
		for _, spec := range testSpecs {
			cols := maskers(t, spec, fields, user)
			for _, size := range []int{0, 1, 17} {
				name := fmt.Sprintf("%s/%s/%d", form.with, spec.Name, size)
				p := copyOut(t, c, name, form.opts, cols, size, "COPY t TO STDOUT WITH ("+form.with+")")
				if p.masked == 0 {
					t.Errorf("%s: nothing masked", name)
				}
				checkCopy(t, c, name, form.with, p.out.Bytes(), spec)
			}
		}
		same := copyOut(t, c, form.with, form.opts, maskers(t, mask.Spec{Detectors: []string{"iban"}}, fields, user), 3, "COPY t TO STDOUT WITH ("+form.with+")")
		if !bytes.Equal(same.in.Bytes(), same.out.Bytes()) || same.masked != 0 {
			t.Errorf("%s: changed where nothing was to be masked", form.with)
		}
	}
}

func copyOut(t *testing.T, c *pgconn.PgConn, name string, opts CopyOptions, cols Columns, size int, sql string) *pieces {
	t.Helper()
	s, err := NewCopyStream(opts, cols, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p := &pieces{t: t, c: s, n: size}
	if _, err := c.CopyTo(context.Background(), p, sql); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

func checkCopy(t *testing.T, c *pgconn.PgConn, name, with string, data []byte, spec mask.Spec) {
	t.Helper()
	run(t, c, "TRUNCATE back")
	with = strings.ReplaceAll(with, ", FORCE_QUOTE *", "")
	if _, err := c.CopyFrom(context.Background(), bytes.NewReader(data), "COPY back FROM STDIN WITH ("+with+")"); err != nil {
		t.Fatalf("%s: cannot be loaded: %v", name, err)
	}
	rows := run(t, c, "SELECT count(*), count(c10), min(c10), min(c0::text) FROM back")
	got := fmt.Sprintf("%s", rows[0])
	want := map[string]string{
		"redact": "[4 3 [redacted] false]", "null": "[4 0  ]", "partial": "[4 3 a***@example.com false]",
		"hash":   "[4 3 " + string(rows[0][2]) + " false]",
		"detect": "[4 3 [redacted] true]", "detect partial": "[4 3 a***@example.com true]", "detect null": "[4 0  true]",
		"detect hash": "[4 3 " + string(rows[0][2]) + " true]",
	}[spec.Name]
	if got != want {
		t.Errorf("%s: got %s, want %s", name, got, want)
	}
	if strings.HasSuffix(spec.Name, "hash") && !strings.HasPrefix(string(rows[0][2]), "hmac_") {
		t.Errorf("%s: %s", name, got)
	}
	if leaks := run(t, c, "SELECT string_agg(b::text, '|') FROM back b"); strings.Contains(string(leaks[0][0]), "alice@") {
		t.Errorf("%s: leaks: %s", name, leaks[0][0])
	}
}
