package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/pgserver"
)

// wireTalk sends messages at once and gives what comes back up to the n-th ReadyForQuery, the end of the session or
// of its patience.
func wireTalk(t *testing.T, url string, n int, patience time.Duration, list ...pgproto3.FrontendMessage) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	c.PgConn().Conn().SetDeadline(time.Now().Add(patience))
	f := c.PgConn().Frontend()
	for _, m := range list {
		f.Send(m)
	}
	var b strings.Builder
	if err := f.Flush(); err != nil {
		return "closed"
	}
	for n > 0 {
		m, err := f.Receive()
		if err != nil {
			return b.String() + "closed"
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			fmt.Fprintf(&b, "%s\n", m.Values)
		case *pgproto3.ErrorResponse:
			fmt.Fprintf(&b, "E%s %s\n", m.Code, m.Message)
		case *pgproto3.ReadyForQuery:
			n--
		}
	}
	return b.String()
}

// TestProtocolAttacks: an agent that writes its own messages, through Envoy.
func TestProtocolAttacks(t *testing.T) {
	g, _, port := bypassGateway(t, pgserver.Newest)
	url := fmt.Sprintf("postgres://agent:%s@127.0.0.1:%d/corpus?sslmode=disable", g.token("writers"), port)
	const secret, open = "SELECT upper(ssn), reverse(card) FROM customers WHERE id = 1", "SELECT upper(name), lower(name) FROM customers"
	long := strings.Repeat("n", 63)
	parse := func(name, text string) pgproto3.FrontendMessage { return &pgproto3.Parse{Name: name, Query: text} }
	bind := func(name string) pgproto3.FrontendMessage { return &pgproto3.Bind{PreparedStatement: name} }
	query := func(text string) pgproto3.FrontendMessage { return &pgproto3.Query{String: text} }
	execute, sync := &pgproto3.Execute{}, &pgproto3.Sync{}
	data := &pgproto3.CopyData{Data: []byte("x\n")}
	for name, list := range map[string][]pgproto3.FrontendMessage{
		"queries skipped after an error": {parse("", "SELECT id + 'x' FROM orders"), query(open), query(open), query(open), sync, query(secret)},
		"queries among COPY data":        {query("COPY archive FROM STDIN"), query(open), query(open), query(secret)},
		"Sync among COPY data": {parse("", "COPY archive FROM STDIN"), bind(""), execute, sync, data, sync, data, sync,
			&pgproto3.CopyFail{}, sync, query(open), query(open), query(secret)},
		"names cut off": {parse(long+"1", open), sync, &pgproto3.Close{ObjectType: 'S', Name: long + "2"}, sync, parse(long+"2", secret), sync,
			bind(long + "1"), execute, sync},
		"a name used again while it is bound": {parse("a", open), bind("a"), &pgproto3.Close{ObjectType: 'S', Name: "a"}, parse("a", secret), bind("a"), execute, sync},
		"a portal bound again":                {parse("a", open), parse("b", secret), bind("a"), bind("b"), execute, sync},
		"the unnamed statement gone":          {parse("", secret), query(open), bind(""), execute, sync},
		"binary after text":                   {parse("a", secret), bind("a"), execute, &pgproto3.Bind{PreparedStatement: "a", ResultFormatCodes: []int16{1, 0}}, execute, sync},
		"an error at the end":                 {parse("a", secret), bind("a"), execute, bind("no such"), sync, bind("a"), execute, sync},
		"one format for a column too few":     {parse("a", secret), &pgproto3.Bind{PreparedStatement: "a", ResultFormatCodes: []int16{1, 1, 1}}, execute, sync},
	} {
		out := wireTalk(t, url, 20, 2*time.Second, list...)
		if l := leak(out); l != "" {
			t.Errorf("LEAK %s: %s\n%s", name, l, out)
		}
	}
}

// TestDeepTexts: no text ends Envoy by its depth or its size.
func TestDeepTexts(t *testing.T) {
	g, _, port := bypassGateway(t, pgserver.Newest)
	url := fmt.Sprintf("postgres://agent:%s@127.0.0.1:%d/corpus?sslmode=disable", g.token("writers"), port)
	r := strings.Repeat
	for _, n := range []int{1000, 4000, 30000, 200000} {
		for _, text := range []string{"SELECT " + r("(", n) + "1" + r(")", n), "SELECT " + r("- ", n) + "1", "SELECT 1" + r("+1", n), "SELECT " + r("not ", n) + "true",
			r("EXPLAIN ", n) + "SELECT 1", "SELECT " + r("CASE WHEN true THEN 1 ELSE ", n) + "1" + r(" END", n), "SELECT 1" + r(" UNION SELECT 1", n),
			"SELECT " + r("(SELECT ", n) + "1" + r(")", n), "SELECT '{}'::json" + r("->'a'", n), "SELECT 1 FROM " + r("(", n) + "orders" + r(")", n),
			r("/*", n) + r("*/", n) + "SELECT 1", "SELECT ARRAY" + r("[", n) + "1" + r("]", n), "SELECT 1" + r("::int", n), r("WITH a AS (", n) + "SELECT 1" + r(") SELECT 1", n)} {
			wireTalk(t, url, 1, time.Minute, &pgproto3.Query{String: text})
		}
	}
	if out := wireTalk(t, url, 1, time.Minute, &pgproto3.Query{String: "SELECT 4711"}); !strings.Contains(out, "4711") {
		t.Error(out)
	}
	if strings.Contains(g.log.String(), "envoy ended") {
		t.Errorf("Envoy ended:\n%s", g.log)
	}
}
