package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"

	"dragoman.dev/dragoman/internal/translog"
)

// RotateKey hands the log of the store at dir, which nobody may have open, from one signing
// key to another. Done again, after it was interrupted, it does nothing.
func RotateKey(ctx context.Context, dir string, from, to ed25519.PrivateKey) error {
	path := filepath.Join(dir, logDir)
	if l, err := translog.Open(path, translog.Options{Key: to}); err == nil {
		return l.Close()
	} else if !errors.Is(err, translog.ErrKey) {
		return err
	}
	l, err := translog.Open(path, translog.Options{Key: from})
	if err != nil {
		return err
	}
	return errors.Join(l.Rotate(ctx, to), l.Close())
}
