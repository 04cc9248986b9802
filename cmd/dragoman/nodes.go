package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bridgefeed"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/xds"
)

// statusDoc is the answer of /v1/status.
type statusDoc struct {
	Version string           `json:"version"`
	Ready   bool             `json:"ready"`
	Policy  xds.PolicyStatus `json:"policy"`
	Nodes   []nodeDoc        `json:"nodes"`
}

// nodeDoc is a node's Envoy, and its bridge where that is a process of its own.
type nodeDoc struct {
	xds.NodeStatus
	Bridge *bridgefeed.Status `json:"bridge,omitempty"`
}

// nodes are all that are known, with the bridges that they should have.
func (c *control) nodes() (out []nodeDoc) {
	for _, n := range c.xds.Nodes() {
		one := nodeDoc{NodeStatus: n}
		bridged := slices.ContainsFunc(c.cfg.Targets, func(t config.Target) bool { return t.Bridged() && slices.Contains(t.Nodes, n.Name) })
		if st, ok := c.bridges.Status(n.Name); ok {
			one.Bridge = &st
		} else if bridged && n.Name != c.cfg.Envoy.Node {
			one.Bridge = &bridgefeed.Status{State: "away"}
		}
		out = append(out, one)
	}
	return out
}

// bridgeWords are a bridge's, as one cell of a table.
func bridgeWords(b *bridgefeed.Status) string {
	switch {
	case b == nil:
		return "-"
	case b.State == "away":
		return b.State
	case b.State == "refused":
		return "refused: " + b.Refused
	}
	return fmt.Sprintf("%s, %d sessions", b.State, b.Sessions)
}

func newNodes(f *flags) *cobra.Command {
	return &cobra.Command{Use: "nodes", Short: "Show the Envoys and what they have acknowledged, and the bridges of other nodes", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var s statusDoc
			if err := cl.get(c.Context(), "/v1/status", nil, &s); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), s.Nodes)
			}
			t := newTable(c.OutOrStdout(), "NODE", "CONNECTED", "IN SYNC", "VERSION", "POLICY", "BRIDGE", "REFUSED")
			for _, n := range s.Nodes {
				nack := ""
				for _, ty := range n.Types {
					if ty.Nack != "" {
						nack += ty.Type + ": " + ty.Nack + " "
					}
				}
				t.row(n.Name, fmt.Sprint(n.Connected), fmt.Sprint(n.InSync), n.Wanted, short(n.PolicyWanted, 13), bridgeWords(n.Bridge), nack)
			}
			return t.flush()
		}}
}

func newBootstrap(f *flags) *cobra.Command {
	var node, admin, spool, server string
	var tls envoy.TLSFiles
	c := &cobra.Command{Use: "bootstrap --node NAME --ca FILE --cert FILE --key FILE", Short: "Print an Envoy bootstrap for another node",
		Long: "Print the bootstrap of a node of envoy.nodes as JSON. The files are paths on that node's machine. What its Envoy\n" +
			"needs in its environment is printed to standard error.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			if err := knownNode(cfg, node); err != nil {
				return err
			}
			if tls.CA == "" || tls.Cert == "" || tls.Key == "" {
				return fail(exitUsage, "give --ca, --cert and --key: nodes reach the control plane over mutual TLS")
			}
			tls.Server = server
			b, err := envoy.Bootstrap(envoy.BootstrapOptions{Node: node, ADS: cfg.Envoy.Control.Address, AdminSocket: admin, TLS: tls})
			if err != nil {
				return err
			}
			raw, err := envoy.MarshalBootstrap(b)
			if err != nil {
				return err
			}
			for _, e := range [][2]string{
				{nodeconfig.EnvControl, cfg.Envoy.Control.Address}, {nodeconfig.EnvNode, node}, {nodeconfig.EnvSpool, spool},
				{nodeconfig.EnvTLSCA, tls.CA}, {nodeconfig.EnvTLSCert, tls.Cert}, {nodeconfig.EnvTLSKey, tls.Key},
				{envoy.EnvTunables, envoy.StaticTLS}, {envoy.EnvModules, "/folder/of/" + moduleFile},
			} {
				fmt.Fprintf(c.ErrOrStderr(), "%s=%s\n", e[0], e[1])
			}
			_, err = c.OutOrStdout().Write(raw)
			return err
		}}
	fl := c.Flags()
	fl.StringVar(&node, "node", "", "the node's name")
	fl.StringVar(&tls.CA, "ca", "", "PEM file of the control plane's CA")
	fl.StringVar(&tls.Cert, "cert", "", "PEM file of the node's certificate, with its SPIFFE ID")
	fl.StringVar(&tls.Key, "key", "", "PEM file of its private key")
	fl.StringVar(&server, "server-name", "", "the control plane's name or SPIFFE ID (default: the host of envoy.control.address)")
	fl.StringVar(&admin, "admin-socket", "/run/dragoman/envoy.sock", "unix socket of Envoy's admin endpoint")
	fl.StringVar(&spool, "spool", "/var/lib/dragoman/spool", "folder of the record spool; must survive a restart")
	return c
}

func knownNode(cfg *config.Config, name string) error {
	for _, n := range cfg.Envoy.Nodes {
		if n.Name == name {
			return nil
		}
	}
	if name == cfg.Envoy.Node {
		return fail(exitUsage, "node %s is the one that `dragoman up` runs; its bootstrap is %s", name, filepath.Join(cfg.RunDir(), "bootstrap.json"))
	}
	return fail(exitNotFound, "no node %q in envoy.nodes of %s", name, cfg.File)
}

func newVersion(f *flags) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.json {
				return printJSON(c.OutOrStdout(), map[string]string{"version": version(), "envoy": envoy.Version})
			}
			fmt.Fprintf(c.OutOrStdout(), "dragoman %s (Envoy %s)\n", version(), envoy.Version)
			return nil
		}}
}

// exists reports whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
