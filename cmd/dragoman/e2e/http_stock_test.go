package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/child"
)

const stockBootstrap = `
static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: %[1]d}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: stock
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              typed_per_filter_config:
                ext_authz:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                  check_settings: {context_extensions: {dragoman.target: web, dragoman.node: gateway}}
              routes: [{match: {prefix: "/"}, route: {cluster: target}}]
          http_filters:
          - name: ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              grpc_service: {envoy_grpc: {cluster_name: authz}, timeout: 60s}
              with_request_body: {max_request_bytes: 262144, pack_as_bytes: true}
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: target
    load_assignment: {cluster_name: target, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]s}}}}]}]}
  - name: authz
    load_assignment: {cluster_name: authz, endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: %[3]s}}}}]}]}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
`

// TestHTTPStockExtAuthz: an Envoy without our module asks our authz through its own ext_authz filter.
func TestHTTPStockExtAuthz(t *testing.T) {
	s := newService(t)
	g, _ := httpGateway(t, s.addr(), ", credentials: {header: X-Api-Key, value: 'file:gw-password'}", flowPolicy)
	port := freePort(t)
	_, target, _ := net.SplitHostPort(s.addr())
	g.write("stock.yaml", fmt.Sprintf(stockBootstrap, port, target, filepath.Join(g.dir, "data", "run", "control.sock")))
	binary, err := envoy.Ensure(context.Background(), filepath.Join(repo, ".tools"), envoy.Version)
	if err != nil {
		t.Fatal(err)
	}
	c, err := child.Start(exec.Command(binary, "-c", filepath.Join(g.dir, "stock.yaml"), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Signal(syscall.SIGKILL); c.Wait() })
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	token := g.token("agents")
	var a answer
	for range 100 {
		if a, err = tryAsk(http.DefaultClient, token, "GET", url+"/customers", "", "Dragoman-Identity", "fake"); err == nil && a.StatusCode != 503 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if h := s.last(); err != nil || a.StatusCode != 200 || h.Get("X-Api-Key") != "sesame" || h.Get("Authorization") != "" || strings.Count(h.Get("Dragoman-Identity"), ".") != 2 {
		t.Fatal(err, a.StatusCode, a.text, h)
	}
	part := strings.Split(s.last().Get("Dragoman-Identity"), ".")
	claims, _ := base64.RawURLEncoding.DecodeString(part[1])
	var said struct{ Sid string }
	if err := json.Unmarshal(claims, &said); err != nil || said.Sid == "" {
		t.Error(err, string(claims))
	}
	g.logged("an ext_authz request is let through", said.Sid, "agent:ci", "verdict=allow")
	if a := ask(t, "", "GET", url+"/customers", ""); a.StatusCode != 401 || a.problem(t)["code"] != "unauthenticated" || a.Header.Get("WWW-Authenticate") == "" {
		t.Error(a.StatusCode, a.text)
	}
	if a := ask(t, token, "DELETE", url+"/customers", ""); a.StatusCode != 403 || a.problem(t)["rule"] != "no-deletes" {
		t.Error(a.StatusCode, a.text)
	}
	if a := ask(t, token, "GET", url+"/x/../customers", ""); a.StatusCode != 403 {
		t.Error("a path that is not in normal form was let through:", a.StatusCode, a.text)
	}
	g.logged("an ext_authz request is blocked by policy", "rule=no-deletes")
	g.logged("an ext_authz request is denied: the path is not in normal form", "agent:ci")
	for _, word := range []string{"approve", "deny"} {
		got := make(chan answer)
		go func() { got <- ask(t, token, "POST", url+"/orders", `{"item":"`+word+`"}`) }()
		id := g.pendingHold()
		g.must("approvals", word, id, "--reason", "test", "--as", "user:lea@example.com", "--group", "leads")
		if a := <-got; word == "approve" && (a.StatusCode != 200 || !strings.Contains(a.text, "approve")) || word == "deny" && (a.StatusCode != 403 || a.problem(t)["hold"] != id) {
			t.Error(word, a.StatusCode, a.text)
		}
	}
	if n := s.posts.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	// All of it is in the store's record: what was asked, what policy said, who decided; no token, and no credential of the target's.
	text := g.replay(said.Sid, "GET /customers", "DELETE /customers", "no-deletes", "POST /orders", "lea@example.com")
	if strings.Contains(text, token) || strings.Contains(text, "sesame") {
		t.Error(text)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(g.must("sessions", "replay", "--json", said.Sid)) {
		var f struct {
			Kind    string `json:"kind"`
			Payload struct {
				State    string
				Status   string
				Decision struct{ Verdict string }
			}
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(line, err)
		}
		kinds[f.Kind+" "+f.Payload.Decision.Verdict+f.Payload.State+f.Payload.Status]++
	}
	want := map[string]int{"action block": 2, "action hold": 2, "hold pending": 2, "hold used": 1, "hold denied": 1, "result denied": 1, "result blocked": 2}
	for what, n := range want {
		if kinds[what] != n {
			t.Errorf("%s: %d, want %d: %v", what, kinds[what], n, kinds)
		}
	}
	if kinds["action allow"] == 0 || kinds["result ok"] != kinds["action allow"]+1 {
		t.Error(kinds)
	}
	var list struct {
		Sessions []struct{ ID, Subject, Target string }
	}
	if err := json.Unmarshal([]byte(g.must("sessions", "list", "--json", "--target", "web")), &list); err != nil || len(list.Sessions) != 1 || list.Sessions[0].ID != said.Sid {
		t.Errorf("%+v %v", list, err)
	}
}

// logged waits for a line of the control plane's log that has all the words.
func (g *gateway) logged(words ...string) {
	g.t.Helper()
	for range 600 {
		for line := range strings.Lines(g.log.String()) {
			has := true
			for _, w := range words {
				has = has && strings.Contains(line, w)
			}
			if has {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	g.t.Errorf("no line of the log has %q", words)
}
