package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"testing"

	"dragoman.dev/dragoman/internal/testca"
)

// authority is a certificate authority for one test.
type authority struct {
	*testca.Authority
	t   testing.TB
	PEM string
}

// leaf is a certificate and its key, as PEM.
type leaf struct{ Cert, Key string }

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a, err := testca.New(name)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{Authority: a, t: t, PEM: a.PEM()}
}

// issue makes a certificate for server and client use: names that are IP
// addresses, spiffe:// URIs or DNS names become what they look like.
func (a *authority) issue(commonName string, names ...string) leaf {
	a.t.Helper()
	cert, key, err := a.Issue(pkix.Name{CommonName: commonName}, names...)
	if err != nil {
		a.t.Fatal(err)
	}
	return leaf{cert, key}
}

// pool trusts the authority.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Cert)
	return p
}

// pair is the leaf for crypto/tls.
func (l leaf) pair(t testing.TB) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair([]byte(l.Cert), []byte(l.Key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// file writes a text where libpq can read it, and returns the path.
func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
