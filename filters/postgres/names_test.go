package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// talk sends messages at once and gives the answers as letters, values of rows in brackets, codes of errors.
func talk(t *testing.T, f *pgproto3.Frontend, list ...pgproto3.FrontendMessage) string {
	t.Helper()
	ready := 0
	for _, m := range list {
		switch m.(type) {
		case *pgproto3.Sync, *pgproto3.Query:
			ready++
		}
		f.Send(m)
	}
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for ready > 0 {
		m, err := f.Receive()
		if err != nil {
			t.Fatalf("%v after %s", err, b.String())
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			fmt.Fprintf(&b, "[%s]", m.Values[0])
		case *pgproto3.ErrorResponse:
			b.WriteString("E" + m.Code + " ")
		case *pgproto3.ReadyForQuery:
			b.WriteString("Z" + string(m.TxStatus))
			ready--
		case *pgproto3.ParseComplete:
			b.WriteByte('1')
		case *pgproto3.BindComplete:
			b.WriteByte('2')
		case *pgproto3.CloseComplete:
			b.WriteByte('3')
		case *pgproto3.CommandComplete:
			b.WriteByte('C')
		case *pgproto3.NoData:
			b.WriteByte('n')
		}
	}
	return b.String()
}

// TestSkippedParse: a name keeps its old meaning when the target skips the message that would change it,
// and is judged by what it really means.
func TestSkippedParse(t *testing.T) {
	rules := guarded + `
- name: no-secrets
  verdict: block
  when: {tables: [public.secret]}
`
	g := start(t, bundle(t, rules, ""))
	do(t, direct(t), "drop table if exists secret, open_t; create table secret(x int); insert into secret values (666); create table open_t(x int); insert into open_t values (1)")
	f := g.connect(t, "").PgConn().Frontend()
	parse := func(name, sql string) pgproto3.FrontendMessage { return &pgproto3.Parse{Name: name, Query: sql} }
	bind := func(name string) pgproto3.FrontendMessage { return &pgproto3.Bind{PreparedStatement: name} }
	execute, sync := &pgproto3.Execute{}, &pgproto3.Sync{}

	// s is what may be read; a second Parse of the name fails at the target.
	if got := talk(t, f, parse("s", "select x from open_t"), sync, parse("s", "select 2"), sync, bind("s"), execute, sync); got != "1ZIE42P05 ZI2[1]CZI" {
		t.Error(got)
	}
	// The unnamed statement survives when its replacement is skipped.
	if got := talk(t, f, parse("", "select 3"), sync, bind("nothing"), parse("", "select 4"), sync, bind(""), execute, sync); got != "1ZIE26000 ZI2[3]CZI" {
		t.Error(got)
	}
	// A Close that is skipped leaves the name.
	if got := talk(t, f, bind("nothing"), &pgproto3.Close{ObjectType: 'S', Name: "s"}, sync, bind("s"), execute, sync); got != "E26000 ZI2[1]CZI" {
		t.Error(got)
	}
	if got := talk(t, f, &pgproto3.Close{ObjectType: 'S', Name: "s"}, parse("s", "select 5"), bind("s"), execute, sync); got != "312[5]CZI" {
		t.Error(got)
	}
	// What is blocked at Parse never gets the name.
	if got := talk(t, f, parse("evil", "select x from secret"), bind("evil"), execute, sync, bind("evil"), execute, sync); got != "E42501 ZIE26000 ZI" {
		t.Error(got)
	}
}

func TestDescribeAndFlush(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	f := g.connect(t, "").PgConn().Frontend()
	f.Send(&pgproto3.Parse{Query: "select $1::int8"})
	f.Send(&pgproto3.Describe{ObjectType: 'S'})
	f.Send(&pgproto3.Flush{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ParseComplete", "ParameterDescription", "RowDescription"} {
		m, err := f.Receive()
		if err != nil || !strings.HasSuffix(fmt.Sprintf("%T", m), want) {
			t.Fatalf("%T %v", m, err)
		}
	}
	if got := talk(t, f, &pgproto3.Bind{Parameters: [][]byte{[]byte("12")}}, &pgproto3.Execute{}, &pgproto3.Sync{}); got != "2[12]CZI" {
		t.Error(got)
	}
	// A refusal comes at a Flush, too.
	f.Send(&pgproto3.Parse{Query: "drop table nothing"})
	f.Send(&pgproto3.Flush{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	m, err := f.Receive()
	if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Code != "42501" {
		t.Fatalf("%+v %v", m, err)
	}
	if got := talk(t, f, &pgproto3.Sync{}, &pgproto3.Query{String: ""}); got != "ZIZI" {
		t.Error(got)
	}
}

func TestFunctionCallIsRefused(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	f := g.connect(t, "").PgConn().Frontend()
	f.Send(&pgproto3.FunctionCall{Function: 1598, ResultFormatCode: 0})
	if got := talk(t, f, &pgproto3.Query{String: "select 1"}); got != "E42501 ZI" {
		t.Error(got)
	}
}

func TestProtocolViolationsEndTheSession(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	for name, b := range map[string][]byte{"unknown type": {'!', 0, 0, 0, 4}, "bad length": {'Q', 0, 0, 0, 1}, "long Sync": {'S', 0, 0, 1, 0},
		"malformed Bind": {'B', 0, 0, 0, 5, 1}, "second password": {'p', 0, 0, 0, 5, 0}} {
		c := g.connect(t, "").PgConn()
		if _, err := c.Conn().Write(b); err != nil {
			t.Fatal(err)
		}
		m, err := c.Frontend().Receive()
		if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Severity != "FATAL" || e.Code != "08P01" {
			t.Errorf("%s: %+v %v", name, m, err)
		}
		if _, err := c.Frontend().Receive(); err == nil {
			t.Errorf("%s: the session goes on", name)
		}
	}
}

func TestStatementTooLong(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	long := "select '" + strings.Repeat("x", 2<<20) + "'"
	_, err := c.Exec(ctxT(t), long)
	wantErr(t, err, "54000")
	do(t, c, "select 1")
	c = g.connect(t, "&default_query_exec_mode=exec")
	_, err = c.Exec(ctxT(t), long)
	wantErr(t, err, "54000")
	do(t, c, "select 1")
	var n int
	if err := c.QueryRow(ctxT(t), "select length($1)", strings.Repeat("y", 20<<20)).Scan(&n); err != nil || n != 20<<20 {
		t.Fatal(n, err)
	}
}
