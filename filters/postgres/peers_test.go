package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// TestMessagesAfterAnError: between an error and the Sync the target skips everything, also what the client sends
// after it has seen the error.
func TestMessagesAfterAnError(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	f := g.connect(t, "").PgConn().Frontend()
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.Parse{Query: "select 1/0"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Flush{},
	} {
		f.Send(m)
	}
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := f.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			if e.Code != "22012" {
				t.Fatal(e.Code)
			}
			break
		}
	}
	got := talk(t, f, &pgproto3.Parse{Query: "select 3"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Flush{}, &pgproto3.Sync{},
		&pgproto3.Parse{Query: "select 5"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	if want := "ZI12[5]CZI"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestReadingTheCatalogLeavesNoTrace: the gateway's own reading within a transaction keeps no lock on what
// views stand on, and its failure neither fails the transaction nor hinders the next reading.
func TestReadingTheCatalogLeavesNoTrace(t *testing.T) {
	d := direct(t)
	do(t, d, "drop table if exists trace_base, trace_new cascade; create table trace_base(x int); create view trace_view as select x from trace_base")
	t.Cleanup(func() { d.Exec(context.Background(), "drop table if exists trace_base, trace_new cascade") })
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	do(t, c, "begin")
	do(t, c, "create table trace_new(x int)")
	do(t, c, "select count(*) from trace_new")
	var locks int
	if err := d.QueryRow(ctxT(t), "select count(*) from pg_locks where relation = 'trace_base'::regclass").Scan(&locks); err != nil || locks != 0 {
		t.Errorf("%d locks of a table that the session has not touched; %v", locks, err)
	}
	do(t, d, "begin; lock table pg_catalog.pg_inherits") // our own query needs it, the client's do not
	do(t, c, "alter table trace_new add y int; set local lock_timeout = '50ms'")
	do(t, c, "select 1")
	do(t, d, "rollback")
	do(t, c, "commit")
	if s := c.PgConn().TxStatus(); s != 'I' {
		t.Errorf("transaction state %c", s)
	}
	var held string
	if err := c.QueryRow(ctxT(t), "select coalesce(string_agg(name, ','), '') from pg_prepared_statements").Scan(&held); err != nil || held != "" {
		t.Errorf("prepared statements %q, %v", held, err)
	}
}

// TestLockedTableBehindAView: who has a table for himself alone does not make everybody wait whose names must be read.
func TestLockedTableBehindAView(t *testing.T) {
	d := direct(t)
	do(t, d, "drop table if exists locked_base cascade; create table locked_base(x int); create view locked_view as select x from locked_base")
	t.Cleanup(func() { d.Exec(context.Background(), "rollback; drop table if exists locked_base cascade") })
	do(t, d, "begin; lock table locked_base")
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "")
	if do(t, c, "set lock_timeout = '2s'; select 1").RowsAffected() != 1 {
		t.Error("no row")
	}
}

// TestChangeRightAfterReading: what somebody else changes at the target just after the catalog was read is
// noticed within catalogAge, as any other change.
func TestChangeRightAfterReading(t *testing.T) {
	d := direct(t)
	do(t, d, "drop view if exists late_view; drop table if exists late_secret, late_open; create table late_secret(x int); create table late_open(x int)")
	do(t, d, "create view late_view as select x from late_open")
	t.Cleanup(func() {
		d.Exec(context.Background(), "drop view if exists late_view; drop table if exists late_secret, late_open")
	})
	g := start(t, bundle(t, guarded+`
- name: no-secrets
  verdict: block
  when: {tables: [public.late_secret]}
`, ""))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	do(t, c, "select * from late_view")
	do(t, d, "create or replace view late_view as select x from late_secret")
	time.Sleep(catalogAge + 500*time.Millisecond)
	_, err := c.Exec(ctxT(t), "select * from late_view")
	wantErr(t, err, "42501")
}
