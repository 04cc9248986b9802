package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// vault is a gateway before a table of which one column is masked.
func vault(t *testing.T) *gateway {
	t.Helper()
	do(t, direct(t), "drop table if exists vault; create table vault(id int, open text, secret text); insert into vault values (1, 'shown', 'hidden')")
	return start(t, bundle(t, everything, "- {name: secret, columns: [public.vault.secret]}\n"))
}

// frontend is a session whose messages a test writes itself.
func frontend(t *testing.T, g *gateway) *pgproto3.Frontend {
	return g.connect(t, "").PgConn().Frontend()
}

// answers sends messages and gives what comes back up to the n-th ReadyForQuery, or the end of the session.
func answers(t *testing.T, f *pgproto3.Frontend, n int, list ...pgproto3.FrontendMessage) string {
	t.Helper()
	for _, m := range list {
		f.Send(m)
	}
	if err := f.Flush(); err != nil {
		return "closed"
	}
	var b strings.Builder
	for n > 0 {
		m, err := f.Receive()
		if err != nil {
			return b.String() + "closed"
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			for _, v := range m.Values {
				b.WriteString("[" + string(v) + "]")
			}
		case *pgproto3.ErrorResponse:
			b.WriteString("E" + m.Code + " ")
		case *pgproto3.ReadyForQuery:
			b.WriteString("Z" + string(m.TxStatus))
			n--
		case *pgproto3.CommandComplete:
			b.WriteByte('C')
		}
	}
	return b.String()
}

func query(s string) pgproto3.FrontendMessage { return &pgproto3.Query{String: s} }
func parse(name, s string) pgproto3.FrontendMessage {
	return &pgproto3.Parse{Name: name, Query: s}
}
func bind(name string) pgproto3.FrontendMessage { return &pgproto3.Bind{PreparedStatement: name} }

var (
	execute = &pgproto3.Execute{}
	syncNow = &pgproto3.Sync{}
)

const (
	harmlessText = "select upper(open) from vault"
	secretText   = "select upper(secret) from vault"
)

// TestQueriesAfterError: the target skips simple queries, too, after an error in the extended protocol. If they
// stayed in the account, their masks would be applied to the rows of later ones.
func TestQueriesAfterError(t *testing.T) {
	g := vault(t)
	f := frontend(t, g)
	got := answers(t, f, 1, parse("", "select nonsense"), query(harmlessText), query(harmlessText), query(harmlessText), syncNow)
	got += answers(t, f, 1, query(secretText))
	if strings.Contains(got, "HIDDEN") {
		t.Fatal("LEAK: ", got)
	}
	if got != "E42703 ZI[[redacted]]CZI" {
		t.Error(got)
	}
	// The messages after the error may also come late.
	f = frontend(t, g)
	f.Send(parse("", "select nonsense"))
	f.Send(&pgproto3.Flush{})
	if got := answers(t, f, 0); got != "" {
		t.Fatal(got)
	}
	if m, err := f.Receive(); err != nil {
		t.Fatal(err)
	} else if _, ok := m.(*pgproto3.ErrorResponse); !ok {
		t.Fatal(m)
	}
	got = answers(t, f, 1, bind(""), execute, query(harmlessText), query(harmlessText), syncNow)
	got += answers(t, f, 1, query(secretText))
	if got != "ZI[[redacted]]CZI" {
		t.Error(got)
	}
}

// TestLongNames: the target cuts names off after 63 bytes, so that two names are one.
func TestLongNames(t *testing.T) {
	g := vault(t)
	long := strings.Repeat("n", 63)
	f := frontend(t, g)
	got := answers(t, f, 4, parse(long+"1", harmlessText), syncNow, &pgproto3.Close{ObjectType: 'S', Name: long + "2"}, syncNow,
		parse(long+"2", secretText), syncNow, bind(long+"1"), execute, syncNow)
	if strings.Contains(got, "HIDDEN") {
		t.Fatal("LEAK: ", got)
	}
	f = frontend(t, g)
	portal := func(stmt, name string) pgproto3.FrontendMessage {
		return &pgproto3.Bind{PreparedStatement: stmt, DestinationPortal: name}
	}
	got = answers(t, f, 1, parse("a", harmlessText), parse("b", secretText), portal("a", long+"1"), &pgproto3.Close{ObjectType: 'P', Name: long + "2"},
		portal("b", long+"2"), &pgproto3.Execute{Portal: long + "1"}, syncNow)
	if strings.Contains(got, "HIDDEN") {
		t.Fatal("LEAK: ", got)
	}
}

// TestNamesInOtherEncodings: a name that is not ASCII is another one as soon as the client's encoding changes.
func TestNamesInOtherEncodings(t *testing.T) {
	g := vault(t)
	f := frontend(t, g)
	got := answers(t, f, 6, parse("\u00e9", harmlessText), syncNow, query("set client_encoding = latin1"), &pgproto3.Close{ObjectType: 'S', Name: "\xe9"}, syncNow,
		parse("\xe9", secretText), syncNow, query("set client_encoding = utf8"), bind("\u00e9"), execute, syncNow)
	if strings.Contains(got, "HIDDEN") {
		t.Fatal("LEAK: ", got)
	}
	f = frontend(t, g)
	got = answers(t, f, 5, query("prepare \"\u00e9\" as "+secretText), query("set client_encoding = latin1"), query("prepare \"\u00e9\" as "+harmlessText),
		query("set client_encoding = utf8"), query("execute \"\u00e9\""))
	if strings.Contains(got, "HIDDEN") {
		t.Fatal("LEAK: ", got)
	}
}

// TestQueryDuringCopy: a query that comes while the target takes COPY data.
func TestQueryDuringCopy(t *testing.T) {
	g := vault(t)
	f := frontend(t, g)
	got := answers(t, f, 2, query("copy vault from stdin"), query(harmlessText), query(harmlessText))
	got += answers(t, f, 1, query(secretText))
	if strings.Contains(got, "HIDDEN") {
		t.Fatal("LEAK: ", got)
	}
	f = frontend(t, g)
	got = answers(t, f, 2, parse("", "copy vault from stdin"), bind(""), execute, query(harmlessText), query(harmlessText), syncNow)
	got += answers(t, f, 1, query(secretText))
	if strings.Contains(got, "HIDDEN") {
		t.Fatal("LEAK: ", got)
	}
}

// TestSyncAmongCopyData: the target skips a Sync that comes while it takes COPY data and answers one that comes
// after the COPY has failed; which of both it is must not depend on a race.
func TestSyncAmongCopyData(t *testing.T) {
	g := vault(t)
	for _, early := range []bool{true, false} {
		f := frontend(t, g)
		list := []pgproto3.FrontendMessage{parse("", "copy vault from stdin"), bind(""), execute}
		if early {
			list = append(list, syncNow)
		}
		for range 3 {
			list = append(list, &pgproto3.CopyData{Data: []byte("not a number\n")}, syncNow)
		}
		got := answers(t, f, 1, append(list, query(harmlessText), query(harmlessText), query(harmlessText))...)
		got += answers(t, f, 1, query(secretText))
		if strings.Contains(got, "HIDDEN") {
			t.Fatal("LEAK: ", got)
		}
	}
	// A well-behaved client: Sync with the Execute, data, the end, Sync.
	f := frontend(t, g)
	got := answers(t, f, 1, parse("", "copy vault from stdin"), bind(""), execute, syncNow, &pgproto3.CopyData{Data: []byte("2\ta\tb\n")}, &pgproto3.CopyDone{}, syncNow)
	if got != "CZI" {
		t.Error(got)
	}
	got = answers(t, f, 1, parse("", "copy vault from stdin"), bind(""), execute, syncNow, &pgproto3.CopyData{Data: []byte("x\n")}, &pgproto3.CopyDone{}, syncNow)
	if got != "E22P02 ZI" {
		t.Error(got)
	}
	got = answers(t, f, 3, query("copy vault from stdin; select 1; copy vault from stdin"), &pgproto3.CopyData{Data: []byte("3\ta\tb\n")}, &pgproto3.CopyDone{},
		&pgproto3.CopyData{Data: []byte("4\ta\tb\n")}, &pgproto3.CopyDone{}, query("select count(*) from vault"), query("copy vault from stdin"), &pgproto3.CopyFail{Message: "no"})
	if got != "C[1]CCZI[4]CZIE57014 ZI" {
		t.Error(got)
	}
}
