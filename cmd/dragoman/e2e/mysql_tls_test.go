package e2e

import (
	"fmt"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

// mysqlLogins is one user for each way to log in to a target.
func mysqlLogins(kind mysqlserver.Kind) string {
	if kind == mysqlserver.MariaDB {
		return mysqlUser + `CREATE USER 'native'@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('app-secret');
CREATE USER 'ed'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('app-secret');
CREATE USER 'tls'@'%' IDENTIFIED BY 'app-secret' REQUIRE SSL;
GRANT ALL ON *.* TO 'native'@'%';
GRANT ALL ON *.* TO 'ed'@'%';
GRANT ALL ON *.* TO 'tls'@'%';
CREATE DATABASE shop;
`
	}
	return mysqlUser + `CREATE USER 'native'@'%' IDENTIFIED WITH mysql_native_password BY 'app-secret';
CREATE USER 'sha2'@'%' IDENTIFIED WITH caching_sha2_password BY 'app-secret';
CREATE USER 'sha2tls'@'%' IDENTIFIED WITH caching_sha2_password BY 'app-secret' REQUIRE SSL;
CREATE USER 'sha256'@'%' IDENTIFIED WITH sha256_password BY 'app-secret';
GRANT ALL ON *.* TO 'native'@'%';
GRANT ALL ON *.* TO 'sha2'@'%';
GRANT ALL ON *.* TO 'sha2tls'@'%';
GRANT ALL ON *.* TO 'sha256'@'%';
CREATE DATABASE shop;
`
}

type mysqlLogin struct {
	user, tls, password string
	fails               string
}

// TestMySQLLogin logs in to the target in every way, with clients over TLS.
func TestMySQLLogin(t *testing.T) {
	for kind, logins := range map[mysqlserver.Kind][]mysqlLogin{
		mysqlserver.MariaDB: {{user: "native"}, {user: "ed"}, {user: "native", tls: "{mode: require}"}, {user: "ed", tls: "{mode: verify-full, ca: ca.crt, server_name: db.test}"},
			{user: "tls", tls: "{mode: require}"}, {user: "tls", fails: "refused the gateway's credentials"}, {user: "native", password: "wrong", fails: "refused the gateway's credentials"},
			{user: "native", tls: "{mode: verify-full, ca: other.crt, server_name: db.test}", fails: "Lost connection"}},
		mysqlserver.MySQL: {{user: "native"}, {user: "sha2"}, {user: "sha2tls", tls: "{mode: require}"}, {user: "sha256"}, {user: "sha256", tls: "{mode: require}"},
			{user: "sha2", tls: "{mode: require}"}, {user: "sha2", password: "wrong", fails: "refused the gateway's credentials"}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			ca := newAuthority(t, "db CA")
			cert := ca.issue("db", "db.test")
			gw := ca.issue("gw", "gw.test")
			o := mysqlserver.Options{Kind: kind, SQL: mysqlLogins(kind)}
			if kind == mysqlserver.MariaDB { // MySQL 8.0.15 knows no ECDSA; it makes a certificate of its own
				o.TLSCert, o.TLSKey, o.TLSCA = cert.Cert, cert.Key, ca.PEM
			}
			s := mysqlServer(t, o)
			config := "targets:\n"
			ports := make([]int, len(logins))
			files := map[string]string{"policy/rules.yaml": mysqlRules, "ca.crt": ca.PEM, "other.crt": newAuthority(t, "other").PEM, "gw.crt": gw.Cert, "gw.key": gw.Key}
			for i, l := range logins {
				ports[i] = freePort(t)
				name := fmt.Sprintf("t%d", i)
				more := []string{"tls:", "  client: {cert: gw.crt, key: gw.key}"}
				if l.tls != "" {
					more = append(more, "  upstream: "+l.tls)
				}
				config += strings.Replace(mysqlTarget(name, ports[i], s, more...), "user: app", "user: "+l.user, 1)
				files[name+"-password"] = "app-secret\n"
				if l.password != "" {
					files[name+"-password"] = l.password + "\n"
				}
			}
			g := newGateway(t, setup{Config: config + "policy:\n  dir: policy\n", Files: files}).start()
			token := g.token("analysts")
			for i, l := range logins {
				p := mysqlPlace{Port: ports[i], Password: token, TLS: true, Database: "shop"}
				for range 2 { // the second time MySQL knows the password already
					out := p.cli(t, "SELECT 1+1 AS two;\n")
					if l.fails == "" && !strings.Contains(out, "two\n2") || l.fails != "" && !strings.Contains(out, l.fails) {
						t.Errorf("%+v: %s", l, out)
					}
				}
			}
			// Nothing answers the request for TLS to the target, so its order counts: many logins, side by side.
			for i, l := range logins {
				if l.tls == "{mode: require}" && l.fails == "" {
					manyLogins(t, mysqlPlace{Port: ports[i], Password: token, TLS: true, Database: "shop"})
				}
			}
			// A client without TLS is told why it may not come.
			p := mysqlPlace{Port: ports[0], Password: token}
			if out := p.cli(t, "SELECT 1;\n", "--skip-ssl"); !strings.Contains(out, "over TLS only") {
				t.Errorf("without TLS: %s", out)
			}
			p = mysqlPlace{Port: ports[0], Password: "wrong", TLS: true}
			if out := p.cli(t, "SELECT 1;\n"); !strings.Contains(out, "ERROR 1045 (28000)") {
				t.Errorf("a wrong token: %s", out)
			}
			// SHA-2 without the gateway's help: the client sends its password within TLS.
			db := mysqlPlace{Port: ports[0], Password: token, TLS: true, Database: "shop"}.connect(t, "allowCleartextPasswords=false")
			var n int
			if err := db.QueryRow("SELECT 1+1").Scan(&n); err != nil || n != 2 {
				t.Errorf("caching_sha2_password of the Go driver: %v", err)
			}
		})
	}
}

func manyLogins(t *testing.T, p mysqlPlace) {
	db := p.connect(t, "")
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(-1) // each statement has a connection of its own
	failed := make(chan error, 80)
	for range 80 {
		go func() {
			var n int
			failed <- db.QueryRow("SELECT 1").Scan(&n)
		}()
	}
	for range 80 {
		if err := <-failed; err != nil {
			t.Errorf("one of many logins: %v", err)
		}
	}
}

// TestMySQLCertificate: a client certificate with a SPIFFE ID needs no password, and two targets share a port by server name.
func TestMySQLCertificate(t *testing.T) {
	s := mysqlServer(t, mysqlserver.Options{Kind: mysqlserver.MariaDB, SQL: mysqlUser})
	mysqlExec(t, mysqlRoot(t, s, ""), mysqlShop)
	ca, port := newAuthority(t, "clients and servers"), freePort(t)
	server := ca.issue("gateway", "one.test", "two.test")
	cert := "tls: {client: {cert: gw.crt, key: gw.key, client_ca: ca.crt}}"
	g := newGateway(t, setup{
		Config: "identity:\n  spiffe:\n    - name: example.org\n      groups: [mesh]\n      paths: [\"/agent/*\"]\ntargets:\n" +
			mysqlTarget("one", port, s, cert, "sni: [one.test]") + mysqlTarget("two", port, s, cert) + "policy:\n  dir: policy\n",
		Files: map[string]string{"one-password": "app-secret", "two-password": "app-secret", "gw.crt": server.Cert, "gw.key": server.Key, "ca.crt": ca.PEM,
			"policy/rules.yaml": strings.Replace(mysqlRules, "groups: [analysts]", "groups: [analysts, mesh]", 1)},
	}).start()
	for id, fails := range map[string]bool{"spiffe://example.org/agent/x": false, "spiffe://example.org/other": true, "spiffe://elsewhere.org/agent/x": true} {
		l := ca.issue("x", id)
		args := []string{"--ssl-cert=" + file(t, "c.crt", l.Cert), "--ssl-key=" + file(t, "c.key", l.Key)}
		out := mysqlPlace{Port: port, TLS: true, Database: "shop"}.cli(t, "SELECT email FROM customers WHERE id=1;\n", args...)
		if fails != strings.Contains(out, "ERROR 1045") || !fails && !strings.Contains(out, "c***@example.com") {
			t.Errorf("%s: %s", id, out)
		}
	}
	db := mysqlPlace{Port: port, Password: g.token("analysts"), TLS: true, Database: "shop"}.connect(t, "")
	var n int
	if err := db.QueryRow("SELECT 1+1").Scan(&n); err != nil || n != 2 {
		t.Error(err)
	}
	list := g.must("sessions", "list", "--json")
	if !strings.Contains(list, "spiffe://example.org/agent/x") || strings.Contains(list, "elsewhere") {
		t.Errorf("sessions: %s", list)
	}
}
