package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/envoy/envoytest"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

const gatewayAndSidecar = `
  control: {listen: "127.0.0.1:%d", cert: control.crt, key: control.key, client_ca: nodes.crt}
  nodes:
    - {name: sidecar, spiffe: spiffe://example.org/node/sidecar, role: sidecar}
targets:
  - {name: shop, address: DB, listen: "127.0.0.1:%d", credentials: {user: postgres, password: file:pw}}
  - {name: ledger, address: DB, listen: "127.0.0.1:%d", nodes: [sidecar], credentials: {user: postgres, password: file:pw}}
policy: {dir: policy}
`

// sidecar runs an Envoy from the bootstrap that `dragoman bootstrap` prints, with the certificate of
// that name.
func (r *rig) sidecar(cert string) *envoy.Admin {
	r.t.Helper()
	admin := filepath.Join(r.dir, cert+".sock")
	var boot, env bytes.Buffer
	file := func(name string) string { return filepath.Join(r.dir, name) }
	code := run(context.Background(), []string{"bootstrap", "-c", r.config, "--node", "sidecar", "--ca", file("nodes.crt"), "--cert", file(cert + ".crt"),
		"--key", file(cert + ".key"), "--admin-socket", admin, "--spool", file(cert + "-spool")}, strings.NewReader(""), &boot, &env)
	if code != 0 || !strings.Contains(env.String(), nodeconfig.EnvTLSCert) {
		r.t.Fatalf("bootstrap: exit %d\n%s", code, env.String())
	}
	r.write(cert+".json", boot.String())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	options := envoy.Options{
		Process: envoy.Process{Binary: envoytest.Binary(r.t), Bootstrap: file(cert + ".json"), ModuleDir: filepath.Dir(envoytest.Module(r.t, "")),
			Concurrency: 1, Env: strings.Split(strings.TrimSpace(env.String()), "\n")[:6]},
		Admin: envoy.NewAdmin(admin), Log: slog.New(slog.NewTextHandler(r.log, nil)).With("from", cert), Drain: 100 * time.Millisecond,
	}
	go func() { done <- envoy.Run(ctx, options) }()
	r.t.Cleanup(func() { cancel(); <-done })
	return options.Admin
}

// TestTwoNodes: a sidecar over mutual TLS serves its own target and nothing else,
// its sessions are recorded, and policy reaches it; a certificate of
// another identity gets nothing.
func TestTwoNodes(t *testing.T) {
	control, gw, sc := freePort(t), freePort(t), freePort(t)
	r := newRig(t, fmt.Sprintf(gatewayAndSidecar, control, gw, sc), map[string]string{"pw": "postgres\n", "policy/rules.yaml": readers})
	ca := r.newAuthority("nodes")
	ca.leaf("control", "")
	ca.leaf("sidecar", "spiffe://example.org/node/sidecar")
	ca.leaf("thief", "spiffe://example.org/node/thief")
	r.up()
	admin := r.sidecar("sidecar")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	name := fmt.Sprintf("dragoman/127.0.0.1:%d", sc)
	if err := admin.Ready(ctx, name); err != nil {
		t.Fatal(err)
	}
	if l, err := admin.Listeners(ctx); err != nil || len(l) != 1 {
		t.Errorf("the sidecar has the listeners %v (%v)", l, err)
	}
	dump, err := admin.Do(ctx, "GET", "/config_dump")
	if err != nil || !strings.Contains(string(dump), "dragoman/ledger") {
		t.Fatal("no config dump", err)
	}
	for _, no := range []string{"dragoman/shop", fmt.Sprint(gw)} {
		if strings.Contains(string(dump), no) {
			t.Errorf("the sidecar's configuration has %s", no)
		}
	}
	c, err := r.connect(sc, r.token("readers"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryRow(ctx, "SELECT 42").Scan(&n); err != nil || n != 42 {
		t.Fatal(n, err)
	}
	r.eventually("both are in sync", func() bool {
		return nodeStatus(t, r, "sidecar").InSync && nodeStatus(t, r, "gateway").InSync
	})
	id := r.liveSession()
	r.eventually("the sidecar's record arrives", func() bool {
		out := r.must("sessions", "show", id)
		return strings.Contains(out, "sidecar") && strings.Contains(out, "SELECT 42")
	})
	r.write("policy/rules.yaml", strings.Replace(readers, "allow", "block", 1))
	r.eventually("the push arrives at the sidecar", func() bool {
		_, err := c.Exec(ctx, "SELECT 42")
		return sqlstate(err) == "42501"
	})

	thief := r.sidecar("thief")
	time.Sleep(time.Second)
	if l, err := thief.Listeners(ctx); err == nil && len(l) != 0 {
		t.Errorf("the thief has the listeners %v", l)
	}
}
