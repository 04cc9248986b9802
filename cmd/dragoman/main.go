// Command dragoman is the one binary: the control plane with its Envoy (up), and
// the command line that speaks to it. Only flags, the config file and the wiring
// of the rooms are here.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

func main() {
	// The transparency log's library speaks through klog, which has one logger a process: only what
	// is wrong is worth a line of ours.
	warnings := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	klog.SetSlogLogger(slog.New(warnings).With("from", "tessera"))
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with everything passed in; it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(errs, "dragoman: "+strings.ReplaceAll(text, "\n", "\n  "))
	}
	return exitCode(err)
}

// Exit codes, as docs/configuration.md and --help list them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitUnreachable = 5
)

const exitHelp = `Exit codes:
  0  done
  1  failure: something went wrong, or a check found something
  2  usage: wrong arguments, or a config file that is not valid
  3  not found
  4  denied: not allowed, or not possible any more
  5  the control plane cannot be reached`

// exitError is an error with its code. An empty text prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func fail(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitFailure
}

// flags are those that every command has.
type flags struct {
	config string
	json   bool
	as     string // who reads, as the local user states it
}

func newRoot() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:           "dragoman",
		Short:         "The identity-aware gateway between agents and what they operate on",
		Long:          "The identity-aware gateway between agents and what they operate on.\n\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&f.config, "config", "c", "dragoman.yaml", "the configuration file")
	root.PersistentFlags().BoolVar(&f.json, "json", false, "print data as JSON")
	root.AddCommand(newUp(f), newLogin(f), newToken(f), newSessions(f), newApprovals(f), newAudit(f), newMigrate(f), newPolicy(f), newNodes(f),
		newBootstrap(f), newBridge(), newKubeconfig(f), newDoctor(f), newVersion(f))
	usageErrors(root)
	return root
}

// usageErrors gives wrong flags and arguments the exit code for usage, and
// unknown subcommands an error.
func usageErrors(c *cobra.Command) {
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fail(exitUsage, "%w; see %s --help", err, c.CommandPath())
	})
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return fail(exitUsage, "%w; see %s --help", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageErrors(sub)
	}
}

// group is a command that only has subcommands.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(subs...)
	return c
}
