package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/pgserver"
)

// hba gives each user one way to log in.
const hba = `local   all all                      trust
hostssl all u_scram_tls 127.0.0.1/32 scram-sha-256
hostssl all u_cert      127.0.0.1/32 cert
host    all u_md5       127.0.0.1/32 md5
host    all u_clear     127.0.0.1/32 password
host    all u_trust     127.0.0.1/32 trust
host    all u_scram     127.0.0.1/32 scram-sha-256
host    all postgres    127.0.0.1/32 scram-sha-256`

const hbaUsers = `SET password_encryption = 'scram-sha-256';
CREATE ROLE u_scram_tls LOGIN PASSWORD 'secret'; CREATE ROLE u_scram LOGIN PASSWORD 'secret'; CREATE ROLE u_clear LOGIN PASSWORD 'secret';
CREATE ROLE u_cert LOGIN; CREATE ROLE u_trust LOGIN;
SET password_encryption = 'md5'; CREATE ROLE u_md5 LOGIN PASSWORD 'secret';`

// login is one way to log in to the target, and what must come of it.
type login struct {
	user, tls string
	fails     string // what the client reads when it fails
	encrypted bool
}

var logins = map[string]login{
	"trust":                   {user: "u_trust"},
	"password":                {user: "u_clear"}, // clear text only because the target is on loopback
	"md5":                     {user: "u_md5"},
	"scram":                   {user: "u_scram"},
	"require":                 {user: "u_scram_tls", tls: "{mode: require}", encrypted: true},
	"verify-full":             {user: "u_scram_tls", tls: "{mode: verify-full, ca: ca.crt, server_name: db.test}", encrypted: true},
	"verify-full-by-address":  {user: "u_scram_tls", tls: "{mode: verify-full, ca: ca.crt}", encrypted: true},
	"client-certificate":      {user: "u_cert", tls: "{mode: verify-full, ca: ca.crt, server_name: db.test, cert: client.crt, key: client.key}", encrypted: true},
	"wrong-ca":                {user: "u_scram_tls", tls: "{mode: verify-full, ca: other.crt, server_name: db.test}", fails: "connection to server"},
	"wrong-name":              {user: "u_scram_tls", tls: "{mode: verify-full, ca: ca.crt, server_name: other.test}", fails: "connection to server"},
	"wrong-client":            {user: "u_cert", tls: "{mode: require, cert: wrong.crt, key: wrong.key}", fails: "connection to server"},
	"tls-wanted-by-target":    {user: "u_scram_tls", fails: "FATAL"},
	"wrong-password":          {user: "u_scram wrong", fails: "refused the gateway's credentials"},
	"password-over-tls":       {user: "u_clear", tls: "{mode: require}", encrypted: true},
	"md5-over-tls":            {user: "u_md5", tls: "{mode: require}", encrypted: true},
	"trust-over-tls":          {user: "u_trust", tls: "{mode: require}", encrypted: true},
	"wrong-password-over-tls": {user: "u_scram wrong", tls: "{mode: require}", fails: "refused the gateway's credentials"},
}

// TestTLSToTheTarget logs in to a real server in every way that it has.
func TestTLSToTheTarget(t *testing.T) {
	ca := newAuthority(t, "targets")
	server, client, wrong := ca.issue("db", "db.test", "127.0.0.1"), ca.issue("u_cert"), newAuthority(t, "another").issue("u_cert")
	db := postgres(t, pgserver.Newest, pgserver.Options{TLSCert: server.Cert, TLSKey: server.Key, TLSCA: ca.PEM, HBA: hba})
	execSQL(t, db, "postgres", hbaUsers)
	config, ports := "targets:\n", map[string]int{}
	for name, l := range logins {
		ports[name] = freePort(t)
		more := []string{}
		if l.tls != "" {
			more = append(more, "tls: {upstream: "+l.tls+"}")
		}
		text := target(name, ports[name], db, "postgres", more...)
		user, password, _ := strings.Cut(l.user, " ")
		if password == "" {
			password = "secret"
		}
		text = strings.Replace(text, "user: postgres", "user: "+user, 1)
		config += strings.Replace(text, "file:"+name+"-password", "file:"+password+"-password", 1)
	}
	g := newGateway(t, setup{Config: config + "policy:\n  dir: policy\n", Files: map[string]string{
		"secret-password": "secret\n", "wrong-password": "wrong\n", "ca.crt": ca.PEM, "other.crt": newAuthority(t, "other").PEM,
		"client.crt": client.Cert, "client.key": client.Key, "wrong.crt": wrong.Cert, "wrong.key": wrong.Key,
		"policy/rules.yaml": "- {name: people, verdict: allow, when: {groups: [analysts], verbs: [select], tables: ['*.*']}}\n"}}).start()
	token := g.token("analysts")
	for name, l := range logins {
		t.Run(name, func(t *testing.T) {
			p := place{Port: ports[name], User: "agent", Password: token, Database: "postgres"}
			out := p.psql(t, "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();\n", "-At")
			user, _, _ := strings.Cut(l.user, " ")
			want := fmt.Sprintf("%s|%.1s\n", user, fmt.Sprint(l.encrypted))
			if l.fails == "" && out != want {
				t.Errorf("want %q, got:\n%s", want, out)
			}
			if l.fails != "" && (!strings.Contains(out, l.fails) || strings.Contains(out, "secret")) {
				t.Errorf("want a failure with %q, got:\n%s", l.fails, out)
			}
		})
	}
}

// TestChannelBinding: over TLS the gateway uses SCRAM-SHA-256-PLUS where the target offers it. The
// target here only listens to which mechanism is chosen; that the exchange works, the test above shows.
func TestChannelBinding(t *testing.T) {
	ca := newAuthority(t, "targets")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	chosen := make(chan string, 4)
	pair := ca.issue("db", "db.test").pair(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go offerSCRAM(c, pair, chosen)
		}
	}()
	port := freePort(t)
	fake := &pgserver.Server{Port: l.Addr().(*net.TCPAddr).Port, User: "postgres"}
	g := newGateway(t, setup{Config: "targets:\n" + target("db", port, fake, "postgres", "tls: {upstream: {mode: verify-full, ca: ca.crt, server_name: db.test}}") + "policy:\n  dir: policy\n",
		Files: map[string]string{"db-password": "secret", "ca.crt": ca.PEM, "policy/rules.yaml": "- {name: people, verdict: allow, when: {groups: [analysts]}}\n"}}).start()
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	defer stop()
	if c, err := pgx.Connect(ctx, place{Port: port, User: "agent"}.dsn()+" password="+g.token("analysts")); err == nil {
		c.Close(ctx)
		t.Error("logged in to a target that never let anybody in")
	}
	select {
	case m := <-chosen:
		if want := map[bool]string{false: "SCRAM-SHA-256-PLUS", true: "SCRAM-SHA-256"}[digestless()]; m != want {
			t.Errorf("the gateway chose %s", m)
		}
	case <-time.After(60 * time.Second):
		t.Error("the gateway has not logged in")
	}
}

// TestChannelBindingSetting: with a certificate that is signed with another hash than the one that Envoy tells, each login
// does the same: prefer and require bind, disable does not, and require refuses what is not bound.
func TestChannelBindingSetting(t *testing.T) {
	ca := newAuthority(t, "targets")
	ca.Signature = x509.ECDSAWithSHA384
	server := ca.issue("db", "db.test")
	db := postgres(t, pgserver.Newest, pgserver.Options{TLSCert: server.Cert, TLSKey: server.Key, HBA: hba})
	execSQL(t, db, "postgres", hbaUsers)
	config, ports := "targets:\n", map[string]int{}
	for name, user := range map[string]string{"default": "u_scram_tls", "prefer": "u_scram_tls", "require": "u_scram_tls", "disable": "u_scram_tls", "require-trust": "u_trust"} {
		mode, _, _ := strings.Cut(name, "-")
		binding := ""
		if mode != "default" {
			binding = ", channel_binding: " + mode
		}
		ports[name] = freePort(t)
		text := target(name, ports[name], db, "postgres", "tls: {upstream: {mode: verify-full, ca: ca.crt, server_name: db.test"+binding+"}}")
		config += strings.Replace(strings.Replace(text, "user: postgres", "user: "+user, 1), "file:"+name+"-password", "file:db-password", 1)
	}
	g := newGateway(t, setup{Config: config + "policy:\n  dir: policy\n",
		Files: map[string]string{"db-password": "secret", "ca.crt": ca.PEM, "policy/rules.yaml": "- {name: people, verdict: allow, when: {groups: [analysts]}}\n"}}).start()
	token := g.token("analysts")
	for name, port := range ports {
		refused := name == "require-trust" || name == "require" && digestless()
		for i := range 2 {
			out := place{Port: port, User: "agent", Password: token, Database: "postgres"}.psql(t, "SELECT 'in';\n")
			if refused != strings.Contains(out, "Channel binding is required") || refused == strings.Contains(out, "in\n") {
				t.Errorf("%s, login %d:\n%s", name, i+1, out)
			}
		}
	}
}

// offerSCRAM does TLS as a PostgreSQL server, offers both mechanisms and tells which is chosen.
func offerSCRAM(c net.Conn, cert tls.Certificate, chosen chan<- string) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		return
	}
	c.Write([]byte("S"))
	s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
	b := pgproto3.NewBackend(s, s)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}})
	b.SetAuthType(pgproto3.AuthTypeSASL)
	if b.Flush() != nil {
		return
	}
	if m, err := b.Receive(); err == nil {
		if first, ok := m.(*pgproto3.SASLInitialResponse); ok {
			chosen <- first.AuthMechanism
		}
	}
}
