package postgres

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/record"
)

const (
	analysts = `
- name: read
  verdict: allow
  when: {verbs: [select, copy, declare, fetch, close, prepare, execute, deallocate, set, begin, commit, rollback, show, explain]}
- name: write
  verdict: allow
  when: {verbs: [insert, update, create, drop, alter]}
`
	masked = `
- name: email
  columns: [public.people.email]
  way: partial
- name: ssn
  columns: [public.people.ssn]
- name: n
  columns: [public.people.n]
- name: cards
  detectors: [card]
`
)

// people fills the table whose columns are masked, and a view of it.
func people(t *testing.T) {
	t.Helper()
	d := direct(t)
	do(t, d, "drop table if exists people cascade", pgx.QueryExecModeSimpleProtocol)
	do(t, d, `create table people(id int primary key, name text, email text, ssn text, n int, notes text);
insert into people select i, 'name ' || i, 'user' || i || '@example.com', '123-45-' || (6700 + i), 424200 + i, 'paid with 4111 1111 1111 1111' from generate_series(1, 5) i;
create view folk as select id as number, ssn as secret, upper(email) as mail from people`, pgx.QueryExecModeSimpleProtocol)
}

// raw runs a query and gives everything that the client is sent.
func raw(t *testing.T, c *pgx.Conn, mode pgx.QueryExecMode, sql string) string {
	t.Helper()
	rows, err := c.Query(ctxT(t), sql, mode)
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		for _, v := range rows.RawValues() {
			b.Write(v)
			b.WriteByte('|')
		}
	}
	if rows.Err() != nil {
		return rows.Err().Error()
	}
	return b.String()
}

func leaks(s string) bool {
	return strings.Contains(s, "123-45-67") || strings.Contains(s, "user1@") || strings.Contains(strings.ToLower(s), "user3@") || strings.Contains(s, "4242") ||
		strings.Contains(s, "4111 1111 1111 1111") || bytes.Contains([]byte(s), []byte{0, 6, 0x79})
}

func TestMasks(t *testing.T) {
	people(t)
	g := start(t, bundle(t, analysts, masked))
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheDescribe} {
		t.Run(mode.String(), func(t *testing.T) {
			c := g.connect(t, "")
			for _, q := range []string{
				"select * from people order by id",
				"select p.ssn as harmless, id from people p",
				"select upper(ssn) || 'x', n + 1 from people",
				"select * from folk",
				"select (select ssn from people where id = 1)",
				"with x as (select ssn s from people) select s from x union all select name from people",
				"select row_to_json(p) from people p",
				"select p from people p",
				"select json_agg(p) from people p",
				"select array_agg(ssn) from people",
				"select notes from people",
				"select max(n) from people",
			} {
				for range 2 {
					got := raw(t, c, mode, q)
					if leaks(got) {
						t.Errorf("%s: %q", q, got)
					}
				}
			}
			if got := raw(t, c, mode, "select name from people where id = 2"); got != "name 2|" {
				t.Errorf("%q", got)
			}
			if got := raw(t, c, mode, "select ssn from people where id = 2"); got != "[redacted]|" {
				t.Errorf("%q", got)
			}
			if got := raw(t, c, mode, "select id from people where ssn = '123-45-6701'"); !strings.Contains(got, "42501") {
				t.Errorf("%q", got)
			}
			c.Close(context.Background())
		})
	}
	for _, list := range g.records(t) {
		for _, f := range list {
			if f.Kind == record.KindResponse && leaks(string(f.Payload)) && !bytes.Contains(f.Payload, []byte("123-45-6701")) {
				t.Errorf("a masked value is in the record: %q", f.Payload)
			}
		}
	}
}

// TestMasksWithoutDescribe: a client that never asks what comes back gets masked rows all the same.
func TestMasksWithoutDescribe(t *testing.T) {
	people(t)
	g := start(t, bundle(t, analysts, masked))
	f := g.connect(t, "").PgConn().Frontend()
	for range 2 {
		if got := talk(t, f, &pgproto3.Parse{Query: "select ssn from people where id = 1"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}); got != "12[[redacted]]CZI" {
			t.Error(got)
		}
	}
	if got := talk(t, f, &pgproto3.Parse{Name: "s", Query: "select ssn from people where id = $1"}, &pgproto3.Sync{},
		&pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("1")}}, &pgproto3.Execute{},
		&pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("2")}}, &pgproto3.Execute{}, &pgproto3.Sync{}); got != "1ZI2[[redacted]]C2[[redacted]]CZI" {
		t.Error(got)
	}
}

func TestMasksOfCursorsAndPrepared(t *testing.T) {
	people(t)
	g := start(t, bundle(t, analysts, masked))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	do(t, c, "prepare p1 as select ssn, n from people where id = $1")
	for range 2 {
		if got := raw(t, c, pgx.QueryExecModeSimpleProtocol, "execute p1(1)"); got != "[redacted]|0|" {
			t.Errorf("%q", got)
		}
	}
	do(t, c, "deallocate p1")
	do(t, c, "prepare p1 as select name, id from people where id = $1")
	if got := raw(t, c, pgx.QueryExecModeSimpleProtocol, "execute p1(1)"); got != "name 1|1|" {
		t.Errorf("%q", got)
	}
	do(t, c, "begin")
	do(t, c, "declare cur cursor for select upper(ssn) from people")
	if got := raw(t, c, pgx.QueryExecModeSimpleProtocol, "fetch 2 from cur"); got != "[redacted]|[redacted]|" {
		t.Errorf("%q", got)
	}
	f := c.PgConn().Frontend()
	if got := talk(t, f, &pgproto3.Execute{Portal: "cur", MaxRows: 1}, &pgproto3.Sync{}); leaks(got) {
		t.Error(got)
	}
	do(t, c, "rollback")
	// Prepared by the protocol, executed by SQL.
	if got := talk(t, f, &pgproto3.Parse{Name: "p2", Query: "select ssn from people where id = 3"}, &pgproto3.Sync{}, &pgproto3.Query{String: "execute p2"}); !strings.Contains(got, "[[redacted]]") {
		t.Error(got)
	}
}

func TestMasksOfCopy(t *testing.T) {
	people(t)
	g := start(t, bundle(t, analysts, masked))
	c := g.connect(t, "")
	for _, q := range []string{"copy people to stdout", "copy people(ssn, id) to stdout csv header", "copy (select * from folk) to stdout (format csv, quote '''', delimiter ';')",
		"copy (select id, ssn, n, email, notes from people) to stdout binary", "copy (select upper(ssn), notes from people) to stdout"} {
		var buf bytes.Buffer
		_, err := c.PgConn().CopyTo(ctxT(t), &buf, q)
		if err != nil && asPgError(err) == nil {
			t.Fatal(q, err)
		}
		if leaks(buf.String()) {
			t.Errorf("%s: %q", q, buf.String())
		}
		if err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func TestMasksOfErrors(t *testing.T) {
	people(t)
	g := start(t, bundle(t, analysts, masked))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	for _, q := range []string{"select ssn::int from people", "select cast(ssn as date) from people", "insert into people select 1, 'x', email, ssn, n, notes from people"} {
		_, err := c.Exec(ctxT(t), q)
		if err == nil {
			t.Fatalf("%s: no error", q)
		}
		pe := asPgError(err)
		if pe == nil || leaks(pe.Message+pe.Detail+pe.Hint+pe.Where) {
			t.Errorf("%s: %+v", q, pe)
		}
	}
	// One's own mistakes stay readable.
	_, err := c.Exec(ctxT(t), "selec 1")
	if err == nil {
		t.Fatal("no error")
	}
}

// TestNamesFollowTheSession: what a name means changes with search_path, temporary tables and DDL, and
// masks follow.
func TestNamesFollowTheSession(t *testing.T) {
	people(t)
	d := direct(t)
	do(t, d, "drop schema if exists other cascade; create schema other; create table other.people(id int, ssn text); insert into other.people values (1, 'open')", pgx.QueryExecModeSimpleProtocol)
	g := start(t, bundle(t, analysts, masked))
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement} {
		c := g.connect(t, "")
		q := "select ssn from people where id = 1"
		if got := raw(t, c, mode, q); got != "[redacted]|" {
			t.Errorf("%q", got)
		}
		// Who drops other.people while the statement waits would make it mean public.people.
		do(t, c, "set search_path = other, public")
		if got := raw(t, c, mode, q); got != "[redacted]|" {
			t.Errorf("other before public: %q", got)
		}
		if got := raw(t, c, mode, "select ssn from other.people where id = 1"); got != "open|" {
			t.Errorf("qualified: %q", got)
		}
		do(t, c, "set search_path = other")
		if got := raw(t, c, mode, q); got != "open|" {
			t.Errorf("other: %q", got)
		}
		do(t, c, "begin")
		do(t, c, "set local search_path = public")
		if got := raw(t, c, mode, q); got != "[redacted]|" {
			t.Errorf("set local: %q", got)
		}
		do(t, c, "rollback")
		if got := raw(t, c, mode, q); got != "open|" {
			t.Errorf("after rollback: %q", got)
		}
		do(t, c, "reset search_path")
		do(t, c, "create temp table people as select 1 as id, 'temporary' as ssn")
		if got := raw(t, c, mode, q); got != "temporary|" {
			t.Errorf("temp: %q", got)
		}
		do(t, c, "drop table pg_temp.people")
		if got := raw(t, c, mode, q); got != "[redacted]|" {
			t.Errorf("after drop: %q", got)
		}
		// Somebody else makes a table, which is found when it is asked for. When it takes the place of one that was
		// known, its columns are unknown to the catalog at first, and hidden.
		do(t, d, "drop table if exists fresh; create table fresh(x text); insert into fresh values ('new')", pgx.QueryExecModeSimpleProtocol)
		if got := raw(t, c, mode, "select x from fresh"); got != "new|" && got != "[redacted]|" {
			t.Errorf("fresh: %q", got)
		}
		if got := raw(t, c, mode, "select x from fresh"); got != "new|" {
			t.Errorf("fresh: %q", got)
		}
		do(t, c, "begin")
		do(t, c, "create table mine(x int)")
		if got := raw(t, c, mode, "select count(*) from mine"); !strings.HasPrefix(got, "0|") && got != "\x00\x00\x00\x00\x00\x00\x00\x00|" {
			t.Errorf("own table: %q", got)
		}
		do(t, c, "rollback")
	}
}
