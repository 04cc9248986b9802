package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/envelope"
)

// openKeyring opens the key-encryption keys of bodies; nil when they are not encrypted.
func openKeyring(ctx context.Context, cfg *config.Config) (*envelope.Keyring, error) {
	e := cfg.Trail.Encryption
	if e.Off {
		return nil, nil
	}
	return envelope.Open(ctx, e.Key, e.Old...)
}

// makeKeyring is openKeyring for the control plane, which makes the key's file at its first start. When there are data
// keys already, a missing file is one that was lost.
func makeKeyring(ctx context.Context, cfg *config.Config, bodies blob.Store) (*envelope.Keyring, error) {
	e := cfg.Trail.Encryption
	path, inFile := strings.CutPrefix(e.Key, "file:")
	if e.Off || !inFile {
		return openKeyring(ctx, cfg)
	}
	there, err := fileThere(path)
	if err != nil || there {
		return openKeyring(ctx, cfg)
	}
	used, err := hasDataKeys(ctx, bodies)
	if err != nil {
		return nil, err
	}
	if used && len(e.Old) == 0 {
		return nil, fmt.Errorf("the key-encryption key %s is gone, and without it no encrypted record can be read: restore it from its backup. "+
			"If it is lost for good, name another one as audit.encryption.key and this one nowhere, and move the data keys (%s) away", path, audit.DataKeys)
	}
	return envelope.OpenOrCreate(ctx, e.Key, e.Old...)
}

// keyringFor opens the keys for a command that works offline: those that it was given, else those of the
// configuration as far as they are here. nil: what is encrypted stays unread.
func keyringFor(ctx context.Context, cfg *config.Config, given []string) (audit.Keyring, error) {
	if len(given) > 0 {
		return envelope.Open(ctx, given[0], given[1:]...)
	}
	if cfg == nil {
		return nil, nil
	}
	ring, err := openKeyring(ctx, cfg)
	if errors.Is(err, fs.ErrNotExist) || ring == nil && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return ring, nil
}

// kekFlag adds --kek to a command that works offline.
func kekFlag(c *cobra.Command, keks *[]string) {
	c.Flags().StringArrayVar(keks, "kek", nil, "key-encryption key that opens encrypted records, as audit.encryption.key (may be given again for older ones; default: the configuration's)")
}

// retain deletes records whose time is over, until ctx ends.
func (c *control) retain(ctx context.Context) { housekeeping(ctx, c.retainOnce) }

func (c *control) retainOnce(ctx context.Context) {
	store := c.records.Mine()
	if store == nil { // another replica does it
		return
	}
	for _, t := range c.cfg.Targets {
		keep := c.cfg.Trail.Retention
		if t.Audit.Retention != nil {
			keep = *t.Audit.Retention
		}
		n, err := store.Expire(ctx, audit.Retain{Target: t.Name, For: keep.Std(), Hold: t.Audit.LegalHold})
		if err != nil && ctx.Err() == nil {
			c.log.Error("records whose time is over cannot be deleted; tried again later", "target", t.Name, "error", err)
		}
		if n > 0 {
			c.log.Info("records are deleted whose time is over", "target", t.Name, "sessions", n, "retention", keep.Std())
		}
	}
}

func newAuditRewrap(f *flags) *cobra.Command {
	return &cobra.Command{Use: "rewrap-keys", Short: "Wrap the data keys of all records again by the current key-encryption key",
		Long: "Wrap every record's data key by audit.encryption.key, so that those in audit.encryption.old can go.\n" +
			"Records themselves are not touched. The control plane may run; it must have been started with the new key.\n" +
			"May be stopped and begun again.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			ring, err := openKeyring(c.Context(), cfg)
			if err != nil {
				return err
			}
			if ring == nil {
				return errors.New("records are not encrypted: audit.encryption.off is set")
			}
			defer ring.Close()
			var out struct {
				Keys    int    `json:"keys"`
				Changed int    `json:"changed"`
				KEK     string `json:"kek"`
			}
			out.KEK = ring.Current()
			bodies, done, err := openBodies(c.Context(), cfg)
			if err != nil {
				return err
			}
			defer done()
			err = audit.Rewrap(c.Context(), bodies, ring, func(changed bool) {
				if out.Keys++; changed {
					out.Changed++
				}
				if out.Keys%1000 == 0 {
					fmt.Fprintf(c.ErrOrStderr(), "%d keys\n", out.Keys)
				}
			})
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), out)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d data keys, %d of them wrapped again; all are wrapped by %s\n", out.Keys, out.Changed, clean(out.KEK))
			return err
		}}
}
