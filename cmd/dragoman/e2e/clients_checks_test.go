package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/pgserver"
)

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != code {
		t.Errorf("want SQLSTATE %s, got %v", code, err)
	}
}

// wantBlocked wants a refusal of policy that names the rule and says what to do.
func wantBlocked(t testing.TB, err error, rule string) {
	t.Helper()
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "42501" || !strings.Contains(pe.Detail, rule) || pe.Hint == "" {
		t.Errorf("not refused by %s with detail and hint: %+v", rule, err)
		return
	}
	if n, ok := notice.Parse(pe.Detail); !ok || n.Code == "" || !strings.Contains(pe.Detail, "rule: "+n.Rule) {
		t.Errorf("programs are told %+v in %q", n, pe.Detail)
	}
}

// alive wants the connection to be usable.
func alive(t testing.TB, c *pgx.Conn) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	defer stop()
	var n int
	if err := c.QueryRow(ctx, "SELECT 40+2").Scan(&n); err != nil || n != 42 {
		t.Fatalf("the connection is not usable: %d, %v", n, err)
	}
}

// TestProtocolVersions: 3.2 has longer cancel keys; what is newer is brought down to what is spoken here.
func TestProtocolVersions(t *testing.T) {
	for _, version := range []string{pgserver.Newest, pgserver.V15} {
		r := clientsRig(t, version, clientsRules)
		for extra, length := range map[string]int{"max_protocol_version=3.0": 4, "max_protocol_version=3.2": 32, "min_protocol_version=3.2 max_protocol_version=latest": 32} {
			p := r.place
			p.Extra = extra
			c := p.connect(t)
			if n := len(c.PgConn().SecretKey()); n != length {
				t.Errorf("%s: a cancel key of %d bytes", extra, n)
			}
			pgxCancel(t, c)
		}
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.place.Port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(60 * time.Second))
		f := pgproto3.NewFrontend(c, c)
		f.Send(&pgproto3.StartupMessage{ProtocolVersion: 3<<16 | 9, Parameters: map[string]string{"user": "agent", "_pq_.wings": "two"}})
		f.Flush()
		m, err := f.Receive()
		if n, ok := m.(*pgproto3.NegotiateProtocolVersion); !ok || n.NewestMinorProtocol != 3<<16|2 && n.NewestMinorProtocol != 2 || len(n.UnrecognizedOptions) != 1 {
			t.Errorf("3.9 is answered by %+v, %v", m, err)
		}
	}
}
