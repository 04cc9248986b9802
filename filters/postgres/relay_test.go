package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

// guarded allows reading and inserting, blocks DROP, holds DELETE.
const guarded = `
- name: work
  verdict: allow
  when: {verbs: [select, insert, create, set, begin, commit, rollback, update, copy, show, listen, notify, declare, fetch, close, prepare, execute, deallocate, savepoint, values, alter, do]}
  features_allowed: [unresolved]
- name: no-drop
  verdict: block
  when: {verbs: [drop]}
  reason: Nobody drops.
  hint: Ask the owner.
- name: deletes
  verdict: hold
  when: {verbs: [delete]}
  approvers: [dba]
  timeout: 30s
  reason: Deletes need a second pair of eyes.
`

func TestBlockedSimple(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	_, err := c.Exec(ctxT(t), "drop table nothing")
	pe := wantErr(t, err, "42501")
	if !strings.Contains(pe.Detail, "rule: no-drop. Nobody drops.") || pe.Hint != "Ask the owner." {
		t.Errorf("%+v", pe)
	}
	// All or nothing.
	d := direct(t)
	do(t, d, "drop table if exists blocked_simple; create table blocked_simple(x int)")
	_, err = c.Exec(ctxT(t), "insert into blocked_simple values (1); drop table blocked_simple")
	wantErr(t, err, "42501")
	var n int
	if err := d.QueryRow(ctxT(t), "select count(*) from blocked_simple").Scan(&n); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	// The connection stays usable, and the transaction's state true.
	do(t, c, "begin")
	do(t, c, "insert into blocked_simple values (2)")
	_, err = c.Exec(ctxT(t), "drop table blocked_simple")
	wantErr(t, err, "42501")
	if s := c.PgConn().TxStatus(); s != 'T' {
		t.Fatalf("transaction state %c", s)
	}
	do(t, c, "commit")
	if err := d.QueryRow(ctxT(t), "select count(*) from blocked_simple").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
}

func TestBlockedExtended(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "")
	for range 2 {
		_, err := c.Exec(ctxT(t), "drop table nothing", pgx.QueryExecModeExec)
		wantErr(t, err, "42501")
		_, err = c.Exec(ctxT(t), "drop table nothing", pgx.QueryExecModeCacheStatement)
		wantErr(t, err, "42501")
	}
	var n int
	if err := c.QueryRow(ctxT(t), "select 1+1").Scan(&n); err != nil || n != 2 {
		t.Fatal(n, err)
	}
}

// TestBlockedInPipeline: an implicit transaction of which a later message is refused is rolled back, an
// explicit one goes on.
func TestBlockedInPipeline(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	d := direct(t)
	do(t, d, "drop table if exists pipe; create table pipe(x int)")
	c := g.connect(t, "").PgConn()
	count := func() (n int) {
		if err := d.QueryRow(ctxT(t), "select count(*) from pipe").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	run := func(list ...string) error {
		b := &pgconn.Batch{}
		for _, s := range list {
			b.ExecParams(s, nil, nil, nil, nil)
		}
		return c.ExecBatch(ctxT(t), b).Close()
	}
	wantErr(t, run("insert into pipe values (1)", "drop table pipe", "insert into pipe values (2)"), "42501")
	if n, s := count(), c.TxStatus(); n != 0 || s != 'I' {
		t.Fatalf("%d rows, state %c", n, s)
	}
	if err := run("insert into pipe values (3)", "insert into pipe values (4)"); err != nil || count() != 2 {
		t.Fatal(err, count())
	}
	if err := run("begin"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, run("insert into pipe values (5)", "drop table pipe"), "42501")
	if s := c.TxStatus(); s != 'T' {
		t.Fatalf("state %c", s)
	}
	if err := run("commit"); err != nil || count() != 3 {
		t.Fatal(err, count())
	}
	// A transaction that begins within the pipeline fails with it.
	wantErr(t, run("begin", "insert into pipe values (6)", "drop table pipe"), "42501")
	if s := c.TxStatus(); s != 'E' {
		t.Fatalf("state %c", s)
	}
	if err := run("rollback"); err != nil || count() != 3 {
		t.Fatal(err, count())
	}
}

// TestErrorOrder: our error comes after the answers to what was sent before.
func TestErrorOrder(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "")
	p := c.PgConn().Frontend()
	p.Send(&pgproto3.Parse{Query: "select pg_sleep(0.05), 7"})
	p.Send(&pgproto3.Bind{})
	p.Send(&pgproto3.Execute{})
	p.Send(&pgproto3.Sync{})
	p.Send(&pgproto3.Query{String: "drop table nothing"})
	p.Send(&pgproto3.Query{String: "select 8"})
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for ready := 0; ready < 3; {
		m, err := p.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.ParseComplete:
			got.WriteByte('1')
		case *pgproto3.BindComplete:
			got.WriteByte('2')
		case *pgproto3.RowDescription:
			got.WriteByte('T')
		case *pgproto3.DataRow:
			got.WriteByte('D')
		case *pgproto3.CommandComplete:
			got.WriteByte('C')
		case *pgproto3.ErrorResponse:
			got.WriteString("E" + m.Code)
		case *pgproto3.ReadyForQuery:
			got.WriteByte('Z')
			ready++
		}
	}
	if got.String() != "12DCZE42501ZTDCZ" {
		t.Fatal(got.String())
	}
}

// TestPolicyPushReachesLiveSessions, prepared statements too.
func TestPolicyPush(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "")
	var n int
	if err := c.QueryRow(ctxT(t), "select 1+$1::int", 1).Scan(&n); err != nil {
		t.Fatal(err)
	}
	g.push(t, bundle(t, "- {name: shut, verdict: block, reason: closed}", ""))
	err := c.QueryRow(ctxT(t), "select 1+$1::int", 1).Scan(&n)
	wantErr(t, err, "42501")
	g.push(t, bundle(t, guarded, ""))
	if err := c.QueryRow(ctxT(t), "select 1+$1::int", 1).Scan(&n); err != nil {
		t.Fatal(err)
	}
}

func TestHold(t *testing.T) {
	for _, mode := range []string{"simple_protocol", "exec", "cache_statement"} {
		t.Run(mode, func(t *testing.T) {
			g := start(t, bundle(t, guarded, ""))
			d := direct(t)
			do(t, d, "drop table if exists t; create table t(x int); insert into t values (1),(2),(3),(4)")
			notices := make(chan *pgconn.Notice, 8)
			cfg, err := pgx.ParseConfig(g.url("&default_query_exec_mode=" + mode))
			if err != nil {
				t.Fatal(err)
			}
			cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices <- n }
			c, err := pgx.ConnectConfig(ctxT(t), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(context.Background())
			del := func(x int) <-chan error {
				out := make(chan error, 1)
				go func() { _, err := c.Exec(ctxT(t), "delete from t where x = $1", x); out <- err }()
				return out
			}
			left := func() (n int) {
				if err := d.QueryRow(ctxT(t), "select count(*) from t").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}

			end := del(1)
			h := <-g.authz.asked
			if n := <-notices; !strings.Contains(n.Message, h.ID) || !strings.Contains(n.Hint, "dragoman approvals approve "+h.ID) {
				t.Errorf("%+v", n)
			}
			if left() != 4 || h.Digest == "" || h.Quorum != 1 || h.Approvers[0] != "dba" {
				t.Fatalf("%+v", h)
			}
			g.authz.decide(h.ID, check.HoldResponse{State: hold.Used, Digest: h.Digest})
			if err := <-end; err != nil || left() != 3 {
				t.Fatal(err, left())
			}

			end = del(2)
			h = <-g.authz.asked
			g.authz.decide(h.ID, check.HoldResponse{State: hold.Denied, Decisions: []hold.Decision{{By: identity.New("user:dana"), Reason: "not today"}}})
			pe := wantErr(t, <-end, "42501")
			if !strings.Contains(pe.Detail, "user:dana denied it: not today.") {
				t.Errorf("%+v", pe)
			}

			// An approval of other bytes is none.
			end = del(3)
			h = <-g.authz.asked
			g.authz.decide(h.ID, check.HoldResponse{State: hold.Used, Digest: "another"})
			wantErr(t, <-end, "42501")

			end = del(3)
			h = <-g.authz.asked
			g.authz.decide(h.ID, check.HoldResponse{State: hold.Expired})
			wantErr(t, <-end, "42501")

			// Policy that has turned to block meanwhile wins over an approval.
			end = del(3)
			h = <-g.authz.asked
			g.push(t, bundle(t, strings.NewReplacer("verdict: hold", "verdict: block", "  approvers: [dba]\n", "", "  timeout: 30s\n", "").Replace(guarded), ""))
			g.authz.decide(h.ID, check.HoldResponse{State: hold.Used, Digest: h.Digest})
			wantErr(t, <-end, "42501")
			if left() != 3 {
				t.Fatal(left())
			}
		})
	}
}

func TestHoldCancelAndDisconnect(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	do(t, direct(t), "drop table if exists t; create table t(x int)")
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	end := make(chan error, 1)
	go func() { _, err := c.Exec(ctxT(t), "delete from t"); end <- err }()
	<-g.authz.asked
	if err := c.PgConn().CancelRequest(ctxT(t)); err != nil {
		t.Fatal(err)
	}
	wantErr(t, <-end, "57014")
	do(t, c, "select 1")

	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, err := c.Exec(ctx, "delete from t"); end <- err }()
	<-g.authz.asked
	cancel() // pgx closes the connection
	<-end
	deadline := time.Now().Add(60 * time.Second)
	for g.rt.Sessions() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the session outlives its client")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestCancel(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "&default_query_exec_mode=simple_protocol")
	end := make(chan error, 1)
	go func() { _, err := c.Exec(ctxT(t), "select pg_sleep(100)"); end <- err }()
	runs(t, direct(t), "select pg_sleep(100)")
	// A wrong key does nothing.
	other := g.connect(t, "")
	secret := append([]byte(nil), c.PgConn().SecretKey()...)
	if bytes.Equal(secret, other.PgConn().SecretKey()) {
		t.Fatal("two sessions have the same key")
	}
	if err := other.PgConn().CancelRequest(ctxT(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-end:
		t.Fatal("another session's key cancelled it", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := c.PgConn().CancelRequest(ctxT(t)); err != nil {
		t.Fatal(err)
	}
	wantErr(t, <-end, "57014")
	do(t, c, "select 1")
}

func TestCopy(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	do(t, direct(t), "drop table if exists cp; create table cp(a int, b text)")
	c := g.connect(t, "")
	n, err := c.CopyFrom(ctxT(t), pgx.Identifier{"cp"}, []string{"a", "b"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) { return []any{i, strings.Repeat("x", i%300)}, nil }))
	if err != nil || n != 5000 {
		t.Fatal(n, err)
	}
	var buf bytes.Buffer
	if _, err := c.PgConn().CopyTo(ctxT(t), &buf, "copy cp to stdout"); err != nil || bytes.Count(buf.Bytes(), []byte("\n")) != 5000 {
		t.Fatal(err, buf.Len())
	}
	// A client that fails its COPY, and one whose data are wrong.
	_, err = c.PgConn().CopyFrom(ctxT(t), io.MultiReader(strings.NewReader("1\tx\n"), failing{}), "copy cp from stdin")
	if err == nil {
		t.Fatal("no error")
	}
	_, err = c.PgConn().CopyFrom(ctxT(t), strings.NewReader("one\tx\n"), "copy cp from stdin")
	wantErr(t, err, "22P02")
	var count int
	if err := c.QueryRow(ctxT(t), "select count(*) from cp").Scan(&count); err != nil || count != 5000 {
		t.Fatal(count, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("no more") }

// TestRowLimit: portals that are run in parts.
func TestRowLimit(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	c := g.connect(t, "")
	p := c.PgConn().Frontend()
	p.Send(&pgproto3.Query{String: "begin"})
	p.Send(&pgproto3.Parse{Name: "s", Query: "select generate_series(1, 5)"})
	p.Send(&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s"})
	for range 4 {
		p.Send(&pgproto3.Execute{Portal: "p", MaxRows: 2})
	}
	p.Send(&pgproto3.Close{ObjectType: 'P', Name: "p"})
	p.Send(&pgproto3.Sync{})
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for ready := 0; ready < 2; {
		m, err := p.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			got.WriteByte('D')
		case *pgproto3.PortalSuspended:
			got.WriteByte('s')
		case *pgproto3.CommandComplete:
			got.WriteByte('C')
		case *pgproto3.CloseComplete:
			got.WriteByte('3')
		case *pgproto3.ErrorResponse:
			t.Fatal(m.Message)
		case *pgproto3.ReadyForQuery:
			ready++
		}
	}
	if got.String() != "CDDsDDsDCC3" {
		t.Fatal(got.String())
	}
}

func TestPsql(t *testing.T) {
	g := start(t, bundle(t, guarded, ""))
	do(t, direct(t), "drop table if exists ps; create table ps(a int)")
	cmd := psql(g, `insert into ps values (1), (2);
select * from ps order by a;
drop table ps;
\copy ps from program 'echo 3'
begin; select 1; \;
select sum(a) from ps;
commit;
`)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"INSERT 0 2", "ERROR:  DROP on public.ps is refused by policy", "DETAIL:  rule: no-drop. Nobody drops.", "HINT:  Ask the owner.", "COPY 1", "  6"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func psql(g *gateway, script string) *osexec.Cmd { return psqlURL(g.url(""), script) }

func psqlURL(url, script string) *osexec.Cmd {
	cmd := osexec.Command("psql", "-X", "-d", url)
	cmd.Stdin = strings.NewReader(script)
	return cmd
}
