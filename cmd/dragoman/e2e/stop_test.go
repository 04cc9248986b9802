package e2e

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestEndedSessionStops: what a session runs when it ends is cancelled at the target, and does not commit later.
func TestEndedSessionStops(t *testing.T) {
	t.Run("plain", func(t *testing.T) { stops(t, clientsRig(t, pgserver.Newest, clientsRules)) })
	t.Run("tls", func(t *testing.T) {
		server := newAuthority(t, "targets").issue("db", "db.test")
		db := postgres(t, pgserver.Newest, pgserver.Options{TLSCert: server.Cert, TLSKey: server.Key, HBA: "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256"})
		execSQL(t, db, "postgres", "CREATE DATABASE clients")
		execSQL(t, db, "clients", clientsSQL)
		stops(t, startRig(t, db, clientsRules, "tls: {upstream: {mode: require}}", "audit: {durability: fsync}"))
	})
}

// slowInsert writes a row when it has slept.
const slowInsert = "INSERT INTO work (who, v) SELECT 'stopped', 'late' FROM pg_sleep(10)"

func stops(t *testing.T, r *rig) {
	ends := map[string]func(c *pgx.Conn, token string){
		"revoked":      func(_ *pgx.Conn, token string) { r.must("token", "revoke", tokenID(t, token)) },
		"disconnected": func(c *pgx.Conn, _ string) { c.PgConn().Conn().Close() },
		"reset": func(c *pgx.Conn, _ string) {
			if tcp, ok := c.PgConn().Conn().(*net.TCPConn); !ok || tcp.SetLinger(0) != nil || tcp.Close() != nil {
				t.Error("not reset")
			}
		},
	}
	for name, end := range ends {
		for what, statements := range map[string][]string{
			"reading": {"SELECT pg_sleep(30)"}, "writing": {slowInsert}, "writing twice": {slowInsert, slowInsert},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				p := r.place.as(r.tokenFor("agent:stopped", "", "clients"))
				c := p.connect(t)
				for _, text := range statements {
					c.PgConn().Frontend().SendParse(&pgproto3.Parse{Query: text})
					c.PgConn().Frontend().SendBind(&pgproto3.Bind{})
					c.PgConn().Frontend().SendExecute(&pgproto3.Execute{})
					c.PgConn().Frontend().SendSync(&pgproto3.Sync{})
				}
				if err := c.PgConn().Frontend().Flush(); err != nil {
					t.Fatal(err)
				}
				waitUntil(t, 60*time.Second, "the statement runs", func() bool { return r.running("pg_sleep") == 1 })
				end(c, p.Password)
				began := time.Now()
				waitUntil(t, 60*time.Second, "the statement is gone", func() bool { return r.running("pg_sleep") == 0 })
				if d := time.Since(began); d > 30*time.Second {
					t.Errorf("the statement went on for %v", d)
				}
				time.Sleep(200 * time.Millisecond)
				if n := r.rows(t, "stopped"); n != 0 || r.running("pg_sleep") != 0 {
					t.Errorf("%d rows were written after the session's end", n)
				}
			})
		}
	}
	t.Run("goodbye", func(t *testing.T) { // as with a server, what came before it is carried out
		c := r.place.connect(t)
		c.PgConn().Frontend().Send(&pgproto3.Query{String: "INSERT INTO work (who, v) SELECT 'goodbye', 'kept' FROM pg_sleep(0.3)"})
		c.PgConn().Frontend().Send(&pgproto3.Terminate{})
		if err := c.PgConn().Frontend().Flush(); err != nil {
			t.Fatal(err)
		}
		c.PgConn().Conn().Close()
		waitUntil(t, 60*time.Second, "the row is written", func() bool { return r.rows(t, "goodbye") == 1 })
	})
	alive(t, r.place.connect(t))
}

// rows counts what somebody wrote to the table of work.
func (r *rig) rows(t *testing.T, who string) int {
	t.Helper()
	c, err := pgx.Connect(context.Background(), r.db.URL("clients"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var n int
	if err := c.QueryRow(context.Background(), "SELECT count(*) FROM work WHERE who = $1", who).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
