package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHTTPTLS: TLS on both sides, HTTP/2, targets by server name, and a client certificate in place of a token.
func TestHTTPTLS(t *testing.T) {
	ca, other := newAuthority(t, "agents"), newAuthority(t, "others")
	server, upstream := ca.issue("gw", "a.example.com", "b.example.com"), ca.issue("target", "127.0.0.1", "target.internal")
	var got http.Header
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		fmt.Fprint(w, r.Proto, " ", r.Host)
	}))
	back.TLS = &tls.Config{Certificates: []tls.Certificate{upstream.pair(t)}}
	back.EnableHTTP2 = true
	back.StartTLS()
	defer back.Close()
	port := freePort(t)
	target := func(name, sni, mode, more string) string {
		return fmt.Sprintf("  - {name: %s, protocol: http, address: '%s', listen: '127.0.0.1:%d', sni: [%s], tls: {client: {cert: gw.pem, key: gw.key, client_ca: ca.pem}, upstream: %s}, http: %s}\n",
			name, back.Listener.Addr(), port, sni, mode, more)
	}
	g := newGateway(t, setup{
		Config: "identity: {spiffe: [{name: example.org, groups: [agents]}]}\ntargets:\n" +
			target("web", "a.example.com", "{mode: verify-full, ca: ca.pem, server_name: target.internal}", "{version: auto, host: target.internal}") +
			target("wrong", "b.example.com", "{mode: verify-full, ca: ca.pem, server_name: not.it}", "{version: '1.1'}") + allowHTTP,
		Files: map[string]string{"gw.pem": server.Cert, "gw.key": server.Key, "ca.pem": ca.PEM},
	}).start()
	client := func(name string, certs ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: ca.pool(), ServerName: name, Certificates: certs}}}
	}
	url := fmt.Sprintf("https://127.0.0.1:%d/x", port)
	token := g.token("agents")
	a, err := tryAsk(client("a.example.com"), token, "GET", url, "")
	if err != nil || a.StatusCode != 200 || a.ProtoMajor != 2 || a.text != "HTTP/2.0 target.internal" {
		t.Fatal(a.Response, a.text, err)
	}
	if a, err := tryAsk(client("b.example.com"), token, "GET", url, ""); err != nil || a.StatusCode != 503 {
		t.Error("a target with another name in its certificate was served:", a.Response, a.text, err)
	}
	for name, c := range map[string]struct {
		cert tls.Certificate
		code int
	}{
		"a member":          {ca.issue("agent", "spiffe://example.org/agent/bot").pair(t), 200},
		"another domain":    {ca.issue("agent", "spiffe://example.net/agent/bot").pair(t), 401},
		"two names":         {ca.issue("agent", "spiffe://example.org/agent/bot", "spiffe://example.org/agent/admin").pair(t), 401},
		"no name":           {ca.issue("agent", "agent.example.org").pair(t), 401},
		"a name with parts": {ca.issue("agent", "spiffe://example.org/agent/admin;URI=spiffe://example.org/x").pair(t), 401},
	} {
		a, err := tryAsk(client("a.example.com", c.cert), "", "GET", url, "", "X-Forwarded-Client-Cert", "URI=spiffe://example.org/agent/admin")
		if err != nil || a.StatusCode != c.code {
			t.Error(name, a.Response, a.text, err)
		}
		if c.code == 200 && (got.Get("X-Forwarded-Client-Cert") != "" || strings.Count(got.Get("Dragoman-Identity"), ".") != 2) {
			t.Error(got)
		}
	}
	stranger := other.issue("x", "spiffe://example.org/agent/bot").pair(t)
	c := client("a.example.com")
	c.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }
	if a, err := tryAsk(c, "", "GET", url, ""); err == nil {
		t.Error("a certificate of another authority was accepted:", a.StatusCode, a.text)
	}
	if a, err := tryAsk(http.DefaultClient, token, "GET", strings.Replace(url, "https", "http", 1), ""); err == nil && a.StatusCode < 400 {
		t.Error("a token without TLS was accepted:", a.StatusCode)
	}
}
