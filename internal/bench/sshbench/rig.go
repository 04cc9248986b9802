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

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
	"dragoman.dev/dragoman/internal/sshserver"
)

// rig is a real sshd and a gateway in front of it.
type rig struct {
	dir     string
	sshd    *sshserver.Server
	gateway *child.Child
	envoy   int // its process
	port    int
	token   string
	known   string // known_hosts of both
}

const configYAML = `data: data
envoy: {binary: %s, version: %s, module: %s, concurrency: 2, drain_time: 1s}
targets:
  - name: web1
    protocol: ssh
    address: %s
    listen: 127.0.0.1:%d
    credentials: {user: %s, key: "file:%s"}
    ssh: {host_keys: [%q]}
    audit: {durability: %s}
  - name: keeps
    protocol: ssh
    address: %[4]s
    listen: 127.0.0.1:%[5]d
    credentials: {user: %[6]s, key: "file:%[7]s"}
    ssh: {host_keys: [%[8]q], keep_files: true}
    audit: {durability: %[9]s}
policy:
  rules:
    - {name: ops, verdict: allow, when: {groups: [ops], kinds: [connect, exec, shell, sftp]}}
    - {name: no-rm, verdict: block, when: {commands: [rm]}}
`

func startRig(ctx context.Context, o options) (*rig, error) {
	dir, err := os.MkdirTemp("", "bench-ssh-") // short: it holds unix sockets
	if err != nil {
		return nil, err
	}
	r := &rig{dir: dir}
	if err := r.start(ctx, o); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, o options) error {
	binary, err := envoy.Ensure(ctx, o.tools, envoy.Version)
	if err != nil {
		return err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return err
	}
	if r.sshd, err = sshserver.Start(ctx); err != nil {
		return err
	}
	if r.port, err = localserver.FreePort(); err != nil {
		return err
	}
	config, log := filepath.Join(r.dir, "dragoman.yaml"), filepath.Join(r.dir, "log")
	text := fmt.Sprintf(configYAML, binary, envoy.Version, bin, r.sshd.Address(), r.port, r.sshd.User, r.sshd.Key, r.sshd.HostKey, o.durability)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	if err := r.launch(ctx, bin, config, log); err != nil {
		return err
	}
	if r.envoy = proc.Child(r.gateway.PID(), "envoy"); r.envoy == 0 {
		return errors.New("dragoman up has no child called envoy")
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "dragoman"), "token", "create", "-c", config, "--subject", "agent:bench", "--group", "ops", "--ttl", "4h")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("dragoman token create: %w\n%s", err, errs.String())
	}
	r.token = strings.TrimSpace(string(out))
	pub, err := os.ReadFile(filepath.Join(r.dir, "data", "keys", "ssh_host_ed25519.pub"))
	if err != nil {
		return err
	}
	r.known = filepath.Join(r.dir, "known_hosts")
	if err := os.WriteFile(filepath.Join(r.dir, "askpass"), []byte("#!/bin/sh\necho \"$BENCH_TOKEN\"\n"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(r.known, fmt.Appendf(nil, "[127.0.0.1]:%d %s[127.0.0.1]:%d %s\n", r.port, pub, r.sshd.Port, r.sshd.HostKey), 0o600)
}

// launch starts dragoman and waits until it serves.
func (r *rig) launch(ctx context.Context, bin, config, log string) error {
	cmd := exec.Command(filepath.Join(bin, "dragoman"), "up", "-c", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	r.gateway, err = localserver.Start(ctx, cmd, log, syscall.SIGTERM, localserver.SaysLine(log, "ready"))
	return err
}

func (r *rig) stop() error {
	if r.gateway != nil {
		r.gateway.End(syscall.SIGTERM, 20*time.Second)
	}
	var err error
	if r.sshd != nil {
		err = r.sshd.Stop()
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// client runs an OpenSSH program against a peer, and gives the CPU time that it used.
func (r *rig) client(ctx context.Context, peer, program string, args ...string) (time.Duration, error) {
	options := []string{"-q", "-F", "none", "-o", "UserKnownHostsFile=" + r.known, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=no"}
	port := "-p"
	if program != "ssh" {
		port = "-P"
	}
	if peer == direct {
		options = append(options, "-i", r.sshd.Key, port, fmt.Sprint(r.sshd.Port))
	} else {
		options = append(options, "-o", "IdentityFile=none", "-o", "PreferredAuthentications=password", port, fmt.Sprint(r.port))
	}
	cmd := exec.CommandContext(ctx, program, append(options, args...)...)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+filepath.Join(r.dir, "askpass"), "SSH_ASKPASS_REQUIRE=force", "BENCH_TOKEN="+r.token)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s %s: %w\n%s", peer, program, err, errs.String())
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// host is how a client calls the target.
func (r *rig) host(peer string) string {
	if peer == direct {
		return r.sshd.User + "@127.0.0.1"
	}
	if peer == keeps {
		return "keeps@127.0.0.1"
	}
	return "web1@127.0.0.1"
}

// dial is a client of x/crypto/ssh.
func (r *rig) dial(peer string) (*ssh.Client, error) {
	cfg, port := &ssh.ClientConfig{User: "web1", Auth: []ssh.AuthMethod{ssh.Password(r.token)}, Timeout: time.Minute}, r.port
	line := filepath.Join(r.dir, "data", "keys", "ssh_host_ed25519.pub")
	pub, err := os.ReadFile(line)
	if err != nil {
		return nil, err
	}
	if peer == direct {
		b, err := os.ReadFile(r.sshd.Key)
		if err != nil {
			return nil, err
		}
		key, err := ssh.ParsePrivateKey(b)
		if err != nil {
			return nil, err
		}
		cfg.User, cfg.Auth, port, pub = r.sshd.User, []ssh.AuthMethod{ssh.PublicKeys(key)}, r.sshd.Port, []byte(r.sshd.HostKey)
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey(pub)
	if err != nil {
		return nil, err
	}
	cfg.HostKeyCallback = ssh.FixedHostKey(host)
	return ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), cfg)
}
