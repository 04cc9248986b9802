package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"dragoman.dev/dragoman/internal/bridgefeed"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/session"
)

// bridgeDocument is what the bridge of a node is told; nil before there is a policy.
func (c *control) bridgeDocument(node string) ([]byte, error) {
	bundle := c.bundle.Load()
	if bundle == nil {
		return nil, nil
	}
	return bridgefeed.Of(c.cfg, node, *bundle)
}

func newBridge() *cobra.Command {
	var state, format, level string
	env := map[string]*string{}
	c := &cobra.Command{
		Use:   "bridge",
		Short: "Run the bridge of another node, for its ssh, kubernetes and rdp targets",
		Long: "Run the bridge of another node, beside its Envoy, in the foreground. It asks the control plane which targets are\n" +
			"its own, follows the policy, and prints \"ready\" when it serves. What the flags say is taken from the environment\n" +
			"that `dragoman bootstrap` prints, where they are not given; the spool is the bridge's own.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range []string{nodeconfig.EnvControl, nodeconfig.EnvNode, nodeconfig.EnvTLSCA, nodeconfig.EnvTLSCert, nodeconfig.EnvTLSKey} {
				if *env[name] == "" {
					return fail(exitUsage, "give --control, --node, --ca, --cert and --key, or set %s", name)
				}
			}
			log, err := logger(c.ErrOrStderr(), format, level)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends it at once
			get := func(name string) string {
				if name == nodeconfig.EnvSpool {
					return filepath.Join(state, "spool")
				}
				return *env[name]
			}
			return runBridge(ctx, get, state, c.OutOrStdout(), log)
		},
	}
	fl := c.Flags()
	for _, v := range [][3]string{
		{nodeconfig.EnvControl, "control", "the control plane's address, host:port"}, {nodeconfig.EnvNode, "node", "the node's name"},
		{nodeconfig.EnvTLSCA, "ca", "PEM file of the control plane's CA"}, {nodeconfig.EnvTLSCert, "cert", "PEM file of the node's certificate, with its SPIFFE ID"},
		{nodeconfig.EnvTLSKey, "key", "PEM file of its private key"},
	} {
		env[v[0]] = new(string)
		fl.StringVar(env[v[0]], v[1], os.Getenv(v[0]), v[2]+" (default $"+v[0]+")")
	}
	fl.StringVar(&state, "state", "/var/lib/dragoman/bridge", "folder of the record spool, host keys and certificates; must survive a restart")
	fl.StringVar(&format, "log-format", "text", "text or json")
	fl.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return c
}

// bridgeProcess is a `dragoman bridge` that runs.
type bridgeProcess struct {
	*bridge
	node, state string
	conn        *grpc.ClientConn
	engine      *policy.Handle
	closers     []func() error

	mu     sync.Mutex
	report bridgefeed.Report // as far as it is not asked for each time
	drain  time.Duration
}

// runBridge serves until ctx ends, and then until its sessions have ended, for as long as it was told, and what it has recorded has
// been shipped.
func runBridge(ctx context.Context, env func(string) string, state string, out io.Writer, log *slog.Logger) (err error) {
	p := &bridgeProcess{node: env(nodeconfig.EnvNode), state: state, engine: &policy.Handle{}, drain: config.DefaultDrain}
	defer func() {
		for i := len(p.closers) - 1; i >= 0; i-- {
			err = errors.Join(err, p.closers[i]())
		}
	}()
	closes := func(f func() error) { p.closers = append(p.closers, f) }
	if err := os.MkdirAll(filepath.Join(state, "keys"), 0o700); err != nil {
		return err
	}
	rt, err := session.NewRuntime(env, log)
	if err != nil {
		return fmt.Errorf("the bridge: %w", err)
	}
	closes(func() error { rt.Close(); return nil })
	if p.conn, err = session.Dial(env); err != nil {
		return err
	}
	closes(p.conn.Close)
	closes(p.ship)
	fatal := make(chan error, 1)
	p.bridge = &bridge{rt: rt, policy: p.engine, log: log, fatal: fatal, closes: closes}
	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	var bg sync.WaitGroup
	defer func() { stop(); bg.Wait() }() // before the closers, to which following adds
	changed := make(chan struct{}, 1)
	bg.Go(func() { p.follow(follow, out, changed) })
	bg.Go(func() { p.tell(follow, changed) })
	select {
	case <-ctx.Done():
		p.finish(changed)
		return nil
	case err := <-fatal:
		return err
	}
}

// follow takes what the control plane tells into force.
func (p *bridgeProcess) follow(ctx context.Context, out io.Writer, changed chan<- struct{}) {
	ready := false
	bridgefeed.Follow(ctx, p.conn, p.node, p.log, func(raw []byte) error {
		doc, err := p.told(ctx, raw)
		p.mu.Lock()
		if p.report.Refused = ""; err != nil {
			p.report.Refused = err.Error()
		} else {
			p.report.Document, p.report.Policy, p.report.Targets = bridgefeed.Digest(raw), doc.Policy.Revision, len(doc.Targets)
			if doc.Drain > 0 {
				p.drain = doc.Drain
			}
		}
		p.mu.Unlock()
		wake(changed)
		if err != nil {
			p.log.Error("what the control plane tells cannot be served; what was before stays", "err", err)
			return nil
		}
		if !ready {
			ready = true
			fmt.Fprintln(out, "ready")
		}
		return nil
	})
}

// tell says now and then how the bridge is, and at once when something has changed.
func (p *bridgeProcess) tell(ctx context.Context, changed <-chan struct{}) {
	tick := time.NewTicker(bridgefeed.ReportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
		p.mu.Lock()
		r := p.report
		p.mu.Unlock()
		r.Sessions = p.rt.Sessions()
		r.Unshipped, _ = p.rt.Unshipped()
		if err := bridgefeed.Tell(ctx, p.conn, p.node, r); err != nil && ctx.Err() == nil {
			p.log.Debug("the control plane is not told how the bridge is", "err", err)
		}
	}
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// finish takes no new connections and waits for the sessions that there are.
func (p *bridgeProcess) finish(changed chan<- struct{}) {
	p.stopListening()
	p.mu.Lock()
	p.report.Draining = true
	drain := p.drain
	p.mu.Unlock()
	wake(changed)
	p.log.Info("stopping: sessions are drained; once more to stop at once", "sessions", p.rt.Sessions(), "for", drain)
	within(drain, func() bool { return p.rt.Sessions() == 0 })
}

// ship waits until the control plane has all that was recorded. What it lacks then stays in the spool, for the next start.
func (p *bridgeProcess) ship() error {
	p.mu.Lock()
	drain := p.drain
	p.mu.Unlock()
	if !within(drain, func() bool { _, done := p.rt.Unshipped(); return done }) {
		n, _ := p.rt.Unshipped()
		p.log.Warn("the control plane lacks some of the record; it is in the spool and comes with the next start", "bytes", n)
	}
	return nil
}

// within reports whether a condition comes true within some time.
func within(d time.Duration, cond func() bool) bool {
	for end := time.Now().Add(d); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// told takes a document into force: the policy first, so that no new target is judged by an old one.
func (p *bridgeProcess) told(ctx context.Context, raw []byte) (*bridgefeed.Document, error) {
	doc, err := bridgefeed.Parse(raw)
	if err != nil {
		return nil, err
	}
	if e := p.engine.Engine(); e == nil || e.Revision() != doc.Policy.Revision {
		e, err := policy.Compile(ctx, doc.Policy, policy.WithLog(p.log))
		if err != nil {
			return nil, fmt.Errorf("the policy: %w", err)
		}
		p.engine.Swap(e)
		p.log.Info("policy in force", "revision", doc.Policy.Revision)
	}
	if err := doc.Settle(filepath.Join(p.state, "files")); err != nil {
		return nil, err
	}
	cfg := &config.Config{Data: p.state, Targets: doc.Targets, Bridge: doc.Bridge}
	cfg.Identity.SSH = doc.Keys
	cfg.Envoy.Node = p.node
	cfg.Envoy.Nodes = []config.Node{{Name: p.node, Sockets: doc.Sockets}}
	if err := os.MkdirAll(doc.Sockets, 0o700); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(cfg.Targets, func(t config.Target) bool { return !t.Bridged() }) {
		return nil, errors.New("a target is none for a bridge")
	}
	return doc, p.serve(cfg)
}
