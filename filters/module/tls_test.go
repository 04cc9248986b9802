package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	inspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	starttlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/starttls/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/envoy/envoytest"
)

// authority signs the certificates of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t: t, cert: cert, key: key, pem: pemOf("CERTIFICATE", der)}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// issue makes a certificate for a DNS name, and a SPIFFE ID if id is not "".
func (a *authority) issue(name, id string) (cert tls.Certificate, certPEM, keyPEM []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if id != "" {
		u, err := url.Parse(id)
		if err != nil {
			a.t.Fatal(err)
		}
		template.URIs = []*url.URL{u}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certPEM, keyPEM = pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", keyDER)
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, certPEM, keyPEM
}

func inline(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}

// chain is a filter chain for one server name, with mTLS where a client has a certificate.
func (a *authority) chain(name string, fs ...*listenerv3.Filter) *listenerv3.FilterChain {
	_, certPEM, keyPEM := a.issue(name, "")
	return &listenerv3.FilterChain{
		Name:             name,
		FilterChainMatch: &listenerv3.FilterChainMatch{ServerNames: []string{name}},
		Filters:          fs,
		TransportSocket: &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{
			TypedConfig: envoytest.Any(a.t, &tlsv3.DownstreamTlsContext{
				RequireClientCertificate: wrapperspb.Bool(false),
				CommonTlsContext: &tlsv3.CommonTlsContext{
					TlsCertificates: []*tlsv3.TlsCertificate{{CertificateChain: inline(certPEM), PrivateKey: inline(keyPEM)}},
					ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
						ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(a.pem)}},
				},
			})}},
	}
}

// startTLSListener has two chains by SNI and one for clear text, all "gate", behind
// the listener filter sslrequest.
func startTLSListener(t *testing.T, a *authority, target string) *envoytest.Envoy {
	t.Helper()
	dial := func(config string) []*listenerv3.Filter {
		return []*listenerv3.Filter{envoytest.NetworkFilter(t, "dial", []byte(config)), envoytest.TCPProxy(t, "a")}
	}
	l := envoytest.Listener("l")
	info := []*listenerv3.Filter{envoytest.NetworkFilter(t, "gate", nil), envoytest.TCPProxy(t, "a")}
	l.FilterChains = []*listenerv3.FilterChain{
		a.chain("info.gw", info...),
		a.chain("b.gw", dial("b")...),
		{Name: "clear", Filters: info, FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "raw_buffer"}},
	}
	l.ListenerFilters = []*listenerv3.ListenerFilter{
		envoytest.ListenerFilter(t, "sslrequest", nil),
		{Name: "tls_inspector", ConfigType: &listenerv3.ListenerFilter_TypedConfig{
			TypedConfig: envoytest.Any(t, &inspectorv3.TlsInspector{})}},
	}
	return envoytest.Start(t, envoytest.Config{Tags: tag, Listeners: []*listenerv3.Listener{l},
		Clusters: []*clusterv3.Cluster{envoytest.Cluster("a", target), envoytest.Cluster("b", target)}})
}

var sslRequestBytes = "\x00\x00\x00\x08\x04\xd2\x16\x2f"

// upgrade sends the request in pieces, wants the answer, and does the handshake.
func upgrade(t *testing.T, addr, sni string, a *authority, certs ...tls.Certificate) *client {
	t.Helper()
	c := dial(t, addr)
	for _, piece := range []string{sslRequestBytes[:1], sslRequestBytes[1:5], sslRequestBytes[5:]} {
		c.send(piece)
		time.Sleep(20 * time.Millisecond)
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(c.r, answer); err != nil || answer[0] != 'S' {
		t.Fatalf("answer %q: %v", answer, err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	tc := tls.Client(c.Conn, &tls.Config{ServerName: sni, RootCAs: pool, Certificates: certs})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &client{Conn: tc, t: t, r: bufio.NewReader(tc)}
}

func TestListenerFilterThenTLS(t *testing.T) {
	a := newAuthority(t)
	target := newEcho(t)
	e := startTLSListener(t, a, target.addr)
	t.Run("SNI and client certificate", func(t *testing.T) {
		cert, _, _ := a.issue("client", "spiffe://example.org/agent/1")
		c := upgrade(t, e.Addr("l"), "info.gw", a, cert)
		c.send("info\n")
		got := c.line()
		for _, want := range []string{"tls=true", `sni="info.gw"`, `uri=["spiffe://example.org/agent/1"]`} {
			if !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
	})
	t.Run("other SNI, other chain, no certificate", func(t *testing.T) {
		c := upgrade(t, e.Addr("l"), "b.gw", a)
		c.send("x\n")
		if got := c.line(); !strings.HasPrefix(got, "ready ") && got != "x\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("clear text", func(t *testing.T) {
		c := dial(t, e.Addr("l"))
		c.send("info of a long line\n")
		c.want("closed\n")
	})
	t.Run("refused", func(t *testing.T) {
		c := dial(t, e.Addr("l"))
		c.send("X")
		c.wantEnd()
	})
	t.Run("panic", func(t *testing.T) {
		c := dial(t, e.Addr("l"))
		c.send("P")
		c.wantEnd()
		stats := e.AdminGet("/stats?filter=" + panicsCounter)
		if !strings.Contains(stats, panicsCounter+": 1") {
			t.Errorf("not counted: %q", stats)
		}
	})
}

// startTLSServer waits for STARTTLS, answers and goes over to TLS, and echoes.
func startTLSServer(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				line := make([]byte, len("STARTTLS\n"))
				if _, err := io.ReadFull(c, line); err != nil || string(line) != "STARTTLS\n" {
					return
				}
				fmt.Fprint(c, "GO\n")
				tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
				io.Copy(tc, tc)
			}()
		}
	}()
	return l.Addr().String()
}

func TestStartTLSUpstream(t *testing.T) {
	a := newAuthority(t)
	cert, _, _ := a.issue("db.internal", "")
	cluster := envoytest.Cluster("target", startTLSServer(t, cert))
	cluster.TransportSocket = &corev3.TransportSocket{Name: "starttls", ConfigType: &corev3.TransportSocket_TypedConfig{
		TypedConfig: envoytest.Any(t, &starttlsv3.UpstreamStartTlsConfig{
			CleartextSocketConfig: &rawv3.RawBuffer{},
			TlsSocketConfig: &tlsv3.UpstreamTlsContext{Sni: "db.internal", CommonTlsContext: &tlsv3.CommonTlsContext{
				ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
					ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(a.pem)}},
			}},
		})}}
	e := envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.NetworkFilter(t, "starttls", nil), envoytest.TCPProxy(t, "target"))},
		Clusters: []*clusterv3.Cluster{cluster},
	})
	c := dial(t, e.Addr("l"))
	digest := ""
	if tellsEarly() {
		sum := sha256.Sum256(cert.Certificate[0])
		digest = hex.EncodeToString(sum[:])
	}
	c.want("cert=" + digest + "\n")
	c.want("hello over TLS\n")
	c.send("secret\n")
	c.want("secret\n")
}

func TestStartTLSUpstreamWithoutItsSocket(t *testing.T) {
	e := one(t, "starttls", "", newEcho(t).addr)
	c := dial(t, e.Addr("l"))
	c.want("start TLS to the target: its transport socket is not starttls\n")
}
