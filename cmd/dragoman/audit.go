package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
)

func newAudit(f *flags) *cobra.Command {
	return group("audit", "Check that the record is whole", newAuditVerify(f))
}

func newAuditVerify(f *flags) *cobra.Command {
	var dir, key string
	c := &cobra.Command{Use: "verify", Short: "Verify all records, offline: needs only the files and the public key",
		Long: "Verify every record: its frames, its hash chain, and the signed digest of every sealed session.\n" +
			"Works offline and on a copy, with --dir and --key (keys/record.pub of the data folder).\n" +
			"Exits with 1 when anything is wrong.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dir == "" || key == "" {
				cfg, err := f.load()
				if err != nil {
					return err
				}
				if dir == "" {
					dir = cfg.AuditDir()
				}
				if key == "" {
					key = filepath.Join(cfg.KeysDir(), recordPubFile)
				}
			}
			return verify(c, f.json, dir, key)
		}}
	c.Flags().StringVar(&dir, "dir", "", "the audit folder (default: that of the data folder)")
	c.Flags().StringVar(&key, "key", "", "the public key (default: keys/record.pub of the data folder)")
	return c
}

func verify(c *cobra.Command, asJSON bool, dir, key string) error {
	pub, err := readRecordPub(key)
	if err != nil {
		return err
	}
	out := struct {
		audit.Summary
		OK       bool           `json:"ok"`
		Problems []audit.Result `json:"problems"`
	}{Problems: []audit.Result{}}
	out.Summary, err = audit.Verify(c.Context(), dir, pub, func(r audit.Result) {
		if !r.OK() {
			out.Problems = append(out.Problems, r)
		}
	})
	if err != nil {
		return err
	}
	out.OK = out.Summary.OK()
	w := c.OutOrStdout()
	if asJSON {
		if err := printJSON(w, out); err != nil {
			return err
		}
	} else {
		for _, r := range out.Problems {
			fmt.Fprintf(w, "%s: %s\n", clean(r.File), clean(r.Problem))
			for _, p := range r.Report.Problems {
				fmt.Fprintf(w, "  %s\n", clean(fmt.Sprintf("%+v", p)))
			}
		}
		if out.DigestProblem != "" {
			fmt.Fprintf(w, "digests: %s\n", clean(out.DigestProblem))
		}
		fmt.Fprintf(w, "%d records (%d live), %d digests, head %s: ", out.Records, out.Live, out.Digests, out.Head)
		if out.OK {
			fmt.Fprintln(w, "whole")
		} else {
			fmt.Fprintf(w, "%d with problems\n", len(out.Problems))
		}
	}
	if !out.OK {
		return &exitError{code: exitFailure}
	}
	return nil
}
