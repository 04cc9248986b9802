package authz

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/check"
)

// ca signs certificates for tests.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newCA(t *testing.T) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c := &ca{key: key, pool: x509.NewCertPool()}
	c.cert, _ = x509.ParseCertificate(der)
	c.pool.AddCert(c.cert)
	return c
}

func (c *ca) leaf(t *testing.T, uris ...string) tls.Certificate {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	for _, u := range uris {
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.URIs = append(tmpl.URIs, parsed)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.cert, key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// asking answers with the node that NodeFunc names.
type asking struct{ node NodeFunc }

func (a asking) Check(ctx context.Context, req *auth.CheckRequest) (*auth.CheckResponse, error) {
	q, err := check.DecodeQuestion(req)
	if err != nil {
		return nil, err
	}
	node, err := a.node(ctx, q.Open.Node)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	return check.EncodeRefusal(&check.Refusal{Message: node})
}

func TestMutualTLSNode(t *testing.T) {
	c := newCA(t)
	nodes := MutualTLSNode(func(id string) (string, bool) {
		node, ok := strings.CutPrefix(id, "spiffe://example.org/node/")
		return node, ok
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// VerifyClientCertIfGiven: the NodeFunc alone must refuse who has none.
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{c.leaf(t)}, ClientCAs: c.pool, ClientAuth: tls.VerifyClientCertIfGiven})))
	auth.RegisterAuthorizationServer(srv, asking{nodes})
	go srv.Serve(l)
	defer srv.Stop()
	for name, tc := range map[string]struct {
		certs   []tls.Certificate
		claimed string
		want    string
	}{
		"itself":         {[]tls.Certificate{c.leaf(t, "spiffe://example.org/node/a")}, "a", "a"},
		"somebody else":  {[]tls.Certificate{c.leaf(t, "spiffe://example.org/node/a")}, "b", ""},
		"nothing":        {[]tls.Certificate{c.leaf(t, "spiffe://example.org/node/a")}, "", ""},
		"no node":        {[]tls.Certificate{c.leaf(t, "spiffe://example.org/agent/a")}, "a", ""},
		"two names":      {[]tls.Certificate{c.leaf(t, "spiffe://example.org/node/a", "spiffe://example.org/node/b")}, "a", ""},
		"no name":        {[]tls.Certificate{c.leaf(t)}, "a", ""},
		"no certificate": {nil, "a", ""},
	} {
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: c.pool, Certificates: tc.certs})))
		if err != nil {
			t.Fatal(err)
		}
		_, err = check.NewClient(conn, nil).Open(t.Context(), check.OpenRequest{Node: tc.claimed})
		if got := err.Error(); strings.HasSuffix(got, ": "+tc.want) != (tc.want != "") {
			t.Errorf("%s: %s", name, got)
		}
		conn.Close()
	}
}

// A plain TCP peer is nobody, for both functions.
func TestPlainPeerIsNobody(t *testing.T) {
	for i, f := range []NodeFunc{LocalNode, MutualTLSNode(func(string) (string, bool) { return "a", true })} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := grpc.NewServer()
		auth.RegisterAuthorizationServer(srv, asking{f})
		go srv.Serve(l)
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = check.NewClient(conn, nil).Open(t.Context(), check.OpenRequest{Node: "a"})
		if status.Code(err) != codes.PermissionDenied && !strings.Contains(fmt.Sprint(err), "PermissionDenied") {
			t.Errorf("%d: %v", i, err)
		}
		conn.Close()
		srv.Stop()
	}
}
