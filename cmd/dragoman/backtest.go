package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/backtest"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/policy"
)

// exitBacktest says that --fail-on found something.
const exitBacktest = exitDenied

// backtestBudget is how long one evaluation may take: more than in the gateway, since a machine that is
// busy with a backtest is no reason to say that a policy fails.
const backtestBudget = 2 * time.Second

type backtestFlags struct {
	dir, policy, since, until, target, identity string
	limit, examples, workers                    int
	failOn, keks                                []string
	close                                       func() error // of the bucket, if records are in one
}

func newPolicyBacktest(f *flags) *cobra.Command {
	var b backtestFlags
	c := &cobra.Command{Use: "backtest", Short: "Judge recorded history with another policy, and say what would have changed",
		Long: "Judge recorded history with another policy, and say what would have changed.\n" +
			"Reads the records of the data folder, or of a copy (--dir), and writes nothing; the gateway may run meanwhile.\n" +
			"Ctrl-C ends it with a partial report.\n\n" +
			"Exits with 4 when --fail-on names a kind of change that there is, and with 1 when --fail-on is given\n" +
			"and not all of the history could be judged. Kinds: " + kindList() + ".",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.backtest(c, &b) }}
	fl := c.Flags()
	fl.StringVar(&b.policy, "policy", "", "the folder of the policy to judge with (default: the config's policy)")
	fl.StringVar(&b.dir, "dir", "", "the audit folder (default: that of the data folder)")
	kekFlag(c, &b.keks)
	fl.StringVar(&b.since, "since", "", "actions since: 7d, 12h, 2026-01-31 or RFC 3339 (default: all)")
	fl.StringVar(&b.until, "until", "", "actions before")
	fl.StringVar(&b.target, "target", "", "of sessions to this target")
	fl.StringVar(&b.identity, "identity", "", "of sessions with this actor in the chain")
	fl.IntVar(&b.limit, "limit", 0, "at most so many sessions, newest first (0: all)")
	fl.IntVar(&b.examples, "examples", 5, "so many examples of each kind of change")
	fl.IntVar(&b.workers, "workers", 0, "so many records at a time (0: one for each processor)")
	fl.StringSliceVar(&b.failOn, "fail-on", nil, "exit with 4 if there is a change of these kinds, also a perhaps: newly-blocked,unmasked …")
	return c
}

func kindList() string {
	var all []string
	for _, k := range backtest.Kinds() {
		all = append(all, string(k))
	}
	return strings.Join(all, ", ")
}

func (f *flags) backtest(c *cobra.Command, b *backtestFlags) (err error) {
	b.close = func() error { return nil }
	opt, err := f.backtestOptions(c, b)
	defer func() { err = errors.Join(err, b.close()) }()
	if err != nil {
		return err
	}
	ctx, stop := interruptible(c.Context())
	defer stop()
	rep, err := backtest.Run(ctx, opt)
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(c.OutOrStdout(), rep)
	} else {
		err = rep.WriteText(c.OutOrStdout())
	}
	if err != nil {
		return err
	}
	return judgeBacktest(rep, b.failOn)
}

func (f *flags) backtestOptions(c *cobra.Command, b *backtestFlags) (opt backtest.Options, err error) {
	for _, k := range b.failOn {
		if !slices.Contains(backtest.Kinds(), backtest.Kind(k)) {
			return opt, fail(exitUsage, "--fail-on %q is not one of %s", k, kindList())
		}
	}
	opt = backtest.Options{Dir: b.dir, Target: b.target, Identity: b.identity, Limit: b.limit, Examples: b.examples, Workers: b.workers,
		Progress: progressTo(c.ErrOrStderr())}
	now := time.Now()
	if opt.Since, err = ago(b.since, now); err != nil {
		return opt, fail(exitUsage, "--since: %w", err)
	}
	if opt.Until, err = ago(b.until, now); err != nil {
		return opt, fail(exitUsage, "--until: %w", err)
	}
	src := policy.Source{Dir: b.policy}
	if b.policy == "" {
		if src, err = f.policySource(nil); err != nil {
			return opt, err
		}
	}
	var cfg *config.Config
	if opt.Dir == "" {
		if cfg, err = f.load(); err != nil {
			return opt, err
		}
		opt.Dir = cfg.AuditDir()
		bodies, done, err := openBucket(c.Context(), cfg)
		if err != nil {
			return opt, err
		}
		if bodies != nil {
			opt.Bodies, b.close = bodies, done
		}
	}
	ring, err := keyringFor(c.Context(), cfg, b.keks)
	if err != nil {
		return opt, err
	}
	bodies := opt.Bodies
	if bodies == nil {
		bodies = blob.NewFiles(opt.Dir)
	}
	archive := audit.NewArchive(bodies, ring)
	opt.Open = func(name string) (backtest.Record, error) { return archive.Open(c.Context(), name) }
	opt.Engine, err = compile(c.Context(), src)
	return opt, err
}

func compile(ctx context.Context, src policy.Source) (*policy.Engine, error) {
	bundle, err := src.Bundle()
	if err != nil {
		return nil, err
	}
	return policy.Compile(ctx, bundle, policy.WithBudget(backtestBudget))
}

// ago is moment, with days and weeks as well: 7d, 2w.
func ago(s string, now time.Time) (time.Time, error) {
	if n := len(s); n > 1 && (s[n-1] == 'd' || s[n-1] == 'w') {
		if days, err := strconv.ParseUint(s[:n-1], 10, 16); err == nil {
			if s[n-1] == 'w' {
				days *= 7
			}
			return now.AddDate(0, 0, -int(days)), nil
		}
	}
	return moment(s, now)
}

func progressTo(w io.Writer) func(backtest.Progress) {
	return func(p backtest.Progress) {
		fmt.Fprintf(w, "%d of %d records, %d actions, %.0f a second\n", p.Read, p.Found, p.Actions, float64(p.Actions)/max(p.Elapsed.Seconds(), 0.001))
	}
}

// judgeBacktest makes the exit code. What cannot be said for certain counts as a change.
func judgeBacktest(rep *backtest.Report, failOn []string) error {
	if len(failOn) == 0 {
		return nil
	}
	var found []string
	for _, k := range failOn {
		if n := rep.Change(backtest.Kind(k)); n.Count+n.Perhaps > 0 {
			found = append(found, fmt.Sprintf("%s: %d", k, n.Count+n.Perhaps))
		}
	}
	switch {
	case len(found) > 0:
		return fail(exitBacktest, "the policy would change what --fail-on names: %s", strings.Join(found, ", "))
	case !rep.Whole():
		return fail(exitFailure, "not all of the history could be judged")
	case rep.PolicyErrors > 0:
		return fail(exitFailure, "the policy failed for %d actions", rep.PolicyErrors)
	}
	return nil
}
