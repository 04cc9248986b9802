package login_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/filters/postgres/login"
	"dragoman.dev/dragoman/internal/pgserver"
)

const hba = `
hostssl all postgres 127.0.0.1/32 scram-sha-256
host all postgres 127.0.0.1/32 scram-sha-256
host all u_trust  127.0.0.1/32 trust
host all u_clear  127.0.0.1/32 password
host all u_md5    127.0.0.1/32 md5
host all u_scram  127.0.0.1/32 scram-sha-256
host all u_prep   127.0.0.1/32 scram-sha-256
host all u_reject 127.0.0.1/32 reject
`

const prepPassword = "p\u00e4ss\u00a0w\u00aard\u00bd\u00adx" // no-break space, ª, ½, soft hyphen

// startServer runs a real PostgreSQL with a user for each method and a certificate.
func startServer(t *testing.T, version string, sig x509.SignatureAlgorithm) *pgserver.Server {
	t.Helper()
	ctx := context.Background()
	home, err := pgserver.Ensure(ctx, "../../../.tools", version)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t, sig)
	s, err := pgserver.Start(ctx, pgserver.Options{Home: home, HBA: hba, TLSCert: cert, TLSKey: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for _, q := range []string{
		"create role u_trust login", "create role u_clear login password 'secret'",
		"create role u_scram login password 'secret'", "create role u_reject login",
		fmt.Sprintf("create role u_prep login password '%s'", prepPassword),
		"set password_encryption = md5; create role u_md5 login password 'secret'",
	} {
		if _, err := c.Exec(ctx, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return s
}

func certificate(t *testing.T, sig x509.SignatureAlgorithm) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), SignatureAlgorithm: sig}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kd, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kd}))
}

// wire is what the machine leaves to its caller: a connection and frames.
type wire struct {
	net.Conn
	cert *x509.Certificate
}

func dial(t *testing.T, addr string, useTLS bool) *wire {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if !useTLS {
		return &wire{Conn: c}
	}
	answer := make([]byte, 1)
	if _, err := c.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}); err != nil { // SSLRequest
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, answer); err != nil || answer[0] != 'S' {
		t.Fatalf("SSLRequest: %q, %v", answer, err)
	}
	tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // the test knows whom it has started
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &wire{Conn: tc, cert: tc.ConnectionState().PeerCertificates[0]}
}

func (w *wire) read() (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(w, head[:]); err != nil {
		return 0, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err := io.ReadFull(w, body)
	return head[0], body, err
}

// run logs in and waits for ReadyForQuery.
func (w *wire) run(c *login.Client) error {
	if _, err := w.Write(c.Startup()); err != nil {
		return err
	}
	for {
		kind, body, err := w.read()
		if err != nil {
			return err
		}
		reply, done, err := c.Handle(kind, body)
		if err != nil {
			return err
		}
		if _, err := w.Write(reply); err != nil {
			return err
		}
		if done {
			break
		}
	}
	for {
		kind, body, err := w.read()
		if err != nil {
			return err
		}
		switch kind {
		case 'Z':
			return nil
		case 'E':
			return fmt.Errorf("after login: %q", body)
		}
	}
}

type attempt struct {
	name    string
	opt     login.Options
	binding bool  // give the certificate's data
	want    error // nil: success
	code    string
}

func TestRealServers(t *testing.T) {
	for _, version := range []string{pgserver.V15, pgserver.Newest} {
		t.Run(version, func(t *testing.T) {
			s := startServer(t, version, x509.ECDSAWithSHA256)
			for _, a := range attempts() {
				t.Run(a.name, func(t *testing.T) { try(t, s.Addr(), a) })
			}
		})
	}
}

func attempts() []attempt {
	secret := func(user string, tls, weak bool) login.Options {
		return login.Options{User: user, Password: "secret", Database: "postgres", TLS: tls, AllowWeak: weak}
	}
	with := func(o login.Options, change func(*login.Options)) login.Options { change(&o); return o }
	scram := secret("u_scram", true, false)
	return []attempt{
		{"trust", login.Options{User: "u_trust", Database: "postgres"}, false, nil, ""},
		{"cleartext over TLS", secret("u_clear", true, false), false, nil, ""},
		{"cleartext refused", secret("u_clear", false, false), false, login.ErrWeak, ""},
		{"cleartext on loopback", secret("u_clear", false, true), false, nil, ""},
		{"md5 over TLS", secret("u_md5", true, false), false, nil, ""},
		{"md5 refused", secret("u_md5", false, false), false, login.ErrWeak, ""},
		{"md5 on loopback", secret("u_md5", false, true), false, nil, ""},
		{"scram", secret("u_scram", false, false), false, nil, ""},
		{"scram over TLS without binding", scram, false, nil, ""},
		{"scram plus", with(scram, func(o *login.Options) { o.RequireBinding = true }), true, nil, ""},
		{"scram plus, somebody else's certificate", with(scram, func(o *login.Options) { o.CertSHA256 = make([]byte, 32) }),
			false, nil, "28000"},
		{"scram where binding is required", with(secret("u_scram", false, false), func(o *login.Options) { o.RequireBinding = true }),
			false, login.ErrMethod, ""},
		{"trust where binding is required", login.Options{User: "u_trust", Database: "postgres", RequireBinding: true},
			false, login.ErrMethod, ""},
		{"wrong password", with(scram, func(o *login.Options) { o.Password = "wrong" }), true, nil, "28P01"},
		{"no password", with(scram, func(o *login.Options) { o.Password = "" }), true, login.ErrNoPassword, ""},
		{"password that SASLprep changes", login.Options{User: "u_prep", Password: prepPassword, Database: "postgres"}, false, nil, ""},
		{"the same password, normalised", login.Options{User: "u_prep", Password: "p\u00e4ss ward1\u20442x", Database: "postgres"}, false, nil, ""},
		{"rejected", login.Options{User: "u_reject", Database: "postgres"}, false, nil, "28000"},
		{"parameters", with(scram, func(o *login.Options) {
			o.Params = map[string]string{"application_name": "dragoman", "client_encoding": "UTF8"}
		}), true, nil, ""},
		{"protocol 3.2", with(scram, func(o *login.Options) { o.Protocol = login.Protocol32 }), true, nil, ""},
	}
}

func try(t *testing.T, addr string, a attempt) {
	t.Helper()
	w := dial(t, addr, a.opt.TLS)
	if a.binding {
		a.opt.CertSHA256 = login.EndPoint(w.cert)
	}
	c, err := login.New(a.opt)
	if err != nil {
		t.Fatal(err)
	}
	err = w.run(c)
	var refused *login.ServerError
	switch {
	case a.code != "":
		if !errors.As(err, &refused) || refused.Code != a.code {
			t.Fatalf("got %v, want SQLSTATE %s", err, a.code)
		}
	case !errors.Is(err, a.want):
		t.Fatalf("got %v, want %v", err, a.want)
	}
	if _, _, err := c.Handle('R', []byte{0, 0, 0, 0}); err == nil {
		t.Error("a message after the end was taken")
	}
	if a.opt.Protocol == login.Protocol32 {
		minor, unknown, ok := c.Negotiated()
		t.Logf("negotiated: %v 3.%d %v", ok, minor, unknown)
		if ok && minor != 0 {
			t.Errorf("minor %d", minor)
		}
	}
}

// A certificate signed with SHA-384 is bound by its SHA-384, and only by that.
func TestLongerHash(t *testing.T) {
	s := startServer(t, pgserver.V15, x509.ECDSAWithSHA384)
	o := login.Options{User: "u_scram", Password: "secret", Database: "postgres", TLS: true, RequireBinding: true}
	try(t, s.Addr(), attempt{name: "sha384", opt: o, binding: true})
}
