package page

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
)

// given is one session of a protocol whose only action is there.
type given struct {
	*backend
	protocol string
	story    func() *story
}

func (g *given) Get(context.Context, string) (audit.Session, error) {
	return audit.Session{ID: tableID, Protocol: g.protocol, Live: true}, nil
}

func (g *given) Frames(context.Context, string) (api.Frames, error) {
	return &frames{g.story().list}, nil
}

// values are what a database may give in a column of text: the hostile, the long, the empty. shown is how their cells look.
var values = []struct {
	name  string
	value []byte // nil: NULL
	shown string // the cell's HTML
}{
	{"NULL", nil, "<i>NULL</i>"},
	{"empty", []byte{}, "<i>empty</i>"},
	{"the text NULL", []byte("NULL"), "NULL"},
	{"the text empty", []byte("empty"), "empty"},
	{"markup", []byte(`<script>alert(1)</script><img src=x onerror=alert(1)>"'&amp;`), html.EscapeString(`<script>alert(1)</script><img src=x onerror=alert(1)>"'&amp;`)},
	{"a closing cell", []byte("</td></tr></table><h1>x"), "&lt;/td&gt;&lt;/tr&gt;&lt;/table&gt;&lt;h1&gt;x"},
	{"direction controls", []byte("a\u202eb\u2066c\u2069\u200fd"), `a\u202eb\u2066c\u2069\u200fd`},
	{"a terminal's sequences", []byte("\x1b[2J\x1b]0;t\x07\u009b31m"), `\x1b[2J\x1b]0;t\x07\x9b31m`},
	{"control characters", []byte("\x00\x01\x7f\r"), `\x00\x01\x7f\r`},
	{"lines and tabs", []byte("one\n\ttwo"), "one\n\ttwo"},
	{"not UTF-8", []byte("\xff\xfe\x00"), `<span class="kind">bytes</span><code>fffe00</code>`},
	{"a long one", []byte(strings.Repeat("x", 1_000_000)), strings.Repeat("x", maxCell) + ` <span class="dim">… 1000000 bytes in all</span>`},
	{"a long one, not cut within a character", []byte("x" + strings.Repeat("\u4e16", 2000)), "x" + strings.Repeat("\u4e16", (maxCell-1)/3) + ` <span class="dim">… 6001 bytes in all</span>`},
	{"long bytes", []byte(strings.Repeat("\xff", 5000)), `<span class="kind">bytes</span><code>` + strings.Repeat("ff", maxCell/2) + `</code> <span class="dim">… 5000 bytes in all</span>`},
}

var cellOf = regexp.MustCompile(`(?s)<td[^>]*>(.*?)</td>`)

// cells are the HTML of those in the first table of results.
func cells(page string) (out []string) {
	_, page, _ = strings.Cut(page, `<table class="result">`)
	page, _, _ = strings.Cut(page, "</table>")
	for _, m := range cellOf.FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return out
}

// started begins a session with one statement. The column named secret is masked.
func started(protocol string) *story {
	s := newStory(protocol)
	s.act(action.Action{Kind: action.KindSQL, Text: "SELECT"}, mask.Spec{Name: "m", Columns: []string{"t.secret"}}, mask.Spec{Name: "d", Detectors: []string{"email"}, Way: mask.WayPartial})
	return s
}

// rowOf is a row with a value, and with a masked one.
func rowOf(v []byte) [][]byte { return [][]byte{v, []byte("0")} }

func pgFields(format int16) []pgproto3.FieldDescription {
	return []pgproto3.FieldDescription{{Name: []byte(hostile), DataTypeOID: 25, Format: format}, {Name: []byte("secret"), DataTypeOID: 25, Format: format}}
}

func askedOf(messages ...pgproto3.FrontendMessage) (out []byte) {
	for _, m := range messages {
		out, _ = m.Encode(out)
	}
	return out
}

// postgresText is a simple query's result, postgresBinary that of an Execute with binary formats.
func postgresText() *story {
	s := started("postgres")
	s.add(record.KindRequest, askedOf(&pgproto3.Query{String: "SELECT"}))
	s.add(record.KindResponse, wire(&pgproto3.RowDescription{Fields: pgFields(0)}))
	for _, v := range values {
		s.add(record.KindResponse, wire(&pgproto3.DataRow{Values: rowOf(v.value)}))
	}
	s.add(record.KindResponse, wire(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	return s
}

func postgresBinary() *story {
	s := started("postgres")
	s.add(record.KindRequest, askedOf(&pgproto3.Parse{Name: "p"}, &pgproto3.Describe{ObjectType: 'S', Name: "p"}, &pgproto3.Sync{}))
	s.add(record.KindResponse, wire(&pgproto3.ParseComplete{}, &pgproto3.ParameterDescription{}, &pgproto3.RowDescription{Fields: pgFields(0)}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	s.add(record.KindRequest, askedOf(&pgproto3.Bind{PreparedStatement: "p", ResultFormatCodes: []int16{1}}, &pgproto3.Execute{}, &pgproto3.Sync{}))
	s.add(record.KindResponse, wire(&pgproto3.BindComplete{}))
	for _, v := range values {
		s.add(record.KindResponse, wire(&pgproto3.DataRow{Values: rowOf(v.value)}))
	}
	s.add(record.KindResponse, wire(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	return s
}

// mysqlResult is a result of MySQL: of a query in text, of a prepared statement in binary.
func mysqlResult(s *story, command byte, columns []string, row func(seq byte, b []byte) []byte, rows int) {
	ask := append([]byte{command}, "SELECT"...)
	if command == mysqlwire.ComStmtExecute {
		ask = []byte{command, 1, 0, 0, 0, 0, 1, 0, 0, 0}
	}
	b, _ := mysqlwire.AppendPacket(nil, 0, ask)
	s.add(record.KindRequest, b)
	b, seq := mysqlwire.AppendPacket(nil, 1, mysqlwire.AppendLenenc(nil, uint64(len(columns))))
	packet := func(body []byte) { b, seq = mysqlwire.AppendPacket(b, seq, body) }
	for _, name := range columns {
		def := []byte("\x03def\x00\x00\x00")
		def = append(mysqlwire.AppendLenencString(def, name), 0, 0x0c, 0x2d, 0, 0, 1, 0, 0, 0xfd, 0, 0, 0, 0, 0)
		packet(def)
	}
	for i := range rows {
		packet(row(byte(i), nil))
	}
	packet([]byte{mysqlwire.HeadEOF, 0, 0, 2, 0, 0, 0})
	for len(b) > 0 { // as it comes in pieces
		n := min(len(b), 60_000)
		s.add(record.KindResponse, b[:n:n])
		b = b[n:]
	}
}

func mysqlText() *story {
	s := started("mysql")
	mysqlResult(s, mysqlwire.ComQuery, []string{hostile, "secret"}, func(i byte, b []byte) []byte {
		if v := values[i].value; v == nil {
			b = append(b, 0xfb)
		} else {
			b = mysqlwire.AppendLenencString(b, v)
		}
		return mysqlwire.AppendLenencString(b, "0")
	}, len(values))
	return s
}

func mysqlBinary() *story {
	s := started("mysql")
	mysqlResult(s, mysqlwire.ComStmtExecute, []string{hostile, "secret"}, func(i byte, b []byte) []byte {
		if v := values[i].value; v == nil {
			b = append(b, 0, 1<<2)
		} else {
			b = mysqlwire.AppendLenencString(append(b, 0, 0), v)
		}
		return mysqlwire.AppendLenencString(b, "0")
	}, len(values))
	return s
}

// TestResultsAsDelivered: what a database gave is a table of exactly those values, whatever is in them, in both formats of both protocols; what is
// masked is marked, and nothing but text comes of it.
func TestResultsAsDelivered(t *testing.T) {
	for name, of := range map[string]func() *story{"postgres": postgresText, "postgres, binary": postgresBinary, "mysql": mysqlText, "mysql, binary": mysqlBinary} {
		t.Run(name, func(t *testing.T) {
			protocol, _, _ := strings.Cut(name, ",")
			r := newRigWith(t, &given{&backend{}, protocol, func() *story {
				s := of()
				s.result(record.Result{Status: "ok", Rows: int64(len(values)), Masked: int64(len(values)), MaskedColumns: "2"})
				return s
			}})
			res, page := r.get(r.signedIn(api.Reader), "/sessions/"+tableID+"/actions/1")
			got := cells(page)
			if res.StatusCode != 200 || len(got) != 2*len(values) {
				t.Fatalf("%s: %d cells\n%.4000s", res.Status, len(got), page)
			}
			for i, v := range values {
				if got[2*i] != v.shown {
					t.Errorf("%s: %.300q, want %.300q", v.name, got[2*i], v.shown)
				}
				if want := `<mark title="masked">0</mark>`; got[2*i+1] != want {
					t.Errorf("%s: what is masked is %q", v.name, got[2*i+1])
				}
			}
			if !strings.Contains(page, "secret <mark>masked</mark>") || strings.Contains(page, "alert(1)&lt;/script&gt;&#34;&#39;&gt;&lt;img src=x onerror=alert(1)&gt;\\x1b[2J\\u202e <mark>") {
				t.Error("the columns that were masked are not marked, or others are")
			}
			for _, bad := range []string{"<script>alert", "<img src=x", "\x1b", "\u202e", "\u2066", "\u009b", "\x00", "<h1>x"} {
				if strings.Contains(page, bad) {
					t.Errorf("the page has %q", bad)
				}
			}
		})
	}
}

// TestTypedResults: values of PostgreSQL's binary format are shown as its text format has them, and as bytes where their type is not known.
func TestTypedResults(t *testing.T) {
	be := binary.BigEndian
	for _, c := range []struct {
		oid   uint32
		value []byte
		shown string
	}{
		{23, be.AppendUint32(nil, 1<<31), "-2147483648"}, {20, be.AppendUint64(nil, 1<<63-1), "9223372036854775807"}, {16, []byte{1}, "t"},
		{701, be.AppendUint64(nil, math.Float64bits(1.5)), "1.5"}, {17, []byte{0, 0xff}, `\x00ff`}, {3802, append([]byte{1}, `{"a":"<b>"}`...), "{&#34;a&#34;:&#34;&lt;b&gt;&#34;}"},
		{2950, []byte("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"), "01234567-89ab-cdef-0123-456789abcdef"},
		{999999, []byte("\x01<b>"), `<span class="kind">bytes</span><code>` + hex.EncodeToString([]byte("\x01<b>")) + "</code>"},
		{23, []byte("wrong length"), `<span class="kind">bytes</span><code>` + hex.EncodeToString([]byte("wrong length")) + "</code>"},
	} {
		s := started("postgres")
		s.add(record.KindResponse, wire(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("v"), DataTypeOID: c.oid, Format: 1}}}, &pgproto3.DataRow{Values: [][]byte{c.value}}))
		r := newRigWith(t, &given{&backend{}, "postgres", func() *story { return &story{list: slices.Clone(s.list)} }})
		_, page := r.get(r.signedIn(api.Reader), "/sessions/"+tableID+"/actions/1")
		if got := cells(page); len(got) != 1 || got[0] != c.shown {
			t.Errorf("type %d: %q, want %q", c.oid, got, c.shown)
		}
	}
}

// TestWideResults: with 1,000 columns a page stays small: it has as many rows as fit, and says how many more there are. A message that is
// too long to be taken apart is told, too.
func TestWideResults(t *testing.T) {
	fields, row := make([]pgproto3.FieldDescription, 1000), make([][]byte, 1000)
	names := make([]string, 1000)
	for i := range fields {
		names[i], row[i] = fmt.Sprint("column ", i), []byte(strings.Repeat("v", 50))
		fields[i] = pgproto3.FieldDescription{Name: []byte(names[i]), DataTypeOID: 25}
	}
	for name, fill := range map[string]func(*story){
		"postgres": func(s *story) {
			s.add(record.KindResponse, wire(&pgproto3.RowDescription{Fields: fields}))
			for range 100 {
				s.add(record.KindResponse, wire(&pgproto3.DataRow{Values: row}))
			}
			s.add(record.KindResponse, wire(&pgproto3.DataRow{Values: [][]byte{make([]byte, 5<<20)}}))
		},
		"mysql": func(s *story) {
			mysqlResult(s, mysqlwire.ComQuery, names, func(_ byte, b []byte) []byte {
				for _, v := range row {
					b = mysqlwire.AppendLenencString(b, v)
				}
				return b
			}, 100)
		},
	} {
		r := newRigWith(t, &given{&backend{}, name, func() *story { s := started(name); fill(s); return s }})
		_, page := r.get(r.signedIn(api.Reader), "/sessions/"+tableID+"/actions/1")
		if got := cells(page); len(got) != maxCells || strings.Count(page, "<th>column ") != 1000 || !strings.Contains(page, "80 more rows;") || len(page) > 8<<20 {
			t.Errorf("%s: %d cells, %d bytes", name, len(got), len(page))
		}
		if name == "postgres" && !strings.Contains(page, "long message D") {
			t.Error("a long message is not told")
		}
	}
}
