package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
)

// TestStartupSettings: what SET may not do, the startup message may not do either.
func TestStartupSettings(t *testing.T) {
	d := direct(t)
	do(t, d, "drop role if exists other_role")
	do(t, d, "create role other_role")
	g := start(t, bundle(t, "- {name: all, verdict: allow, when: {verbs: [select, show]}}\n", ""))
	for extra, ok := range map[string]bool{
		"&role=other_role":                                               false,
		"&options=-c%20role%3Dother_role":                                false,
		"&options=-crole%3Dother_role":                                   false,
		"&options=--ROLE%3Dother_role":                                   false,
		"&options=-c%20geqo%3Don%20-c%20ro%5Cle%3Dother_role":            false,
		"&options=-c%20session-authorization%3Dother_role":               false,
		"&session_authorization=other_role":                              false,
		"&options=-O":                                                    false,
		"&options=-d%205":                                                false,
		"&options=-c":                                                    false,
		"&options=-c%20role":                                             false,
		"&log_statement=none":                                            false,
		"&local_preload_libraries=x":                                     false,
		"&row_security=off":                                              false,
		"&timezone=UTC&datestyle=ISO&extra_float_digits=2":               true,
		"&search_path=public&options=-c%20statement_timeout%3D5s":        true,
		"&options=--statement-timeout%3D5s%20-c%20search%5Fpath%3D%5C+x": true,
	} {
		c, err := pgx.Connect(ctxT(t), g.url(extra))
		if (err == nil) != ok {
			t.Errorf("%s: %v", extra, err)
		}
		if err == nil {
			var who string
			if err := c.QueryRow(ctxT(t), "select current_user").Scan(&who); err != nil || who == "other_role" {
				t.Error(extra, who, err)
			}
			c.Close(ctxT(t))
		}
	}
}

// TestNotificationsAreHidden: nobody knows of which columns a trigger makes a payload.
func TestNotificationsAreHidden(t *testing.T) {
	g := vault(t)
	do(t, direct(t), `create or replace function tell() returns trigger language plpgsql as $$ begin perform pg_notify('news', new.secret); return new; end $$;
create trigger tell after update on vault for each row execute function tell()`, pgx.QueryExecModeSimpleProtocol)
	c := g.connect(t, "")
	do(t, c, "listen news")
	do(t, c, "update vault set open = 'x' where id = 1")
	n, err := c.WaitForNotification(ctxT(t))
	if err != nil || n.Payload != "[redacted]" || n.Channel != "news" {
		t.Errorf("%+v %v", n, err)
	}
}

// TestReservedNames: the gateway's own names cannot be taken, or its refusals could be made to run something.
func TestReservedNames(t *testing.T) {
	g := vault(t)
	f := frontend(t, g)
	if got := answers(t, f, 3, parse("dragoman", "select 1"), syncNow, parse("", "select 1"), &pgproto3.Bind{DestinationPortal: "dragoman_refused"}, syncNow,
		query("select 1")); got != "E42622 ZIE42622 ZI[1]CZI" {
		t.Error(got)
	}
}

// TestHoldShowsWhatRuns: who approves an EXECUTE is shown what it executes, and approves that alone.
func TestHoldShowsWhatRuns(t *testing.T) {
	do(t, direct(t), "drop table if exists held_t; create table held_t(x int)")
	g := start(t, bundle(t, "- {name: ask, verdict: hold, approvers: [dba], when: {verbs: [delete], tables: [\"*.*\"]}}\n- {name: all, verdict: allow, when: {tables: [\"*.*\"]}}\n", ""))
	c := g.connect(t, "")
	seen := make(chan hold.Hold, 2)
	go func() {
		for range 2 {
			h := <-g.authz.asked
			seen <- h
			g.authz.decide(h.ID, check.HoldResponse{State: hold.Used, Digest: h.Digest})
		}
	}()
	do(t, c, "prepare tidy(int) as delete from held_t where x = $1", pgx.QueryExecModeSimpleProtocol)
	<-seen
	do(t, c, "execute tidy(1)", pgx.QueryExecModeSimpleProtocol)
	if h := <-seen; !strings.Contains(h.Action.Text, "execute tidy(1)") || !strings.Contains(h.Action.Text, "delete from held_t") {
		t.Errorf("%q", h.Action.Text)
	}
}

// TestUnknownNamesAreUnresolved: what runs under a name that was never seen is not merely an "execute".
func TestUnknownNamesAreUnresolved(t *testing.T) {
	g := start(t, bundle(t, "- {name: all, verdict: allow, when: {tables: [\"*.*\"]}}\n", ""))
	c := g.connect(t, "")
	for _, q := range []string{"execute nobody", "fetch all from nobody", "move 1 in nobody"} {
		_, err := c.Exec(ctxT(t), q, pgx.QueryExecModeSimpleProtocol)
		wantErr(t, err, "42501")
	}
}

// TestBytesInOtherEncodings: the same bytes are other names in another encoding.
func TestBytesInOtherEncodings(t *testing.T) {
	do(t, direct(t), "drop table if exists umlaut; create table umlaut(\"\u00e9\" text, \"\u00c3\u00a9\" text); insert into umlaut values ('open', 'hidden')")
	g := start(t, bundle(t, "- {name: all, verdict: allow, when: {tables: [\"*.*\"]}}\n", "- {name: secret, columns: [\"public.umlaut.\u00c3\u00a9\"]}\n"))
	f := frontend(t, g)
	if got := answers(t, f, 3, query("select upper(\"\u00e9\") from umlaut"), query("set client_encoding = latin1"), query("select upper(\"\u00e9\") from umlaut")); strings.Contains(got, "HIDDEN") || !strings.Contains(got, "[OPEN]") {
		t.Error(got)
	}
}
