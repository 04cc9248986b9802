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
	"syscall"

	"github.com/spf13/cobra"

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

// runBridge serves until ctx ends.
func runBridge(ctx context.Context, env func(string) string, state string, out io.Writer, log *slog.Logger) (err error) {
	var closers []func() error
	defer func() {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
	}()
	if err := os.MkdirAll(filepath.Join(state, "keys"), 0o700); err != nil {
		return err
	}
	rt, err := session.NewRuntime(env, log)
	if err != nil {
		return fmt.Errorf("the bridge: %w", err)
	}
	closers = append(closers, func() error { rt.Close(); return nil })
	conn, err := session.Dial(env)
	if err != nil {
		return err
	}
	closers = append(closers, conn.Close)
	fatal := make(chan error, 1)
	engine := &policy.Handle{}
	b := &bridge{rt: rt, policy: engine, log: log, fatal: fatal, closes: func(f func() error) { closers = append(closers, f) }}
	follow, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	ready := false
	go func() {
		defer close(done)
		bridgefeed.Follow(follow, conn, env(nodeconfig.EnvNode), log, func(raw []byte) error {
			if err := b.told(follow, raw, env(nodeconfig.EnvNode), state, engine); err != nil {
				log.Error("what the control plane tells cannot be served; what was before stays", "err", err)
				return nil
			}
			if !ready {
				ready = true
				fmt.Fprintln(out, "ready")
			}
			return nil
		})
	}()
	defer func() { stop(); <-done }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return err
	}
}

// told takes a document into force: the policy first, so that no new target is judged by an old one.
func (b *bridge) told(ctx context.Context, raw []byte, node, state string, engine *policy.Handle) error {
	doc, err := bridgefeed.Parse(raw)
	if err != nil {
		return err
	}
	if e := engine.Engine(); e == nil || e.Revision() != doc.Policy.Revision {
		e, err := policy.Compile(ctx, doc.Policy, policy.WithLog(b.log))
		if err != nil {
			return fmt.Errorf("the policy: %w", err)
		}
		engine.Swap(e)
		b.log.Info("policy in force", "revision", doc.Policy.Revision)
	}
	if err := doc.Settle(filepath.Join(state, "files")); err != nil {
		return err
	}
	cfg := &config.Config{Data: state, Targets: doc.Targets, Bridge: doc.Bridge}
	cfg.Identity.SSH = doc.Keys
	cfg.Envoy.Node = node
	cfg.Envoy.Nodes = []config.Node{{Name: node, Sockets: doc.Sockets}}
	if err := os.MkdirAll(doc.Sockets, 0o700); err != nil {
		return err
	}
	if slices.ContainsFunc(cfg.Targets, func(t config.Target) bool { return !t.Bridged() }) {
		return errors.New("a target is none for a bridge")
	}
	return b.serve(cfg)
}
