package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/config"
)

// recordNextFile is the new key while the log is handed to it.
const recordNextFile = "record.key.next"

func newAuditRotateKey(f *flags) *cobra.Command {
	return &cobra.Command{Use: "rotate-key", Short: "Hand the log to a new signing key (the control plane must be stopped)",
		Long: "Make a new signing key and hand the log to it, by an entry that both keys sign. The old public key is\n" +
			"kept as keys/record-ID.pub, and stays valid for what it signed; the old private key is deleted.\n" +
			"Give auditors the new keys/record.pub. A rotation that was interrupted is finished by the same command.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(cfg.RunDir(), 0o700); err != nil {
				return err
			}
			unlock, err := lockData(cfg)
			if err != nil {
				return err
			}
			id, err := rotateRecordKey(c.Context(), cfg)
			if err == nil {
				fmt.Fprintf(c.OutOrStdout(), "the log is signed by a new key; the old public key is keys/record-%s.pub\n", id)
			}
			return errors.Join(err, unlock())
		}}
}

// rotateRecordKey does what can be done again first: the new key, the old public key, the entry, the exchange.
func rotateRecordKey(ctx context.Context, cfg *config.Config) (id string, err error) {
	if _, err := os.Stat(filepath.Join(cfg.KeysDir(), recordKeyFile)); errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("there is no signing key yet: nothing to rotate")
	}
	old, err := recordKey(cfg)
	if err != nil {
		return "", err
	}
	next := filepath.Join(cfg.KeysDir(), recordNextFile)
	key, err := signingKey(next)
	if err != nil {
		return "", err
	}
	pub := old.Public().(ed25519.PublicKey)
	id = hex.EncodeToString(pub[:8])
	kept, err := os.ReadFile(filepath.Join(cfg.KeysDir(), recordPubFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(cfg.KeysDir(), "record-"+id+".pub"), kept, 0o644)
	}
	if err == nil {
		err = audit.RotateKey(ctx, cfg.AuditDir(), old, key)
	}
	if err == nil {
		err = os.Rename(next, filepath.Join(cfg.KeysDir(), recordKeyFile))
	}
	if err == nil {
		_, err = recordKey(cfg) // writes the public key
	}
	return id, err
}
