package rows

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/sql"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

// typed is a column of the test's table: a type and a value.
type typed struct{ typ, val string }

// everyType has each built-in type that a table's column can have, and some of a user's.
var everyType = []typed{
	{"bool", "true"}, {"int2", "-12"}, {"int4", "123456789"}, {"int8", "4111111111111111"}, {"float4", "1.5"}, {"float8", "-2.25e10"},
	{"numeric", "-123456.7800"}, {"numeric(12,2)", "1234567.89"}, {"numeric(3,3)", "0.123"}, {"money", "12.34"},
	{"text", "alice@example.com"}, {"varchar", "Bob, \"quoted\"\nand\ttabbed\\"}, {"varchar(6)", "secret"}, {"varchar(40)", "4111-1111-1111-1111"},
	{"bpchar", "abc"}, {"char(5)", "abc"}, {"char(30)", "alice@example.com"}, {"name", "alice@example.com"}, {`"char"`, "x"},
	{"bytea", `alice@example.com`}, {"date", "1970-05-05"}, {"time", "12:34:56.789"}, {"timetz", "12:34:56+02"},
	{"timestamp", "2020-02-02 02:02:02"}, {"timestamptz", "2020-02-02 02:02:02+00"}, {"interval", "1 year 2 days 03:04:05"},
	{"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"json", `{"mail": "alice@example.com", "card": 4111111111111111}`},
	{"jsonb", `{"mail": "alice\u0040example.com\n", "card": 4111111111111111}`}, {"xml", "<m>alice@example.com</m>"},
	{"inet", "192.168.1.1/24"}, {"inet", "::1"}, {"cidr", "10.0.0.0/8"}, {"macaddr", "08:00:2b:01:02:03"}, {"macaddr8", "08:00:2b:01:02:03:04:05"},
	{"oid", "4000000000"}, {"bit", "1"}, {"bit(11)", "10101010101"}, {"varbit", "1011"}, {"varbit(9)", "1011"},
	{"point", "(1,2)"}, {"line", "{1,2,3}"}, {"lseg", "[(1,2),(3,4)]"}, {"box", "(3,4),(1,2)"}, {"path", "[(1,2),(3,4)]"},
	{"polygon", "((1,2),(3,4),(5,0))"}, {"circle", "<(1,2),3>"}, {"tsvector", "'alice@example.com':1 'x':2"}, {"tsquery", "'alice@example.com' & 'x'"},
	{"jsonpath", `$."alice@example.com"`}, {"pg_lsn", "16/B374D848"}, {"xid8", "17"}, {"xid", "17"}, {"cid", "1"}, {"tid", "(4,2)"},
	{"regclass", "pg_class"}, {"regtype", "integer"}, {"regproc", "now"}, {"regprocedure", "now()"}, {"regoper", "pg_catalog.||/"}, {"regoperator", "+(integer,integer)"},
	{"regrole", "postgres"}, {"regnamespace", "pg_catalog"}, {"regconfig", "english"}, {"regdictionary", "simple"}, {"regcollation", "\"C\""}, {"refcursor", "cur"},
	{"int4range", "[1,5)"}, {"int8range", "[1,5)"}, {"numrange", "[1.5,2)"}, {"tsrange", "[2020-01-01,2021-01-01)"}, {"tstzrange", "[2020-01-01,2021-01-01)"}, {"daterange", "[2020-01-01,2021-01-01)"},
	{"int4multirange", "{[1,5)}"}, {"int8multirange", "{[1,5)}"}, {"nummultirange", "{[1,5)}"}, {"tsmultirange", "{[2020-01-01,2021-01-01)}"}, {"tstzmultirange", "{}"}, {"datemultirange", "{[2020-01-01,2021-01-01)}"},
	{"bool[]", "{t,f,NULL}"}, {"int4[]", "{1,2,3}"}, {"text[]", `{alice@example.com,"two words",NULL}`}, {"varchar(20)[]", "{abc}"}, {"jsonb[]", `{"{\"a\": \"alice@example.com\"}"}`},
	{"bytea[]", `{"alice@example.com"}`}, {"uuid[]", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"}, {"timestamptz[]", "{2020-01-01}"}, {"numeric[]", "{1.5}"}, {"inet[]", "{1.2.3.4}"}, {"int4range[]", `{"[1,5)"}`},
	{"int4multirange[]", `{"{[1,5)}"}`}, {"datemultirange[]", `{"{[2020-01-01,2021-01-01)}"}`}, {"money[]", "{1}"}, {"point[]", `{"(1,2)"}`}, {"pg_lsn[]", "{0/1}"}, {"xml[]", "{<a>x</a>}"}, {"jsonpath[]", "{$}"},
	{"mood", "happy"}, {"pair", "(1,alice@example.com)"}, {"mail", "alice@example.com"}, {"floatrange", "[1,2)"}, {"mood[]", "{happy}"},
}

const createTypes = `CREATE TYPE mood AS ENUM ('happy','sad'); CREATE TYPE pair AS (a int, b text);
	CREATE DOMAIN mail AS text; CREATE TYPE floatrange AS RANGE (subtype = float8);`

func createTable(t *testing.T, c *pgconn.PgConn) {
	t.Helper()
	var cols, vals []string
	for i, x := range everyType {
		cols = append(cols, fmt.Sprintf("c%d %s", i, x.typ))
		vals = append(vals, fmt.Sprintf("'%s'::%s", strings.ReplaceAll(x.val, "'", "''"), x.typ))
	}
	run(t, c, createTypes+"CREATE TABLE t ("+strings.Join(cols, ",")+"); CREATE TABLE back (LIKE t);"+
		"INSERT INTO t SELECT "+strings.Join(vals, ",")+" FROM generate_series(1,3); INSERT INTO t DEFAULT VALUES;")
}

// kinds tells mask what the user's types are, as a catalog would.
func kinds(t *testing.T, c *pgconn.PgConn) map[uint32]mask.Type {
	out := map[uint32]mask.Type{}
	for _, r := range run(t, c, "SELECT oid, typname, typtype, typcategory, typelem FROM pg_type WHERE oid >= 16384") {
		var oid, elem uint32
		fmt.Sscan(string(r[0]), &oid)
		fmt.Sscan(string(r[4]), &elem)
		x := mask.Type{OID: oid, Name: string(r[1])}
		switch {
		case string(r[2]) == "e":
			x.Kind = mask.KindEnum
		case string(r[2]) == "c":
			x.Kind = mask.KindComposite
		case string(r[2]) == "r":
			x.Kind = mask.KindRange
		case string(r[2]) == "m":
			x.Kind = mask.KindMultirange
		case string(r[3]) == "A":
			x.Kind, x.Elem = mask.KindArray, &mask.Type{OID: elem}
		}
		out[oid] = x
	}
	return out
}

func maskers(t *testing.T, spec mask.Spec, fields []pgproto3.FieldDescription, user map[uint32]mask.Type) Columns {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{spec}, testKey)
	if err != nil {
		t.Fatal(err)
	}
	cols := make(Columns, len(fields))
	for i, f := range fields {
		typ := mask.Type{OID: f.DataTypeOID, Typmod: f.TypeModifier}
		if u, ok := user[f.DataTypeOID]; ok {
			typ = u
		}
		cols[i] = p.Masker([]sql.Column{{Schema: "public", Table: "t", Name: string(f.Name)}}, true, false, typ)
	}
	return cols
}

// query gives the raw DataRows of SELECT * FROM t in the format.
func query(t *testing.T, c *pgconn.PgConn, format int16) (fields []pgproto3.FieldDescription, bodies [][]byte) {
	t.Helper()
	fe := c.Frontend()
	fe.SendParse(&pgproto3.Parse{Query: "SELECT * FROM t"})
	fe.SendBind(&pgproto3.Bind{ResultFormatCodes: []int16{format}})
	fe.SendDescribe(&pgproto3.Describe{ObjectType: 'P'})
	fe.SendExecute(&pgproto3.Execute{})
	fe.SendSync(&pgproto3.Sync{})
	if err := fe.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		msg, err := fe.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := msg.(type) {
		case *pgproto3.RowDescription:
			for _, f := range m.Fields {
				f.Name = bytes.Clone(f.Name)
				fields = append(fields, f)
			}
		case *pgproto3.DataRow:
			b, err := m.Encode(nil)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, b[5:])
		case *pgproto3.ErrorResponse:
			t.Fatalf("%+v", m)
		case *pgproto3.ReadyForQuery:
			return fields, bodies
		}
	}
}

var testSpecs = []mask.Spec{
	{Name: "redact", Columns: []string{"t.*"}},
	{Name: "null", Columns: []string{"t.*"}, Way: mask.WayNull},
	{Name: "partial", Columns: []string{"t.*"}, Way: mask.WayPartial},
	{Name: "hash", Columns: []string{"t.*"}, Way: mask.WayHash},
	{Name: "detect", Detectors: []string{"email", "card"}},
	{Name: "detect partial", Detectors: []string{"email", "card"}, Way: mask.WayPartial},
	{Name: "detect hash", Detectors: []string{"email", "card"}, Way: mask.WayHash},
	{Name: "detect null", Detectors: []string{"email", "card"}, Way: mask.WayNull},
}

// TestRealRows masks rows of all types from a real server, decodes them with pgx, and lets the
// server itself read each masked value with its type's input function.
func TestRealRows(t *testing.T) {
	dial := server(t)
	raw, check := dial(), dial()
	createTable(t, check)
	user := kinds(t, check)
	seen := map[string]string{} // spec and type: the masked value as text
	for format := int16(0); format <= 1; format++ {
		fields, bodies := query(t, raw, format)
		if len(fields) != len(everyType) || len(bodies) != 4 {
			t.Fatalf("%d fields, %d rows", len(fields), len(bodies))
		}
		for _, spec := range testSpecs {
			cols := maskers(t, spec, fields, user)
			for n, body := range bodies {
				out, masked, err := RewriteDataRow(nil, body, []int16{format}, cols)
				if err != nil {
					t.Fatal(err)
				}
				if streamed := stream(t, body, format, cols); masked > 0 && !bytes.Equal(streamed, out) {
					t.Fatalf("%s: the stream gives another row than RewriteDataRow", spec.Name)
				}
				if n == 3 {
					if masked != 0 {
						t.Fatalf("%s: %d NULLs changed", spec.Name, masked)
					}
					continue
				}
				if n == 0 {
					checkRow(t, check, fmt.Sprintf("%s/%d", spec.Name, format), fields, out, format, spec, seen)
				}
			}
		}
	}
}

func stream(t *testing.T, body []byte, format int16, cols Columns) (out []byte) {
	t.Helper()
	r, err := NewRowStream(len(body), []int16{format}, cols, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for len(body) > 0 {
		n := min(len(body), 7)
		if out, _, err = r.Write(out, body[:n]); err != nil {
			t.Fatal(err)
		}
		body = body[n:]
	}
	if !r.Done() {
		t.Fatal("the row is not done")
	}
	return out
}

func checkRow(t *testing.T, c *pgconn.PgConn, name string, fields []pgproto3.FieldDescription, msg []byte, format int16, spec mask.Spec, seen map[string]string) {
	t.Helper()
	var row pgproto3.DataRow
	if msg[0] != 'D' || int(binary.BigEndian.Uint32(msg[1:]))+1 != len(msg) {
		t.Fatalf("%s: header % x for %d bytes", name, msg[:5], len(msg))
	}
	if err := row.Decode(msg[5:]); err != nil {
		t.Fatal(err)
	}
	m := pgtype.NewMap()
	for i, v := range row.Values {
		if spec.Columns != nil && spec.Way != mask.WayNull && v == nil && !nullable(everyType[i].typ) {
			t.Errorf("%s: %s becomes NULL", name, everyType[i].typ)
		}
		if v == nil {
			continue
		}
		if spec.Way == mask.WayNull && spec.Columns != nil {
			t.Errorf("%s: %s is not NULL", name, everyType[i].typ)
		}
		for _, secret := range []string{"alice@", "4111111111111111", hexOf("alice@")} {
			if bytes.Contains(v, []byte(secret)) && !(spec.Columns == nil && fields[i].DataTypeOID == 20) {
				t.Errorf("%s: %s leaks: %q", name, everyType[i].typ, v)
			}
		}
		if pt, ok := m.TypeForOID(fields[i].DataTypeOID); ok {
			if _, err := pt.Codec.DecodeValue(m, fields[i].DataTypeOID, format, v); err != nil {
				t.Errorf("%s: pgx cannot decode %s %q: %v", name, everyType[i].typ, v, err)
			}
		}
		res := c.ExecParams(context.Background(), "SELECT $1::"+everyType[i].typ+"::text", [][]byte{v}, []uint32{fields[i].DataTypeOID}, []int16{format}, nil).Read()
		if res.Err != nil {
			t.Errorf("%s: the server cannot read %s %q: %v", name, everyType[i].typ, v, res.Err)
			continue
		}
		key, got := fmt.Sprint(spec.Name, i), string(res.Rows[0][0])
		if old, ok := seen[key]; ok && old != got && !strings.HasSuffix(everyType[i].typ, "[]") {
			t.Errorf("%s: %s is %q in text and %q in binary", name, everyType[i].typ, old, got)
		}
		seen[key] = got
	}
}

func hexOf(s string) string { return fmt.Sprintf("%x", s) }

// nullable are the types that have no constant to stand for a value.
func nullable(typ string) bool { return typ == "mood" || typ == "pair" }

// TestEveryBuiltinType lets the server read the redact constant of each type
// of its catalog, by OID, in both formats.
func TestEveryBuiltinType(t *testing.T) {
	c := server(t)()
	p, err := mask.Compile([]mask.Spec{{Columns: []string{"t.c"}}}, testKey)
	if err != nil {
		t.Fatal(err)
	}
	var null []string
	n := 0
	for _, r := range run(t, c, "SELECT oid, oid::regtype FROM pg_type WHERE typtype IN ('b','r','m') AND typrelid = 0 AND typisdefined AND typnamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = pg_type.oid AND e.typtype IN ('c','p')) ORDER BY 1") {
		var oid uint32
		fmt.Sscan(string(r[0]), &oid)
		m := p.Masker(secret, true, false, mask.Type{OID: oid})
		for format := int16(0); format <= 1; format++ {
			v, isNull := m.Whole([]byte{}, format == 1)
			if isNull {
				if format == 0 {
					null = append(null, string(r[1]))
				}
				continue
			}
			n++
			res := c.ExecParams(context.Background(), "SELECT $1::"+string(r[1])+"::text", [][]byte{v}, []uint32{oid}, []int16{format}, nil).Read()
			if res.Err != nil {
				t.Errorf("%s (%d): %q in format %d: %v", r[1], oid, v, format, res.Err)
			}
		}
	}
	if n < 250 {
		t.Errorf("only %d constants read", n)
	}
	t.Logf("%d constants read; NULL instead: %s", n, strings.Join(null, " "))
}
