package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/pgserver"
)

// tlsGateway serves two databases on one port: "one" by the server name
// one.test, "two" for every other name. Clients may show certificates of ca.
func tlsGateway(t *testing.T) (g *gateway, port int, ca *authority) {
	t.Helper()
	db := postgres(t, pgserver.Newest, pgserver.Options{})
	for _, name := range []string{"one", "two"} {
		execSQL(t, db, "postgres", "CREATE DATABASE "+name)
	}
	ca, port = newAuthority(t, "clients and servers"), freePort(t)
	server := ca.issue("gateway", "one.test", "two.test", "localhost", "127.0.0.1")
	cert := "tls: {client: {cert: gw.crt, key: gw.key, client_ca: ca.crt}}"
	g = newGateway(t, setup{
		Config: "identity:\n  spiffe:\n    - name: example.org\n      groups: [mesh]\n      paths: [\"/agent/*\"]\ntargets:\n" +
			target("one", port, db, "one", cert, "sni: [one.test]") + target("two", port, db, "two", cert) + "policy:\n  dir: policy\n",
		Files: map[string]string{"one-password": db.Password, "two-password": db.Password, "gw.crt": server.Cert, "gw.key": server.Key, "ca.crt": ca.PEM,
			"policy/rules.yaml": "- {name: people, verdict: allow, when: {groups: [analysts, mesh], verbs: [select], tables: ['*.*']}}\n"},
	}).start()
	return g, port, ca
}

func TestTLSFromTheClient(t *testing.T) {
	g, port, ca := tlsGateway(t)
	token := g.token("analysts")
	root := file(t, "ca.crt", ca.PEM)
	p := place{Port: port, User: "agent", Password: token, Database: "x"}
	at := func(extra string) place { q := p; q.Extra = extra; return q }

	out := at("sslmode=require").psql(t, "SELECT current_database();\n\\conninfo\n")
	if !strings.Contains(out, "two") || !strings.Contains(out, "SSL connection") {
		t.Errorf("sslmode=require:\n%s", out)
	}
	// libpq sends the host's name as SNI and verifies it.
	for name, db := range map[string]string{"one.test": "one", "two.test": "two"} {
		out := at("sslmode=verify-full sslrootcert="+root+" hostaddr=127.0.0.1 host="+name).psql(t, "SELECT current_database();\n")
		if !strings.Contains(out, " "+db+"\n") {
			t.Errorf("server name %s:\n%s", name, out)
		}
	}
	if out := at("sslmode=verify-full hostaddr=127.0.0.1 host=other.test sslrootcert="+root).psql(t, "SELECT 1;\n"); !strings.Contains(out, "does not match host name") {
		t.Errorf("a wrong name is accepted:\n%s", out)
	}
	other := file(t, "other.crt", newAuthority(t, "another").PEM)
	if out := at("sslmode=verify-ca sslrootcert="+other).psql(t, "SELECT 1;\n"); !strings.Contains(out, "certificate verify failed") {
		t.Errorf("a wrong CA is accepted:\n%s", out)
	}
	if out := at("sslmode=disable").psql(t, "SELECT 1;\n"); !strings.Contains(out, "TLS only") {
		t.Errorf("a token in clear text is accepted:\n%s", out)
	}
	t.Run("direct", func(t *testing.T) { directTLS(t, port, ca, token) })
	t.Run("certificates", func(t *testing.T) { clientCertificates(t, g, port, ca) })
	t.Run("negotiation", func(t *testing.T) { negotiation(t, port) })
}

// directTLS begins with TLS at once, as PostgreSQL 17 has it, with ALPN.
func directTLS(t *testing.T, port int, ca *authority, token string) {
	for name, db := range map[string]string{"one.test": "one", "two.test": "two"} {
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{RootCAs: ca.pool(), ServerName: name, NextProtos: []string{"postgresql"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if p := c.ConnectionState().NegotiatedProtocol; p != "postgresql" {
			t.Errorf("ALPN chose %q", p)
		}
		if got := firstValue(t, c, token, "SELECT current_database()"); got != db {
			t.Errorf("server name %s leads to %s", name, got)
		}
	}
	// PostgreSQL requires ALPN with direct TLS; another protocol is never taken for ours.
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{RootCAs: ca.pool(), ServerName: "one.test", NextProtos: []string{"http/1.1"}})
	if err == nil {
		if p := c.ConnectionState().NegotiatedProtocol; p != "" {
			t.Errorf("ALPN chose %q", p)
		}
		c.Close()
	}
}

// firstValue logs in on a connection and returns the only value of a query.
func firstValue(t *testing.T, c net.Conn, token, query string) string {
	t.Helper()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	f := pgproto3.NewFrontend(c, c)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "agent", "database": "x"}})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	value, sent := "", false
	for {
		m, err := f.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.AuthenticationCleartextPassword:
			if token == "" {
				t.Fatal("a password is asked for")
			}
			f.Send(&pgproto3.PasswordMessage{Password: token})
		case *pgproto3.ErrorResponse:
			t.Fatalf("%s: %s (%s)", m.Code, m.Message, m.Detail)
		case *pgproto3.DataRow:
			value = string(m.Values[0])
		case *pgproto3.ReadyForQuery:
			if sent {
				return value
			}
			sent = true
			f.Send(&pgproto3.Query{String: query})
		}
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// clientCertificates are identities: no password is asked for.
func clientCertificates(t *testing.T, g *gateway, port int, ca *authority) {
	dial := func(cert leaf) (net.Conn, error) {
		return tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{RootCAs: ca.pool(), ServerName: "two.test",
			NextProtos: []string{"postgresql"}, Certificates: []tls.Certificate{cert.pair(t)}})
	}
	agent := ca.issue("agent", "spiffe://example.org/agent/ci")
	c, err := dial(agent)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := firstValue(t, c, "", "SELECT current_setting('application_name')"); !strings.HasPrefix(got, "spiffe://example.org/agent/ci") {
		t.Errorf("the target sees %q", got)
	}
	// The same with psql.
	extra := fmt.Sprintf("sslmode=require sslcert=%s sslkey=%s", file(t, "c.crt", agent.Cert), file(t, "c.key", agent.Key))
	p := place{Port: port, User: "agent", Database: "x", Extra: extra}
	if out := p.psql(t, "SELECT 'in';\n", "-w"); !strings.Contains(out, "in\n") || strings.Contains(out, "ERROR") {
		t.Errorf("psql with a certificate:\n%s", out)
	}
	for name, cert := range map[string]leaf{
		"a path that is not accepted":  ca.issue("x", "spiffe://example.org/other/ci"),
		"another trust domain":         ca.issue("x", "spiffe://evil.test/agent/ci"),
		"an authority that is unknown": newAuthority(t, "another").issue("x", "spiffe://example.org/agent/ci"),
	} {
		p.Extra = fmt.Sprintf("sslmode=require sslcert=%s sslkey=%s", file(t, "c.crt", cert.Cert), file(t, "c.key", cert.Key))
		if out := p.psql(t, "SELECT 'in';\n", "-w"); strings.Contains(out, "in\n") {
			t.Errorf("%s is let in:\n%s", name, out)
		}
	}
	// Without a certificate that proves something, the password counts.
	plain := ca.issue("no id")
	p.Extra = fmt.Sprintf("sslmode=require sslcert=%s sslkey=%s", file(t, "c.crt", plain.Cert), file(t, "c.key", plain.Key))
	p.Password = g.token("analysts")
	if out := p.psql(t, "SELECT 'in';\n"); !strings.Contains(out, "in\n") {
		t.Errorf("a certificate without an identity keeps the token out:\n%s", out)
	}
	// Revocation is by the certificate's digest, or by its SPIFFE ID.
	if block, _ := pem.Decode([]byte(agent.Cert)); digestless() {
		g.must("token", "revoke", "--subject", "spiffe://example.org/agent/ci")
	} else {
		sum := sha256.Sum256(block.Bytes)
		g.must("token", "revoke", "cert:"+hex.EncodeToString(sum[:]))
	}
	if c, err := dial(agent); err == nil {
		defer c.Close()
		wantRefused(t, c, "a revoked certificate")
	}
}

// digestless reports whether the Envoy under test cannot tell a certificate's digest.
func digestless() bool { return strings.HasPrefix(os.Getenv("DRAGOMAN_TEST_ENVOY"), "1.38.") }

// wantRefused sends a startup message and wants a FATAL error.
func wantRefused(t *testing.T, c net.Conn, what string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	f := pgproto3.NewFrontend(c, c)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "agent"}})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	m, err := f.Receive()
	if e, ok := m.(*pgproto3.ErrorResponse); err != nil || !ok || e.Severity != "FATAL" {
		t.Errorf("%s: got %+v, %v", what, m, err)
	}
}

var (
	sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}
	gssRequest = []byte{0, 0, 0, 8, 4, 210, 22, 48}
)

// negotiation is what comes before TLS.
func negotiation(t *testing.T, port int) {
	exchange := func(parts ...[]byte) string {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		answer := make([]byte, 1)
		var got []byte
		for _, p := range parts {
			c.SetDeadline(time.Now().Add(60 * time.Second))
			if _, err := c.Write(p); err != nil {
				return string(got) + "closed"
			}
			if _, err := io.ReadFull(c, answer); err != nil {
				return string(got) + "closed"
			}
			got = append(got, answer[0])
		}
		return string(got)
	}
	if got := exchange(gssRequest, sslRequest); got != "NS" {
		t.Errorf("GSSENCRequest, then SSLRequest: %q", got)
	}
	startup := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "agent"}})
	packet, err := startup.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	// Clear text behind the request, before TLS: somebody between may have put it there (CVE-2021-23222).
	if got := exchange(append(append([]byte(nil), sslRequest...), packet...), []byte("x")); got != "Sclosed" && got != "closed" {
		t.Errorf("clear text behind an SSLRequest: %q", got)
	}
	if got := exchange(sslRequest, packet); got != "Sclosed" {
		t.Errorf("clear text after the answer to an SSLRequest: %q", got)
	}
	if got := exchange(sslRequest, sslRequest); got != "Sclosed" {
		t.Errorf("a second SSLRequest: %q", got)
	}
}

// TestTLSOff: without a certificate TLS is declined, and loopback clients go on in clear text.
func TestTLSOff(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.place.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, request := range [][]byte{gssRequest, sslRequest} {
		answer := make([]byte, 1)
		c.Write(request)
		if _, err := io.ReadFull(c, answer); err != nil || answer[0] != 'N' {
			t.Fatalf("%q, %v", answer, err)
		}
	}
	if got := firstValue(t, c, r.place.Password, "SELECT 7"); got != "7" {
		t.Errorf("got %q", got)
	}
	if _, err := pgx.Connect(context.Background(), r.place.dsn()+" sslmode=require password=x"); err == nil {
		t.Error("sslmode=require goes on without TLS")
	}
}
