package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/policy"
)

// finding is the outcome of one check.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
}

func newDoctor(f *flags) *cobra.Command {
	return &cobra.Command{Use: "doctor", Short: "Check what `up` needs: Envoy, the module, files, ports, secrets, policy",
		Long: "Check what `up` needs, without changing anything. Exits with 1 when something is wrong.", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			found := examine(c.Context(), cfg)
			bad := 0
			for _, x := range found {
				if !x.OK {
					bad++
				}
			}
			w := c.OutOrStdout()
			if f.json {
				err = printJSON(w, found)
			} else {
				for _, x := range found {
					mark := map[bool]string{true: "ok  ", false: "BAD "}[x.OK]
					fmt.Fprintf(w, "%s %-22s %s\n", mark, x.Check, clean(x.Text))
				}
			}
			if err == nil && bad > 0 {
				err = &exitError{exitFailure, fmt.Errorf("%d of %d checks found something", bad, len(found))}
			}
			return err
		}}
}

// examine runs all checks.
func examine(ctx context.Context, cfg *config.Config) []finding {
	var out []finding
	add := func(check string, good string, err error) {
		f := finding{Check: check, OK: err == nil, Text: good}
		if err != nil {
			f.Text = err.Error()
		}
		out = append(out, f)
	}
	add("config", cfg.File, nil)
	text, err := checkData(cfg)
	add("data folder", text, err)
	running := isRunning(cfg)
	binary := ""
	if !cfg.Envoy.External {
		text, binary, err = checkEnvoy(ctx, cfg)
		add("envoy", text, err)
		text, err = checkModule(ctx, cfg, binary)
		add("module", text, err)
	}
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		text, err = checkPort(t.Listen, running)
		add("listen "+t.Name, text, err)
		text, err = checkTarget(ctx, t)
		add("reach "+t.Name, text, err)
		add("credentials "+t.Name, "resolved", checkSecrets(ctx, cfg, t))
		for _, file := range []string{t.TLS.Client.Cert, t.TLS.Client.Key, t.TLS.Client.ClientCA, t.TLS.Upstream.CA, t.TLS.Upstream.Cert, t.TLS.Upstream.Key} {
			if file != "" {
				_, err := os.ReadFile(file)
				add("file "+t.Name, file, err)
			}
		}
	}
	bundle, err := cfg.Policy.Source().Bundle()
	if err == nil {
		_, err = policy.Compile(ctx, bundle)
	}
	add("policy", "revision "+bundle.Revision, err)
	return out
}

func checkData(cfg *config.Config) (string, error) {
	info, err := os.Stat(cfg.Data)
	if errors.Is(err, os.ErrNotExist) {
		return cfg.Data + " will be made", nil
	}
	if err != nil {
		return "", err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("%s has mode %04o; others can read keys and records (`up` makes it 0700)", cfg.Data, mode)
	}
	return cfg.Data, nil
}

// isRunning reports whether `up` runs with this config.
func isRunning(cfg *config.Config) bool {
	c, err := net.DialTimeout("unix", cfg.Admin.Socket, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func checkEnvoy(ctx context.Context, cfg *config.Config) (text, binary string, err error) {
	if binary = cfg.Envoy.Binary; binary == "" {
		version := cfg.Envoy.Version
		if version == "" {
			version = envoy.Version
		}
		near := ""
		if exe, err := exeDir(); err == nil {
			near = filepath.Join(exe, "..", ".tools", "envoy-"+version, "envoy")
		}
		if binary = near; !exists(near) {
			if binary = filepath.Join(cfg.Data, "tools", "envoy-"+version, "envoy"); !exists(binary) {
				return "Envoy " + version + " will be fetched", "", nil
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	b, err := exec.CommandContext(ctx, binary, "--version").CombinedOutput()
	if err != nil {
		return "", "", fmt.Errorf("%s --version: %w", binary, err)
	}
	line := strings.TrimSpace(string(b))
	for _, r := range envoy.Releases() {
		if strings.Contains(line, "/"+r.Version+"/") {
			return binary + " " + r.Version, binary, nil
		}
	}
	var known []string
	for _, r := range envoy.Releases() {
		known = append(known, r.Version)
	}
	slices.Reverse(known)
	return "", binary, fmt.Errorf("%s is %q, and tested are %s", binary, line, strings.Join(known, ", "))
}

// checkModule looks at the module's thread-local variables, for which glibc
// must have room, and then lets the real Envoy load it.
func checkModule(ctx context.Context, cfg *config.Config, binary string) (string, error) {
	dir, err := moduleDir(cfg)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, moduleFile)
	f, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	static := uint64(0)
	for _, p := range f.Progs {
		if p.Type == elf.PT_TLS {
			static = p.Memsz
		}
	}
	text := fmt.Sprintf("%s, %d bytes of static TLS (%s is set for the Envoy that we run)", path, static, envoy.StaticTLS)
	if binary == "" {
		return text, nil
	}
	return text, loadModule(ctx, dir, binary)
}

// loadModule lets Envoy validate a config with our listener filter, which loads the module.
func loadModule(ctx context.Context, dir, binary string) error {
	const probe = `{"static_resources":{"listeners":[{"name":"probe","address":{"socket_address":{"address":"127.0.0.1","port_value":0}},
"listener_filters":[{"name":"m","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.listener.dynamic_modules.v3.DynamicModuleListenerFilter",
"dynamic_module_config":{"name":"dragoman","do_not_close":true},"filter_name":"postgres_listener",
"filter_config":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"{\"tls\":false}"}}}],
"filter_chains":[{"filters":[]}]}]}}`
	file, err := os.CreateTemp("", "dragoman-doctor-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(probe)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	spool, err := os.MkdirTemp("", "dragoman-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(spool)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := envoy.Process{Binary: binary, Bootstrap: file.Name(), ModuleDir: dir, Args: []string{"--mode", "validate"}, LogLevel: "error"}
	cmd := p.Command()
	done := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer done()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the module is not loaded by Envoy: %w: %s", err, short(strings.TrimSpace(string(out)), 600))
	}
	return nil
}

func checkPort(listen string, running bool) (string, error) {
	if running {
		return listen + " (dragoman runs, so not tried)", nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", err
	}
	return listen + " is free", l.Close()
}

func checkTarget(ctx context.Context, t *config.Target) (string, error) {
	var errs []error
	for _, a := range t.Addresses {
		d := net.Dialer{Timeout: t.Limits.ConnectTimeout.Std()}
		c, err := d.DialContext(ctx, "tcp", a)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.Close()
	}
	return strings.Join(t.Addresses, ", ") + " answers", errors.Join(errs...)
}

func checkSecrets(ctx context.Context, cfg *config.Config, t *config.Target) error {
	s := cfg.Secrets()
	for _, r := range []config.Ref{t.Credentials.User, t.Credentials.Password, t.Credentials.Database} {
		if _, err := s.Resolve(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
