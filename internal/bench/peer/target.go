package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/proc"
)

const targetYAML = `data: data
envoy: {binary: %s, version: %s, module: %s, concurrency: %d, drain_time: 1s}
targets:
  - name: bench
    protocol: %s
    address: %s
    listen: 127.0.0.1:%d
    credentials: {user: %s, password: "file:password"}
policy:
  rules:
`

// StartTarget starts `dragoman up` in front of a target of any protocol that logs in with user and password. policy is the
// YAML of its rules (four spaces in) and masks.
func StartTarget(ctx context.Context, tools, bin, protocol string, at Place, policy string) (*Peer, error) {
	binary, err := envoy.Ensure(ctx, tools, envoy.Version)
	if err != nil {
		return nil, err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-dgm-") // short: it holds unix sockets
	if err != nil {
		return nil, err
	}
	p, err := startTarget(ctx, binary, bin, dir, protocol, at, policy)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func startTarget(ctx context.Context, binary, bin, dir, protocol string, at Place, policy string) (*Peer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	config, log := filepath.Join(dir, "dragoman.yaml"), filepath.Join(dir, "log")
	text := fmt.Sprintf(targetYAML, binary, envoy.Version, bin, Workers, protocol, at.Addr(), port, at.User) + policy
	for path, content := range map[string]string{config: text, filepath.Join(dir, "password"): at.Password} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(filepath.Join(bin, "dragoman"), "up", "-c", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c, err := start(cmd, log)
	if err != nil {
		return nil, err
	}
	p := &Peer{Name: Dragoman, Place: at, Control: c.PID(), data: filepath.Join(dir, "data")}
	p.Port = port
	p.stop = func() error { return errors.Join(c.end(), os.RemoveAll(dir)) }
	if err := c.await(ctx, log, saysReady(log)); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	if p.Proxy = proc.Child(p.Control, "envoy"); p.Proxy == 0 {
		return nil, errors.Join(errors.New("dragoman up has no child called envoy"), p.stop())
	}
	if p.Password, err = token(ctx, bin, config); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}
