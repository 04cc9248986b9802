package postgres

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/pgserver"
)

// pair is a self-signed certificate, with a SPIFFE ID when given.
func pair(t *testing.T, spiffe string) (tls.Certificate, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true}
	if spiffe != "" {
		u, err := url.Parse(spiffe)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.URIs = []*url.URL{u}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kb})
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := os.WriteFile(certFile, certPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return cert, certFile, keyFile
}

// withTLS serves TLS through the listener filter.
func withTLS(t *testing.T, cert tls.Certificate) option {
	l, err := ListenerKind().Configure([]byte(`{"tls": true}`))
	if err != nil {
		t.Fatal(err)
	}
	return func(g *gateway) {
		g.cfg.AllowCleartext = false
		g.listener = l
		g.tls = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert, NextProtos: []string{"postgresql"}}
	}
}

func TestTLS(t *testing.T) {
	cert, _, _ := pair(t, "")
	g := start(t, bundle(t, everything, ""), withTLS(t, cert))
	for _, extra := range []string{"sslmode=require", "sslmode=prefer", "sslmode=require&sslnegotiation=direct", "sslmode=disable"} {
		c, err := pgx.Connect(ctxT(t), strings.Replace(g.url(""), "sslmode=disable", extra, 1))
		if extra == "sslmode=disable" {
			if pe := asPgError(err); pe == nil || pe.Code != "28000" {
				t.Errorf("clear text: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", extra, err)
			continue
		}
		do(t, c, "select 1")
		c.Close(context.Background())
	}
	out, err := psqlURL(strings.Replace(g.url(""), "disable", "require", 1), "select 6*7").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "42") {
		t.Errorf("psql: %v\n%s", err, out)
	}
}

// TestClientCertificate: a SPIFFE ID needs no password.
func TestClientCertificate(t *testing.T) {
	cert, _, _ := pair(t, "")
	_, certFile, keyFile := pair(t, "spiffe://example.org/agent")
	g := start(t, bundle(t, everything, ""), withTLS(t, cert))
	u := strings.Replace(g.url(""), "sslmode=disable", "sslmode=require&sslcert="+certFile+"&sslkey="+keyFile, 1)
	u = strings.Replace(u, "agent%3Abot", "", 1)
	out, err := psqlURL(u, "select current_setting('application_name')").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "spiffe://example.org/agent") {
		t.Errorf("psql: %v\n%s", err, out)
	}
}

// TestClearTextBehindRequest: bytes that follow a request for TLS in clear text are refused.
func TestClearTextBehindRequest(t *testing.T) {
	cert, _, _ := pair(t, "")
	g := start(t, bundle(t, everything, ""), withTLS(t, cert))
	for name, tail := range map[string][]byte{"startup": wire.AppendStartup(nil, wire.Version30, "user", "x"), "request": wire.SSLRequest()} {
		c, err := net.Dial("tcp", g.addr())
		if err != nil {
			t.Fatal(err)
		}
		c.Write(append(wire.SSLRequest(), tail...))
		c.SetReadDeadline(time.Now().Add(60 * time.Second))
		b := make([]byte, 100)
		n, _ := c.Read(b)
		if n > 1 || n == 1 && b[0] != 'S' {
			t.Errorf("%s: got %q", name, b[:n])
		}
		if n, err := c.Read(b); n != 0 || err == nil {
			t.Errorf("%s: the connection stays open: %q", name, b[:n])
		}
		c.Close()
	}
	if g.dials.Load() != 0 {
		t.Error("the target was connected")
	}
}

func TestGSSRequestIsDeclined(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	c, err := net.Dial("tcp", g.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30})
	b := make([]byte, 1)
	if _, err := c.Read(b); err != nil || b[0] != 'N' {
		t.Fatal(b, err)
	}
	c.Write(wire.AppendStartup(nil, wire.Version30, "user", "x"))
	m, err := pgproto3.NewFrontend(bufio.NewReader(c), c).Receive()
	if _, ok := m.(*pgproto3.AuthenticationCleartextPassword); !ok {
		t.Fatal(m, err)
	}
}

// TestNegotiate: a newer minor version and unknown options are told what is spoken.
func TestNegotiate(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	for _, tc := range []struct {
		version   uint32
		option    string
		negotiate bool
		key       int
	}{{wire.Version30, "", false, 4}, {wire.Version32, "", false, 32}, {3<<16 | 9999, "", true, 32}, {wire.Version30, "_pq_.magic", true, 4}} {
		c, err := net.Dial("tcp", g.addr())
		if err != nil {
			t.Fatal(err)
		}
		params := []string{"user", "someone", "database", "postgres"}
		if tc.option != "" {
			params = append(params, tc.option, "1")
		}
		c.Write(wire.AppendStartup(nil, tc.version, params...))
		f := pgproto3.NewFrontend(c, c)
		negotiated, key := false, 0
	loop:
		for {
			m, err := f.Receive()
			if err != nil {
				t.Fatal(tc, err)
			}
			switch m := m.(type) {
			case *pgproto3.NegotiateProtocolVersion:
				negotiated = true
				if tc.option != "" && m.UnrecognizedOptions[0] != tc.option {
					t.Errorf("%+v", m)
				}
			case *pgproto3.AuthenticationCleartextPassword:
				f.Send(&pgproto3.PasswordMessage{Password: "agent:bot"})
				f.Flush()
			case *pgproto3.BackendKeyData:
				key = len(m.SecretKey)
			case *pgproto3.ReadyForQuery:
				break loop
			case *pgproto3.ErrorResponse:
				t.Fatal(m.Message)
			}
		}
		if negotiated != tc.negotiate || key != tc.key {
			t.Errorf("%+v: negotiated %v, key of %d bytes", tc, negotiated, key)
		}
		c.Close()
	}
}

func TestUpstreamTLSAndMethods(t *testing.T) {
	_, certFile, keyFile := pair(t, "")
	home, err := pgserver.Ensure(context.Background(), "../../.tools", pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"scram-sha-256", "password", "trust"} {
		t.Run(method, func(t *testing.T) {
			settings := map[string]string{"fsync": "off"}
			s, err := pgserver.Start(context.Background(), pgserver.Options{Home: home, TLSCert: read(t, certFile), TLSKey: read(t, keyFile), Settings: settings,
				HBA: "hostssl all all 127.0.0.1/32 " + method + "\n"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Stop()
			g := start(t, bundle(t, everything, ""), func(g *gateway) {
				g.upstream = s.Addr()
				g.cfg.UpstreamTLS = true
				g.upTLS = &tls.Config{InsecureSkipVerify: true}
			})
			c := g.connect(t, "&default_query_exec_mode=simple_protocol")
			var ssl bool
			if err := c.QueryRow(ctxT(t), "select ssl from pg_stat_ssl where pid = pg_backend_pid()").Scan(&ssl); err != nil || !ssl {
				t.Fatal(ssl, err)
			}
			end := make(chan error, 1)
			go func() { _, err := c.Exec(ctxT(t), "select pg_sleep(100)"); end <- err }()
			runs(t, g.connect(t, "&default_query_exec_mode=simple_protocol"), "select pg_sleep(100)")
			if err := c.PgConn().CancelRequest(ctxT(t)); err != nil {
				t.Fatal(err)
			}
			wantErr(t, <-end, "57014")
		})
	}
}

func TestTargetDownAndWrongCredentials(t *testing.T) {
	g := start(t, bundle(t, everything, ""), func(g *gateway) { g.upstream = "127.0.0.1:1" })
	_, err := pgx.Connect(ctxT(t), g.url(""))
	if pe := asPgError(err); pe == nil || pe.Code != "08006" || pe.Severity != "FATAL" {
		t.Error(err)
	}
	g = start(t, bundle(t, everything, ""), func(g *gateway) { g.authz.creds.Password = "wrong" })
	_, err = pgx.Connect(ctxT(t), g.url(""))
	if pe := asPgError(err); pe == nil || pe.Code != "08006" || strings.Contains(pe.Message+pe.Detail, "wrong") {
		t.Error(err)
	}
	g = start(t, bundle(t, everything, ""))
	_, err = pgx.Connect(ctxT(t), strings.Replace(g.url(""), "/postgres?", "/nowhere?", 1))
	if pe := asPgError(err); pe == nil || pe.Code != "3D000" {
		t.Error(err)
	}
	_, err = pgx.Connect(ctxT(t), g.url("&replication=database"))
	if pe := asPgError(err); pe == nil || pe.Code != "28000" {
		t.Error(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestGoodbyeFirst: a client that says goodbye in place of a startup message is let go without a word, as a server does.
func TestGoodbyeFirst(t *testing.T) {
	g := start(t, bundle(t, everything, ""))
	for text, want := range map[string]bool{goodbye: false, goodbye + string(wire.AppendStartup(nil, wire.Version30, "user", "x")): false, "X\x00\x00\x00\x05": true} {
		c, err := net.Dial("tcp", g.addr())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte(text))
		c.SetReadDeadline(time.Now().Add(60 * time.Second))
		b := make([]byte, 200)
		n, err := c.Read(b)
		if (n > 0) != want || n == 0 && !errors.Is(err, io.EOF) {
			t.Errorf("%q is answered with %q, %v", text, b[:n], err)
		}
		c.Close()
	}
}
