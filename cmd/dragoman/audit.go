package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/config"
)

func newAudit(f *flags) *cobra.Command {
	return f.stating(group("audit", "Check that the record is whole, prove it, see who read it; the key that signs it",
		newAuditVerify(f), newAuditCheckpoint(f), newAuditProof(f), newAuditConsistency(f), newAuditVerifyProof(f), newAuditReads(f), newAuditRotateKey(f), newAuditRewrap(f)))
}

// verifyFlags are what `audit verify` is told.
type verifyFlags struct {
	data, key, checkpoint, save string
	witnesses, keks             []string
	close                       func() error // of the bucket, if records are in one
}

func newAuditVerify(f *flags) *cobra.Command {
	var v verifyFlags
	c := &cobra.Command{Use: "verify", Short: "Verify all records, offline: needs only the files and the public key",
		Long: "Verify the log and every record: frames, hash chains, the log's tree and its signature.\n" +
			"Works offline and on a copy, with --data and --key (keys/record.pub of the data folder). Without --data,\n" +
			"records are read from the bucket of the configuration, if they are in one.\n" +
			"Encrypted records are verified as a whole, and frame by frame when their keys are at hand (--kek).\n" +
			"Keep the checkpoint that it saves (--save) elsewhere, and give it to the next verification\n" +
			"(--checkpoint): that finds a log that was rolled back or forked.\n" +
			"Exits with 1 when anything is wrong.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v.close = func() error { return nil }
			dir, opt, err := v.load(c.Context(), f)
			if err == nil {
				err = verify(c, f.json, dir, v.save, opt)
			}
			return errors.Join(err, v.close())
		}}
	c.Flags().StringVar(&v.data, "data", "", "the data folder, its audit folder, or a copy of either (default: that of the configuration)")
	c.Flags().StringVar(&v.key, "key", "", "a public key that signs the log or once did (default: keys/record.pub of the data folder)")
	c.Flags().StringVar(&v.checkpoint, "checkpoint", "", "a checkpoint that was kept elsewhere: the log must continue it")
	c.Flags().StringVar(&v.save, "save", "", "write the checkpoint to this file when nothing is wrong")
	kekFlag(c, &v.keks)
	c.Flags().StringArrayVar(&v.witnesses, "witness", nil, "verifier key of a witness that must have cosigned (may be given again)")
	return c
}

// load finds the audit folder and what it is verified against.
func (v *verifyFlags) load(ctx context.Context, f *flags) (string, audit.VerifyOptions, error) {
	opt := audit.VerifyOptions{Witnesses: v.witnesses}
	dir, key := v.data, filepath.Join(v.data, "keys", recordPubFile)
	var cfg *config.Config
	var err error
	if v.data == "" {
		if cfg, err = f.load(); err != nil {
			return "", opt, err
		}
		dir, key = cfg.AuditDir(), cfg.RecordPub()
		bodies, done, err := openBucket(ctx, cfg)
		if err != nil {
			return "", opt, err
		}
		if bodies != nil {
			opt.Bodies, v.close = bodies, done
		}
	} else if info, err := os.Stat(filepath.Join(v.data, "audit")); err == nil && info.IsDir() {
		dir = filepath.Join(v.data, "audit")
	}
	if v.key != "" {
		key = v.key
	}
	if opt.Keys, err = keyringFor(ctx, cfg, v.keks); err != nil {
		return "", opt, err
	}
	if opt.Key, err = readRecordPub(key); err != nil {
		return "", opt, err
	}
	if v.checkpoint != "" {
		if opt.Checkpoint, err = os.ReadFile(v.checkpoint); err != nil {
			return "", opt, fmt.Errorf("the kept checkpoint: %w", err)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", opt, fmt.Errorf("%s is no folder with records", dir)
	}
	return dir, opt, nil
}

// verified is what `audit verify --json` prints.
type verified struct {
	audit.Summary
	OK       bool           `json:"ok"`
	Problems []audit.Result `json:"problems"`
}

func verify(c *cobra.Command, asJSON bool, dir, save string, opt audit.VerifyOptions) error {
	out := verified{Problems: []audit.Result{}}
	var err error
	out.Summary, err = audit.Verify(c.Context(), dir, opt, func(r audit.Result) {
		if !r.OK() {
			out.Problems = append(out.Problems, r)
		}
	})
	if err != nil {
		return err
	}
	out.OK = out.Summary.OK()
	if asJSON {
		err = printJSON(c.OutOrStdout(), out)
	} else {
		out.print(c)
	}
	if err != nil {
		return err
	}
	if !out.OK {
		return &exitError{code: exitFailure}
	}
	if save != "" {
		return os.WriteFile(save, []byte(out.Checkpoint), 0o644)
	}
	return nil
}

func (out *verified) print(c *cobra.Command) {
	w := c.OutOrStdout()
	for _, p := range out.Log {
		fmt.Fprintf(w, "log: %s\n", clean(p.String()))
	}
	for _, r := range out.Problems {
		fmt.Fprintf(w, "%s: %s\n", clean(r.File), clean(r.Problem))
		for _, p := range r.Report.Problems {
			fmt.Fprintf(w, "  frame %d: %s: %s\n", p.Frame, clean(p.Kind), clean(p.Detail))
		}
	}
	if out.Unread > 0 {
		fmt.Fprintf(w, "%d encrypted records were verified as a whole only: --kek opens them\n", out.Unread)
	}
	if out.Deleted > 0 {
		fmt.Fprintf(w, "%d records were deleted in order\n", out.Deleted)
	}
	fmt.Fprintf(w, "%d records (%d live), log %s with %d entries, root %s: ", out.Records, out.Live, clean(out.Origin), out.Size, out.Root)
	if out.OK {
		fmt.Fprintln(w, "whole")
	} else {
		fmt.Fprintf(w, "%d problems\n", len(out.Problems)+len(out.Log))
	}
}
