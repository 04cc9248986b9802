package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

// refresh is how often certificates are read again.
const refresh = 30 * time.Second

func newUp(f *flags) *cobra.Command {
	var format, level string
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the control plane and Envoy in the foreground",
		Long: "Run the control plane and Envoy in the foreground. Prints \"ready\" when every listener serves.\n" +
			"SIGTERM or Ctrl-C drains sessions (envoy.drain_time) and stops; a second one stops at once.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			log, err := logger(c.ErrOrStderr(), format, level)
			if err != nil {
				return err
			}
			u := &up{cfg: cfg, log: log, ready: func() { fmt.Fprintln(c.OutOrStdout(), "ready") }}
			return u.run(c.Context())
		},
	}
	c.Flags().StringVar(&format, "log-format", "text", "text or json")
	c.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return c
}

// up is one `dragoman up`.
type up struct {
	cfg   *config.Config
	log   *slog.Logger
	ready func() // called once, when every listener serves

	control *control
	envoy   *envoyRun // nil when it is started elsewhere
}

func (u *up) run(parent context.Context) error {
	stopped, stop := context.WithCancel(parent)
	defer stop()
	go u.signals(parent, stop)

	// Services go on while Envoy drains, so they have a life of their own.
	serving, end := context.WithCancel(context.WithoutCancel(parent))
	defer end()
	var err error
	if u.control, err = newControl(serving, u.cfg, u.log); err == nil {
		err = u.serve(stopped, serving)
	}
	end()
	return errors.Join(err, u.control.close())
}

// signals ends the run at the first signal, and the process at the second.
func (u *up) signals(ctx context.Context, stop func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(c)
	select {
	case s := <-c:
		u.log.Info("stopping: sessions are drained; once more to stop at once", "signal", s.String())
		stop()
	case <-ctx.Done():
		return
	}
	select {
	case <-c:
		u.log.Warn("stopped at once")
		os.Exit(exitFailure) // Envoy dies with us
	case <-ctx.Done():
	}
}

func (u *up) serve(stopped, serving context.Context) error {
	fatal := make(chan error, 1)
	if err := u.control.serveControl(fatal); err != nil {
		return err
	}
	if err := u.control.serveBridge(fatal); err != nil {
		return err
	}
	if !u.cfg.Envoy.External {
		var err error
		if u.envoy, err = newEnvoyRun(stopped, u.cfg, u.log); err != nil {
			return err
		}
	}
	sys := &system{up: u}
	if err := u.control.serveAdmin(stopped, sys, console{u}, fatal); err != nil {
		return err
	}
	var bg sync.WaitGroup
	defer bg.Wait()
	running, cancel := context.WithCancel(stopped)
	defer cancel()
	bg.Go(func() {
		if err := u.control.policy.Watch(running); err != nil {
			report(fatal, err)
		}
	})
	bg.Go(func() {
		select {
		case err := <-u.control.lost:
			report(fatal, err)
		case <-running.Done():
		}
	})
	bg.Go(func() { u.refresh(running) })
	bg.Go(func() { u.await(running) })
	done := make(chan error, 1)
	go func() { done <- u.runEnvoy(running) }()
	select {
	case err := <-done:
		return err
	case err := <-fatal:
		cancel()
		return errors.Join(err, <-done)
	case <-stopped.Done():
		return <-done
	}
}

func (u *up) runEnvoy(ctx context.Context) error {
	if u.envoy == nil {
		<-ctx.Done()
		return nil
	}
	return envoy.Run(ctx, u.envoy.options)
}

// await says "ready" when every listener serves.
func (u *up) await(ctx context.Context) {
	if u.envoy != nil {
		names := u.control.xds.Listeners(u.cfg.Envoy.Node)
		for {
			look, cancel := context.WithTimeout(ctx, time.Minute)
			err := u.envoy.options.Admin.Ready(look, names...)
			cancel()
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			u.log.Warn("not ready yet", "err", err)
		}
	}
	u.control.ready.Store(true)
	u.log.Info("ready", "targets", len(u.cfg.Targets), "policy", u.control.policy.Status().Revision)
	u.ready()
}

// refresh builds the snapshots again now and then, so that renewed certificates
// reach the nodes; where nothing changed, nothing is sent.
func (u *up) refresh(ctx context.Context) {
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := u.control.xds.Refresh(ctx, u.cfg); err != nil {
				u.log.Error("reading certificates again; those in force stay", "err", err)
			}
			u.control.bridges.Changed()
		}
	}
}

// envoyRun is the local Envoy.
type envoyRun struct{ options envoy.Options }

// adminSocketFile is the local Envoy's admin endpoint, in the run folder.
const adminSocketFile = "envoy.sock"

func newEnvoyRun(ctx context.Context, cfg *config.Config, log *slog.Logger) (*envoyRun, error) {
	binary, err := envoyBinary(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	module, err := moduleDir(cfg)
	if err != nil {
		return nil, err
	}
	admin := filepath.Join(cfg.RunDir(), adminSocketFile)
	boot, err := envoy.Bootstrap(envoy.BootstrapOptions{Node: cfg.Envoy.Node, ADS: "unix://" + cfg.ControlSocket(), AdminSocket: admin})
	if err != nil {
		return nil, err
	}
	raw, err := envoy.MarshalBootstrap(boot)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cfg.RunDir(), "bootstrap.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, err
	}
	return &envoyRun{envoy.Options{
		Process: envoy.Process{
			Binary: binary, Bootstrap: path, ModuleDir: module, Concurrency: cfg.Envoy.Concurrency, Env: moduleEnv(cfg),
		},
		Admin: envoy.NewAdmin(admin), Log: log.With("from", "envoy"), Drain: cfg.Envoy.DrainTime.Std(),
	}}, nil
}

// moduleEnv is what our module in the local Envoy reads.
func moduleEnv(cfg *config.Config) []string {
	return []string{
		nodeconfig.EnvControl + "=unix://" + cfg.ControlSocket(),
		nodeconfig.EnvNode + "=" + cfg.Envoy.Node,
		nodeconfig.EnvSpool + "=" + cfg.SpoolDir(),
	}
}

// envoyBinary is the configured one, or the pinned one, which is fetched once.
func envoyBinary(ctx context.Context, cfg *config.Config, log *slog.Logger) (string, error) {
	if cfg.Envoy.Binary != "" {
		if _, err := os.Stat(cfg.Envoy.Binary); err != nil {
			return "", fmt.Errorf("envoy.binary: %w", err)
		}
		return cfg.Envoy.Binary, nil
	}
	version := cfg.Envoy.Version
	if version == "" {
		version = envoy.Version
	}
	dir := filepath.Join(cfg.Data, "tools")
	if exe, err := exeDir(); err == nil { // in a source tree, `make tools` has fetched it
		if near := filepath.Join(exe, "..", ".tools"); isDir(near) {
			dir = near
		}
	}
	log.Debug("envoy", "version", version, "tools", dir)
	return envoy.Ensure(ctx, dir, version)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
