package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/policy"
)

// gatewayYAML lets everybody do everything, what cannot be parsed or resolved
// included: what is compared is the protocol, not the policy. The comment that
// tells the target who asks is off, as views of the target's catalog show it.
const gatewayYAML = `data: data
envoy:
  binary: %s
  version: %s
  module: %s
  concurrency: 2
  drain_time: 1s
targets:
  - name: pg
    protocol: postgres
    address: %s
    listen: 127.0.0.1:%d
    allow_function_call: true
    audit: {comment: false}
    credentials:
      user: %s
      password: file:password
      database: ""
policy:
  rules:
    - {name: everything, verdict: allow, features_allowed: [%s]}
`

// place is one way to the server.
type place struct {
	name     string
	port     int
	password string
}

// rig is the server and the gateway in front of it.
type rig struct {
	server  *pgserver.Server
	gateway place
	dir     string
	process *child.Child
}

func (r *rig) direct() place { return place{"direct", r.server.Port, r.server.Password} }

func (r *rig) describe() string {
	var b strings.Builder
	for _, p := range []place{r.direct(), r.gateway} {
		fmt.Fprintf(&b, "%s: PGHOST=127.0.0.1 PGPORT=%d PGUSER=%s PGPASSWORD=%s\n", p.name, p.port, r.server.User, p.password)
	}
	fmt.Fprintf(&b, "server's log: %s\ngateway: %s\n", r.server.LogFile(), r.dir)
	return b.String()
}

// startRig starts both. Passwords are not asked for on the direct way, so that
// scripts may reconnect as whom they like; the gateway's own sign-in is used as
// it is.
func startRig(ctx context.Context, o options) (*rig, error) {
	home, err := pgserver.Ensure(ctx, o.tools, o.version)
	if err != nil {
		return nil, err
	}
	binary, err := envoy.Ensure(ctx, o.tools, envoy.Version)
	if err != nil {
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Options{
		Home: home, HBA: "host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust",
		Settings: map[string]string{"max_prepared_transactions": "10", "wal_level": "logical", "log_statement": "none"},
	})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "peers-") // short: it holds unix sockets
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	r := &rig{server: server, dir: dir}
	if err := r.launch(ctx, o, binary); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *rig) launch(ctx context.Context, o options, binary string) error {
	port, err := localserver.FreePort()
	if err != nil {
		return err
	}
	config := filepath.Join(r.dir, "dragoman.yaml")
	text := fmt.Sprintf(gatewayYAML, binary, envoy.Version, o.bin, r.server.Addr(), port, r.server.User,
		strings.Join(policy.DangerousFeatures(), ", "))
	for path, content := range map[string]string{config: text, filepath.Join(r.dir, "password"): r.server.Password} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	log := filepath.Join(r.dir, "log")
	cmd := exec.Command(filepath.Join(o.bin, "dragoman"), "up", "-c", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if r.process, err = localserver.Start(ctx, cmd, log, syscall.SIGTERM, localserver.SaysLine(log, "ready")); err != nil {
		return err
	}
	token, err := r.token(ctx, o.bin, config)
	r.gateway = place{"gateway", port, token}
	return err
}

func (r *rig) token(ctx context.Context, bin, config string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "dragoman"), "token", "create", "-c", config,
		"--subject", "agent:peers", "--on-behalf-of", "user:alice@example.com", "--ttl", "4h")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("dragoman token create: %w\n%s", err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// stop ends gateway and server and removes their folders.
func (r *rig) stop() error {
	var err error
	if r.process != nil && r.process.End(syscall.SIGTERM, 20*time.Second) {
		err = errors.New("dragoman up did not end within 20 s and was killed") // its Envoy ends with it
	}
	return errors.Join(err, r.server.Stop(), os.RemoveAll(r.dir))
}
