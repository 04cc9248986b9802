package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/httpserver"
	"dragoman.dev/dragoman/internal/localserver"
)

// What is compared, in the order of the columns.
const (
	plain    = "plain Envoy"
	extAuthz = "plain Envoy, ext_authz"
	dragoman = "dragoman"
	masked   = "dragoman, masks"
)

var names = []string{plain, extAuthz, dragoman, masked}

// peer is a way to the target.
type peer struct {
	url, token     string
	proxy, control int // processes; control is 0 where there is none
}

// rig is a real nginx and the ways to it.
type rig struct {
	dir   string
	peers map[string]*peer
	stops []func()
}

// server has a small document and no log: what is measured is in front of it.
const server = `access_log off;
location /api/ { default_type application/json; return 200 '{"id":7,"name":"Ada Lovelace","email":"ada@example.com","orders":[{"id":1,"total":"12.50"},{"id":2,"total":"7.00"}]}'; }
`

const plainYAML = `
static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: %[1]d}}
    per_connection_buffer_limit_bytes: 262144
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: plain
          generate_request_id: false
          stream_idle_timeout: 0s
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: target, timeout: 0s}}]}]}
          http_filters:%[4]s
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: target
    per_connection_buffer_limit_bytes: 262144
    load_assignment: {cluster_name: target, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]s}}}}]}]}
  - name: authz
    load_assignment: {cluster_name: authz, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[3]s}}}}]}]}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
`

const extAuthzYAML = `
          - name: ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              grpc_service: {envoy_grpc: {cluster_name: authz}, timeout: 10s}`

const dragomanYAML = `data: data
envoy: {binary: %s, version: %s, module: %s, concurrency: 2, drain_time: 1s}
targets:
  - {name: plain, protocol: http, address: %[4]s, listen: '127.0.0.1:%[5]d', credentials: {header: X-Api-Key, value: "file:key"}}
  - {name: masked, protocol: http, address: %[4]s, listen: '127.0.0.1:%[6]d', credentials: {header: X-Api-Key, value: "file:key"}}
policy:
  rules:
    - {name: may-come, verdict: allow, when: {groups: [agents], kinds: [connect]}}
    - {name: reads, verdict: allow, when: {groups: [agents], methods: [GET, HEAD], paths: ["/**"]}}
    - {name: writes-wait, verdict: hold, when: {groups: [agents], methods: [POST, PUT, PATCH], paths: ["/api/**"]}, approvers: [leads]}
    - {name: no-deletes, verdict: block, when: {methods: [DELETE]}}
  masks:
    - {name: email, json: ["$.email", "$..email"], targets: [masked], opaque: allow}
`

// authorizer says yes: what the filter and the call cost, without any deciding.
type authorizer struct {
	auth.UnimplementedAuthorizationServer
}

func (authorizer) Check(context.Context, *auth.CheckRequest) (*auth.CheckResponse, error) {
	return &auth.CheckResponse{Status: &status.Status{}, HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{}}}, nil
}

func startRig(ctx context.Context, o options) (*rig, error) {
	dir, err := os.MkdirTemp("", "bench-http-") // short: it holds unix sockets
	if err != nil {
		return nil, err
	}
	r := &rig{dir: dir, peers: map[string]*peer{}}
	if err := r.start(ctx, o); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *rig) stop() {
	for i := len(r.stops) - 1; i >= 0; i-- {
		r.stops[i]()
	}
	os.RemoveAll(r.dir)
}

func (r *rig) start(ctx context.Context, o options) error {
	bin, err := httpserver.Ensure(ctx, o.tools)
	if err != nil {
		return err
	}
	n, err := httpserver.Start(httpserver.Options{Bin: bin, Dir: r.dir, Server: server})
	if err != nil {
		return err
	}
	r.stops = append(r.stops, n.Stop)
	if o.mib > 0 {
		if err := sparse(filepath.Join(r.dir, "html", "long.bin"), o.mib<<20); err != nil {
			return err
		}
	}
	binary, err := envoy.Ensure(ctx, o.tools, envoy.Version)
	if err != nil {
		return err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := grpc.NewServer()
	auth.RegisterAuthorizationServer(srv, authorizer{})
	go srv.Serve(l)
	r.stops = append(r.stops, srv.Stop)
	_, target, _ := net.SplitHostPort(n.Addr)
	_, authz, _ := net.SplitHostPort(l.Addr().String())
	for name, filter := range map[string]string{plain: "", extAuthz: extAuthzYAML} {
		if err := r.startPlain(ctx, binary, name, target, authz, filter); err != nil {
			return err
		}
	}
	return r.startDragoman(ctx, binary, o.bin, n.Addr)
}

func sparse(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(n), f.Close())
}

func (r *rig) startPlain(ctx context.Context, binary, name, target, authz, filter string) error {
	port, err := localserver.FreePort()
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, strings.ReplaceAll(name, " ", "-")+".yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, plainYAML, port, target, authz, filter), 0o600); err != nil {
		return err
	}
	c, err := r.launch(ctx, file+".log", localserver.Answers(fmt.Sprintf("127.0.0.1:%d", port)), binary, "-c", file, "--concurrency", "2", "--disable-hot-restart", "-l", "error")
	if err != nil {
		return err
	}
	r.peers[name] = &peer{url: fmt.Sprintf("http://127.0.0.1:%d", port), token: "none", proxy: c.PID()}
	return nil
}

func (r *rig) startDragoman(ctx context.Context, binary, bin, target string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	first, err := localserver.FreePort()
	if err != nil {
		return err
	}
	second, err := localserver.FreePort()
	if err != nil {
		return err
	}
	config, log := filepath.Join(r.dir, "dragoman.yaml"), filepath.Join(r.dir, "log")
	for path, text := range map[string]string{config: fmt.Sprintf(dragomanYAML, binary, envoy.Version, bin, target, first, second), filepath.Join(r.dir, "key"): "sesame\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	c, err := r.launch(ctx, log, localserver.SaysLine(log, "ready"), filepath.Join(bin, "dragoman"), "up", "-c", config)
	if err != nil {
		return err
	}
	process := proc.Child(c.PID(), "envoy")
	if process == 0 {
		return errors.New("dragoman up has no child called envoy")
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "dragoman"), "token", "create", "-c", config, "--subject", "agent:bench",
		"--on-behalf-of", "user:alice@example.com", "--group", "agents", "--ttl", "4h")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("dragoman token create: %w\n%s", err, errs.String())
	}
	for name, port := range map[string]int{dragoman: first, masked: second} {
		r.peers[name] = &peer{url: fmt.Sprintf("http://127.0.0.1:%d", port), token: strings.TrimSpace(string(out)), proxy: process, control: c.PID()}
	}
	return nil
}

// launch starts a program and waits until it is ready.
func (r *rig) launch(ctx context.Context, log string, ready func() bool, name string, args ...string) (*child.Child, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c, err := localserver.Start(ctx, cmd, log, syscall.SIGTERM, ready)
	if err != nil {
		return nil, err
	}
	r.stops = append(r.stops, func() { c.End(syscall.SIGTERM, 20*time.Second) })
	return c, nil
}
