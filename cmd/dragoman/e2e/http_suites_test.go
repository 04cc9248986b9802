package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/httpsuites"
)

// plainEnvoy is an Envoy that terminates the same TLS and routes to the target, without us.
const plainEnvoy = `
static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: %[1]d}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates: [{certificate_chain: {filename: gw.pem}, private_key: {filename: gw.key}}]
            validation_context: {trusted_ca: {filename: ca.pem}}
      filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: plain
          upgrade_configs: [{upgrade_type: websocket}]
          http2_protocol_options: {max_concurrent_streams: 256}
          delayed_close_timeout: 0.2s
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: target, timeout: 0s}}]}]}
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: target
    load_assignment: {cluster_name: target, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]s}}}}]}]}
`

// messageServer sends back the messages of WebSocket connections as RFC 6455 wants it, and has a page for others.
func messageServer(t *testing.T) string {
	t.Helper()
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, strings.Repeat("a page for h2spec\n", 100))
			return
		}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, b, err := c.ReadMessage()
			if err == nil && kind == websocket.TextMessage && !utf8.Valid(b) {
				c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, ""), time.Now().Add(time.Minute))
				return
			}
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// certified is an address at which bytes go on over TLS with a client certificate: the suites have none.
func certified(t *testing.T, to string, cfg *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	open.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				open.Go(func() { relayTLS(c, to, cfg) })
			}
		}
	})
	return l.Addr().String()
}

func relayTLS(c net.Conn, to string, cfg *tls.Config) {
	defer c.Close()
	d, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", to, cfg)
	if err != nil {
		return
	}
	defer d.Close()
	var up sync.WaitGroup
	up.Go(func() {
		io.Copy(d, c)
		d.CloseWrite()
		d.SetReadDeadline(time.Now().Add(10 * time.Second)) // the suite is not there any more
	})
	io.Copy(c, d)
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Now().Add(time.Second))
	up.Wait()
}

// compare reports the cases that went another way through the gateway, also when they are run again: on a busy machine
// some wait in vain.
func compare(t *testing.T, suite string, plain, ours httpsuites.Results, again func(names []string) []httpsuites.Results) {
	t.Helper()
	differ := func() (names []string) {
		for _, name := range slices.Sorted(maps.Keys(plain)) {
			if plain[name] != ours[name] {
				names = append(names, name)
			}
		}
		return names
	}
	if names := differ(); len(names) > 0 {
		r := again(names)
		for _, name := range names {
			plain[name], ours[name] = r[0][name], r[1][name]
		}
	}
	passed := 0
	for _, name := range differ() {
		t.Errorf("%s %s: plain Envoy: %s; the gateway: %s", suite, name, plain[name], ours[name])
	}
	for _, how := range plain {
		if how == "passed" || strings.HasPrefix(how, "OK, OK") {
			passed++
		}
	}
	if len(plain) < 30 || len(plain) != len(ours) {
		t.Errorf("%s: %d cases ran through plain Envoy, %d through the gateway", suite, len(plain), len(ours))
	}
	t.Logf("%s: %d cases, %d of them passed, the same through plain Envoy and the gateway", suite, len(plain), passed)
}

// TestHTTPSuites: h2spec and Autobahn's cases give the same through plain Envoy and the gateway, case by case. With
// DRAGOMAN_HTTP_SUITES=all also the long ones.
func TestHTTPSuites(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	ca := newAuthority(t, "agents")
	server, target := ca.issue("gw", "gw.example.com"), messageServer(t)
	files := map[string]string{"gw.pem": server.Cert, "gw.key": server.Key, "ca.pem": ca.PEM}
	port := freePort(t)
	newGateway(t, setup{Files: files, Config: "identity: {spiffe: [{name: example.org, groups: [agents]}]}\ntargets:\n" +
		httpTargetYAML("web", target, port, ", tls: {client: {cert: gw.pem, key: gw.key, client_ca: ca.pem}}") + allowHTTP}).start()
	addrs := map[string]string{"gateway": fmt.Sprintf("127.0.0.1:%d", port), "plain": startPlainEnvoy(t, files, target)}
	cert := ca.issue("agent", "spiffe://example.org/agent/bot").pair(t)
	at := func(which, protocol string) string {
		return certified(t, addrs[which], &tls.Config{RootCAs: ca.pool(), ServerName: "gw.example.com", Certificates: []tls.Certificate{cert}, NextProtos: []string{protocol}})
	}
	both := func(protocol string, f func(addr string) (httpsuites.Results, error)) []httpsuites.Results {
		all := make([]httpsuites.Results, 2)
		var run sync.WaitGroup
		for i, which := range []string{"plain", "gateway"} { // at once: they wait more than they work
			addr := at(which, protocol)
			run.Go(func() {
				r, err := f(addr)
				if err != nil {
					t.Error(which, err)
				}
				all[i] = r
			})
		}
		run.Wait()
		return all
	}
	long := os.Getenv("DRAGOMAN_HTTP_SUITES") == "all"
	t.Run("h2spec", func(t *testing.T) {
		f := func(sections ...string) []httpsuites.Results {
			return both("h2", func(a string) (httpsuites.Results, error) {
				return httpsuites.H2Spec(ctx, tools, a, 5*time.Second, sections...)
			})
		}
		sections := []string{"generic", "hpack"}
		if long {
			sections = nil
		}
		r := f(sections...)
		compare(t, "h2spec", r[0], r[1], func(names []string) []httpsuites.Results {
			var sections []string
			for _, name := range names {
				section, _, _ := strings.Cut(name, "/")
				sections = append(sections, section)
			}
			return f(slices.Compact(sections)...)
		})
	})
	t.Run("autobahn", func(t *testing.T) {
		without := []string{"9.*", "12.*", "13.*"}
		if long {
			without = nil
		}
		f := func(cases, without []string) []httpsuites.Results {
			return both("http/1.1", func(a string) (httpsuites.Results, error) { return httpsuites.Autobahn(ctx, tools, a, cases, without) })
		}
		r := f(nil, without)
		compare(t, "Autobahn", r[0], r[1], func(names []string) []httpsuites.Results { return f(names, nil) })
	})
}

// startPlainEnvoy gives the address of an Envoy of its own before the target.
func startPlainEnvoy(t *testing.T, files map[string]string, target string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dgm-plain-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port := freePort(t)
	_, to, _ := net.SplitHostPort(target)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "envoy.yaml"), fmt.Appendf(nil, plainEnvoy, port, to), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := envoy.Ensure(context.Background(), tools, envoy.Version)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-c", "envoy.yaml", "--concurrency", "2", "--use-dynamic-base-id", "-l", "error")
	cmd.Dir = dir
	c, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Signal(syscall.SIGKILL); c.Wait() })
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for range 600 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("plain Envoy does not listen")
	return ""
}
