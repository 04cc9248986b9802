package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/localserver"
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
	port, err := localserver.FreePort()
	if err != nil {
		return nil, err
	}
	return up(ctx, bin, dir, fmt.Sprintf(targetYAML, binary, envoy.Version, bin, Workers, protocol, at.Addr(), port, at.User)+policy, port, at)
}
