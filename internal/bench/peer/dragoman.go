package peer

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

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/localserver"
)

// The policy that is in force: an analyst may read, the personal columns of
// customers are masked, and so is a column of pgbench's own table that `pgbench
// -S` does not return. The audit setting is the default, durability "write".
const dragomanYAML = `data: data
envoy:
  binary: %s
  version: %s
  module: %s
  concurrency: %d
  drain_time: 1s
targets:
  - name: bench
    protocol: postgres
    address: 127.0.0.1:%d
    listen: 127.0.0.1:%d
    credentials:
      user: %s
      password: file:password
      database: %s
policy:
  rules:
    - name: analysts-read
      verdict: allow
      when: {groups: [analysts], verbs: [connect, select, show, explain], tables: ["public.*", "pg_catalog.*"]}
    - name: changes-wait
      verdict: hold
      when: {groups: [dba], verbs: [update, delete], tables: ["public.*"]}
      approvers: [dba]
    - name: no-ddl
      verdict: block
      when: {features: {ddl: true}}
    - name: no-where
      verdict: block
      when: {verbs: [update, delete], features: {where: false}}
  masks:
    - name: email
      columns: ["public.customers.email"]
      way: partial
    - name: numbers
      columns: ["public.customers.ssn", "public.customers.card"]
      way: redact
    - name: filler
      columns: ["public.pgbench_accounts.filler"]
      way: redact
`

// StartDragoman starts `dragoman up` from the folder bin, and takes a token for an agent
// that acts for an analyst as the password.
func StartDragoman(ctx context.Context, tools, bin string, d *Database) (*Peer, error) {
	binary, err := envoy.Ensure(ctx, tools, envoy.Version)
	if err != nil {
		return nil, err
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-dgm-") // short: it holds unix sockets
	if err != nil {
		return nil, err
	}
	p, err := startDragoman(ctx, binary, bin, dir, d)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func startDragoman(ctx context.Context, envoyBinary, bin, dir string, d *Database) (*Peer, error) {
	port, err := localserver.FreePort()
	if err != nil {
		return nil, err
	}
	place := d.place()
	return up(ctx, bin, dir, fmt.Sprintf(dragomanYAML, envoyBinary, envoy.Version, bin, Workers, place.Port, port, place.User, database), port, place)
}

// up runs `dragoman up` in dir with a config whose target is at a place, waits until it serves at a port, and takes a token as
// the password. Ending it removes dir.
func up(ctx context.Context, bin, dir, text string, port int, at Place) (*Peer, error) {
	config, log := filepath.Join(dir, "dragoman.yaml"), filepath.Join(dir, "log")
	for path, content := range map[string]string{config: text, filepath.Join(dir, "password"): at.Password} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(filepath.Join(bin, "dragoman"), "up", "-c", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c, err := start(ctx, cmd, log, localserver.SaysLine(log, "ready"))
	if err != nil {
		return nil, err
	}
	p := &Peer{Name: Dragoman, Place: at, Control: c.PID(), data: filepath.Join(dir, "data")}
	p.Port = port
	p.stop = func() error { return errors.Join(c.end(), os.RemoveAll(dir)) }
	if p.Proxy = proc.Child(p.Control, "envoy"); p.Proxy == 0 {
		return nil, errors.Join(errors.New("dragoman up has no child called envoy"), p.stop())
	}
	if p.Password, err = token(ctx, bin, config); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func token(ctx context.Context, bin, config string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "dragoman"), "token", "create", "-c", config,
		"--subject", "agent:bench", "--on-behalf-of", "user:alice@example.com", "--group", "analysts", "--ttl", "1h")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("dragoman token create: %w\n%s", err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}
