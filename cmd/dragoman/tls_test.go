package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/envoy/envoytest"
	"dragoman.dev/dragoman/internal/pgserver"
)

const sharedPort = `
identity:
  spiffe: [{name: example.org, groups: [readers]}]
targets:
  - name: shop
    addresses: ["%[2]s", "127.0.0.1:1"]
    listen: 127.0.0.1:%[1]d
    sni: [shop.example.com]
    health_check: {interval: 200ms, timeout: 100ms, unhealthy: 1}
    tls:
      client: {cert: gateway.crt, key: gateway.key, client_ca: clients.crt, required: true}
      upstream: {mode: verify-full, ca: servers.crt, server_name: db.example.com}
    credentials: {user: postgres, password: file:pw}
  - name: ledger
    address: %[2]s
    listen: 127.0.0.1:%[1]d
    sni: [ledger.example.com]
    tls:
      client: {cert: gateway.crt, key: gateway.key}
      upstream: {mode: require}
    credentials: {user: postgres, password: file:pw}
  - name: wrong
    address: %[2]s
    listen: 127.0.0.1:%[1]d
    tls:
      client: {cert: gateway.crt, key: gateway.key}
      upstream: {mode: verify-full, ca: servers.crt, server_name: other.example.com}
    credentials: {user: postgres, password: file:pw}
policy: {dir: policy}
`

// TestTLS: three targets on one port by server name, client certificates that
// prove an identity, and TLS to the target in each mode.
func TestTLS(t *testing.T) {
	port := freePort(t)
	r := newRig(t, "", map[string]string{"pw": "postgres\n", "policy/rules.yaml": readers})
	servers, clients := r.newAuthority("servers"), r.newAuthority("clients")
	servers.leaf("db", "")
	servers.leaf("gateway", "")
	clients.leaf("agent", "spiffe://example.org/agent/one")
	home, err := pgserver.Ensure(t.Context(), envoytest.Tools(), pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgserver.Start(t.Context(), pgserver.Options{Home: home, TLSCert: r.read("db.crt"), TLSKey: r.read("db.key"),
		HBA: "hostssl all all 127.0.0.1/32 scram-sha-256\n"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Stop() })
	r.write("dragoman.yaml", r.read("dragoman.yaml")+fmt.Sprintf(sharedPort, port, db.Addr()))
	r.up()
	token := r.token("readers")

	if err := r.query(port, "ledger.example.com", token, ""); err != nil {
		t.Error("a token, upstream TLS without verification:", err)
	}
	if err := r.query(port, "shop.example.com", "", "agent"); err != nil {
		t.Error("a certificate instead of a token, upstream verified:", err)
	}
	if err := r.query(port, "shop.example.com", token, ""); err == nil {
		t.Error("the required client certificate is not required")
	}
	if err := r.query(port, "unknown.example.com", token, ""); err == nil {
		t.Error("the target's certificate of another name was accepted")
	}
	conn, err := r.connect(port, token)
	if err == nil || !strings.Contains(err.Error(), "FATAL") {
		t.Error("a token in clear text:", conn, err)
	}
	if s := nodeStatus(t, r, "gateway"); !s.InSync {
		t.Errorf("%+v", s)
	}
}

func (r *rig) read(name string) string {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// query opens a session over TLS and reads one row.
func (r *rig) query(port int, server, password, cert string) error {
	cfg, err := pgx.ParseConfig(fmt.Sprintf("postgres://agent:%s@127.0.0.1:%d/postgres?sslmode=require", password, port))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(r.read("servers.crt")))
	cfg.TLSConfig = &tls.Config{RootCAs: pool, ServerName: server, InsecureSkipVerify: true, NextProtos: []string{"postgresql"}}
	cfg.Fallbacks = nil
	if cert != "" {
		pair, err := tls.X509KeyPair([]byte(r.read(cert+".crt")), []byte(r.read(cert+".key")))
		if err != nil {
			return err
		}
		cfg.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	c, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		return err
	}
	defer c.Close(context.Background())
	var n int
	return c.QueryRow(context.Background(), "SELECT 42").Scan(&n)
}
