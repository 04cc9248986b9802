package xds

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"dragoman.dev/dragoman/internal/config"
)

const twoNodes = `
envoy:
  control: {listen: 127.0.0.1:1, cert: cp.crt, key: cp.key, client_ca: ca.crt}
  nodes:
    - {name: sidecar, spiffe: spiffe://example.org/node/sidecar, role: sidecar}
targets:
  - {name: shop, address: "127.0.0.1:1", listen: "127.0.0.1:15432", credentials: {user: app}, tls: {client: {cert: gw.crt, key: gw.key}}}
  - {name: ledger, address: "127.0.0.1:2", listen: "127.0.0.1:15433", nodes: [sidecar], credentials: {user: app}, tls: {client: {cert: sc.crt, key: sc.key}}}
policy: {dir: policy}
`

// rig is a server on a unix socket and on a TCP port with mutual TLS.
type rig struct {
	t      *testing.T
	server *Server
	cfg    *config.Config
	socket string
	tcp    string
	ca     *authority
}

func newRig(t *testing.T, yaml string) *rig {
	cfg, err := config.Parse([]byte(yaml), filepath.Join(t.TempDir(), "dragoman.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{t: t, cfg: cfg, socket: filepath.Join(t.TempDir(), "s"), ca: newAuthority(t)}
	r.server = NewServer(ctx, Options{Config: cfg, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		ReadFile: func(p string) ([]byte, error) { return []byte("PEM of " + filepath.Base(p)), nil }})
	unix, err := net.Listen("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.tcp = tcp.Addr().String()
	local := grpc.NewServer()
	remote := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{r.ca.leaf("spiffe://example.org/control")},
		ClientCAs:    r.ca.pool, ClientAuth: tls.RequireAndVerifyClientCert,
	})))
	r.server.Register(local)
	r.server.Register(remote)
	go local.Serve(unix)
	go remote.Serve(tcp)
	t.Cleanup(func() { cancel(); local.Stop(); remote.Stop() })
	return r
}

// client is a delta ADS client that acknowledges (or refuses) what it gets.
type client struct {
	t      *testing.T
	str    discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	node   string
	refuse string // NACK with this message
	got    map[string][]string
	errs   chan error
	resp   chan *discovery.DeltaDiscoveryResponse
}

func (r *rig) dialUnix() *grpc.ClientConn {
	return r.dial("unix://"+r.socket, insecure.NewCredentials())
}

func (r *rig) dialTLS(cert tls.Certificate) *grpc.ClientConn {
	return r.dial(r.tcp, credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: r.ca.pool, ServerName: "localhost"}))
}

func (r *rig) dial(to string, creds credentials.TransportCredentials) *grpc.ClientConn {
	c, err := grpc.NewClient(to, grpc.WithTransportCredentials(creds))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

func (r *rig) open(conn *grpc.ClientConn, node string) *client {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	r.t.Cleanup(cancel)
	str, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &client{t: r.t, str: str, node: node, got: map[string][]string{}, errs: make(chan error, 1), resp: make(chan *discovery.DeltaDiscoveryResponse, 16)}
	go func() {
		for {
			m, err := str.Recv()
			if err != nil {
				c.errs <- err
				return
			}
			c.resp <- m
		}
	}()
	return c
}

func (c *client) subscribe(url string, names ...string) {
	req := &discovery.DeltaDiscoveryRequest{TypeUrl: url, ResourceNamesSubscribe: names}
	if c.node != "" {
		req.Node = &core.Node{Id: c.node}
	}
	if err := c.str.Send(req); err != nil && !errors.Is(err, io.EOF) {
		c.t.Fatal(err)
	}
}

// next waits for one response, answers it and returns it with its names.
func (c *client) next() (*discovery.DeltaDiscoveryResponse, []string, error) {
	select {
	case err := <-c.errs:
		return nil, nil, err
	case m := <-c.resp:
		var names []string
		for _, r := range m.GetResources() {
			names = append(names, r.GetName())
		}
		slices.Sort(names)
		ack := &discovery.DeltaDiscoveryRequest{TypeUrl: m.GetTypeUrl(), ResponseNonce: m.GetNonce()}
		if c.refuse != "" {
			ack.ErrorDetail = &rpc.Status{Message: c.refuse}
		}
		return m, names, c.str.Send(ack)
	case <-time.After(60 * time.Second):
		return nil, nil, errors.New("nothing came")
	}
}

func (c *client) want(url string, subscribe []string, names ...string) *discovery.DeltaDiscoveryResponse {
	c.t.Helper()
	c.subscribe(url, subscribe...)
	m, got, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	if m.GetTypeUrl() != url || !slices.Equal(got, names) {
		c.t.Fatalf("%s: got %s %q, want %q", url, m.GetTypeUrl(), got, names)
	}
	return m
}

// quiet fails when something comes within a while.
func (c *client) quiet() {
	c.t.Helper()
	select {
	case m := <-c.resp:
		c.t.Fatalf("unexpected %s %v", m.GetTypeUrl(), m.GetResources())
	case <-time.After(200 * time.Millisecond):
	}
}

// authority signs certificates with SPIFFE IDs.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, pool: x509.NewCertPool()}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) leaf(uris ...string) tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil {
			a.t.Fatal(err)
		}
		tmpl.URIs = append(tmpl.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

var types = []string{resource.ListenerType, resource.ClusterType, resource.SecretType, resource.ExtensionConfigType}
