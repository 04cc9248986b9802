package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/identity/sshkey"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	kubebridge "dragoman.dev/dragoman/sshbridge/kube"
	rdpbridge "dragoman.dev/dragoman/sshbridge/rdp"
	sshbridge "dragoman.dev/dragoman/sshbridge/ssh"
)

// bridge serves what Envoy has no codec for: beside the control plane, or as a process of its own on another node.
type bridge struct {
	rt     *session.Runtime
	policy *policy.Handle
	log    *slog.Logger
	fatal  chan<- error
	// closes is called with what ends a server, when the bridge ends.
	closes func(func() error)

	now atomic.Pointer[servedNow]
	up  map[string]bool // protocols whose server is there

	mu        sync.Mutex
	listeners []net.Listener
	draining  bool // nothing is listened on any more
}

// servedNow is what is served just now.
type servedNow struct {
	ssh   map[string]*sshbridge.Target
	kube  map[string]*kubebridge.Target
	rdp   map[string]*rdpbridge.Target
	known *sshkey.Verifier
}

// serveBridge serves the local node's bridge, when it has targets for one. The
// bridge speaks to the control plane as an Envoy's module does: over the control socket, with a spool of its own.
func (c *control) serveBridge(fatal chan<- error) error {
	node := c.cfg.Envoy.Node
	if !slices.ContainsFunc(c.cfg.Targets, func(t config.Target) bool { return t.Bridged() && slices.Contains(t.Nodes, node) }) {
		return nil
	}
	log := c.log.With("from", "bridge")
	env := map[string]string{nodeconfig.EnvControl: "unix://" + c.cfg.ControlSocket(), nodeconfig.EnvNode: node,
		nodeconfig.EnvSpool: c.cfg.BridgeSpoolDir()}
	rt, err := session.NewRuntime(func(name string) string { return env[name] }, log)
	if err != nil {
		return fmt.Errorf("the bridge: %w", err)
	}
	c.onClose(func() error { rt.Close(); return nil })
	b := &bridge{rt: rt, policy: &c.engine, log: log, fatal: fatal, closes: c.onClose}
	return b.serve(c.cfg)
}

// serve serves the targets of cfg's local node from now on; sessions that are open go on with what they began with.
func (b *bridge) serve(cfg *config.Config) error {
	var s servedNow
	var err error
	if s.ssh, err = bridgeTargets(cfg, config.ProtocolSSH, sshTarget); err != nil {
		return err
	}
	if s.kube, err = bridgeTargets(cfg, config.ProtocolKubernetes, kubeTarget); err != nil {
		return err
	}
	s.rdp, err = bridgeTargets(cfg, config.ProtocolRDP, func(t *config.Target, mode record.Mode) (*rdpbridge.Target, error) { return rdpTarget(cfg, t, mode) })
	if err != nil {
		return err
	}
	if s.known, err = sshVerifier(cfg.Identity.SSH); err != nil {
		return err
	}
	b.now.Store(&s)
	for _, p := range []struct {
		protocol string
		targets  int
		serve    func(*config.Config) error
	}{{config.ProtocolSSH, len(s.ssh), b.serveSSH}, {config.ProtocolKubernetes, len(s.kube), b.serveKube}, {config.ProtocolRDP, len(s.rdp), b.serveRDP}} {
		if p.targets == 0 || b.up[p.protocol] {
			continue
		}
		if err := p.serve(cfg); err != nil {
			return err
		}
		if b.up == nil {
			b.up = map[string]bool{}
		}
		b.up[p.protocol] = true
	}
	return nil
}

// bridged is one protocol's side of the bridge.
type bridged interface {
	Serve(net.Listener) error
	Close() error
}

// listen serves connections from Envoy on a unix socket.
func (b *bridge) listen(s bridged, socket string) error {
	l, err := listenUnix(socket)
	if err != nil {
		return fmt.Errorf("the bridge's socket: %w", err)
	}
	b.closes(func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // it has been drained
			return errors.Join(err, s.Close())
		}
		return s.Close()
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.draining {
		return l.Close()
	}
	b.listeners = append(b.listeners, l)
	go func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
			report(b.fatal, fmt.Errorf("the bridge: %w", err))
		}
	}()
	return nil
}

// stopListening has no more connections come; those that are there go on.
func (b *bridge) stopListening() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draining = true
	for _, l := range b.listeners {
		_ = l.Close()
	}
}

func (b *bridge) serveSSH(cfg *config.Config) error {
	keys, err := hostKeys(cfg)
	if err != nil {
		return err
	}
	s, err := sshbridge.New(sshbridge.Options{Runtime: b.rt, Policy: b.policy, HostKeys: keys, Log: b.log, Now: time.Now,
		Target: func(name string) (*sshbridge.Target, bool) { t, ok := b.now.Load().ssh[name]; return t, ok },
		Known:  func(k ssh.PublicKey) bool { return b.now.Load().known.Known(k) }})
	if err != nil {
		return err
	}
	return b.listen(s, cfg.BridgeSocket(cfg.Envoy.Node))
}

// bridgeTargets are the targets of a protocol that the local node's bridge serves, as it wants them.
func bridgeTargets[T any](cfg *config.Config, protocol string, of func(*config.Target, record.Mode) (*T, error)) (map[string]*T, error) {
	out := map[string]*T{}
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		if t.Protocol != protocol || !slices.Contains(t.Nodes, cfg.Envoy.Node) {
			continue
		}
		mode, err := record.ParseMode(t.Audit.Durability)
		if err == nil {
			out[t.Name], err = of(t, mode)
		}
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
	}
	return out, nil
}
