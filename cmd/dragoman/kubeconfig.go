package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/kubeconfig"
)

func newKubeconfig(f *flags) *cobra.Command {
	var target, server, ca, file string
	c := &cobra.Command{
		Use:   "kubeconfig --target NAME",
		Short: "Print a kubeconfig for a Kubernetes target; it has no secret in it",
		Long: "Print a kubeconfig for a Kubernetes target. It has no secret in it: kubectl runs `dragoman kubeconfig credential`, which\n" +
			"prints the token that is in --token-file, or without one in $" + kubeconfig.TokenVariable + ".",
		Example: "  dragoman kubeconfig --target prod --server https://gateway.example.com:6443 > kubeconfig\n" +
			"  export " + kubeconfig.TokenVariable + "=$(dragoman token create --subject agent:ci --group ops) KUBECONFIG=$PWD/kubeconfig\n" +
			"  kubectl get pods",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			a, err := kubeAccess(cfg, target, server, ca)
			if err != nil {
				return err
			}
			if a.Args = []string{"kubeconfig", "credential"}; file != "" {
				if file, err = filepath.Abs(file); err != nil {
					return err
				}
				a.Args = append(a.Args, "--token-file", file)
			}
			out, err := a.YAML()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(out)
			return err
		},
	}
	c.Flags().StringVar(&target, "target", "", "the target's name (required)")
	c.Flags().StringVar(&server, "server", "", "the gateway's URL as clients reach it (default: the target's listen address)")
	c.Flags().StringVar(&ca, "ca", "", "file with the authorities that the gateway's certificate is of (default: that certificate's own file)")
	c.Flags().StringVar(&file, "token-file", "", "file that the token will be in")
	c.AddCommand(newKubeCredential())
	return c
}

// kubeAccess is how a client reaches a target.
func kubeAccess(cfg *config.Config, target, server, ca string) (kubeconfig.Access, error) {
	a := kubeconfig.Access{Name: target, Server: server, Command: "dragoman"}
	if target == "" {
		return a, fail(exitUsage, "--target is required")
	}
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		if t.Name != target {
			continue
		}
		if t.Protocol != config.ProtocolKubernetes {
			return a, fail(exitUsage, "target %s is of protocol %s, not kubernetes", target, t.Protocol)
		}
		if a.Server == "" {
			host, port, err := net.SplitHostPort(t.Listen)
			if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
				return a, fail(exitUsage, "target %s listens on %s: say with --server how clients reach it", target, t.Listen)
			}
			a.Server = "https://" + net.JoinHostPort(host, port)
			if t.TLS.Client.Cert == "" {
				a.Server = "http://" + net.JoinHostPort(host, port)
			}
		}
		if ca == "" {
			ca = t.TLS.Client.Cert
		}
		if ca == "" {
			return a, nil
		}
		var err error
		if a.CA, err = os.ReadFile(ca); err != nil {
			return a, err
		}
		return a, nil
	}
	return a, fail(exitNotFound, "there is no target %s", target)
}

func newKubeCredential() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "credential",
		Short: "Print the token as kubectl wants it of a credential plugin",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			token, err := kubeconfig.Token(file, os.Getenv)
			if err != nil {
				return err
			}
			out, err := kubeconfig.Credential(token, time.Now())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", out)
			return err
		},
	}
	c.Flags().StringVar(&file, "token-file", "", "file that has the token (default: $"+kubeconfig.TokenVariable+")")
	return c
}
