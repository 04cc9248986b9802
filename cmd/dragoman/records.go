package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/bucket"
	"dragoman.dev/dragoman/internal/config"
)

// openBodies opens what records are kept in. close is never nil.
func openBodies(ctx context.Context, cfg *config.Config) (b blob.Store, close func() error, err error) {
	b, close, err = openBucket(ctx, cfg)
	if err != nil || b == nil {
		return blob.NewFiles(cfg.AuditDir()), func() error { return nil }, err
	}
	found, err := filepath.Glob(filepath.Join(cfg.AuditDir(), "sessions", "*", "*", "*", "*"))
	if err == nil && len(found) > 0 {
		err = fail(exitUsage, "audit.bodies.url is set, and there are records in %s: run `dragoman migrate`, which moves them into the bucket", cfg.AuditDir())
	}
	if err != nil {
		return nil, nil, errors.Join(err, close())
	}
	return b, close, nil
}

// openBucket opens the bucket of the configuration; nil when there is none.
func openBucket(ctx context.Context, cfg *config.Config) (b blob.Store, close func() error, err error) {
	in := cfg.Trail.Bodies
	if in.URL == "" {
		return nil, nil, nil
	}
	s, close, err := bucket.Open(ctx, in.URL, bucket.Lock{For: in.Lock.For.Std(), Compliance: in.Lock.Mode == config.LockCompliance, Now: time.Now})
	if err != nil {
		return nil, nil, fmt.Errorf("audit.bodies.url: %w", err)
	}
	return s, close, nil
}

// recordOptions are those of the store of records that every way to open it has. What is to be closed
// after the store is given to onClose.
func recordOptions(ctx context.Context, cfg *config.Config, log *slog.Logger, onClose func(func() error)) (opt audit.Options, err error) {
	opt = audit.Options{Origin: cfg.Trail.Log.Origin, Running: cfg.Trail.Log.Running.Std(), Log: log, Now: time.Now}
	if opt.Key, err = recordKey(cfg); err != nil {
		return opt, err
	}
	if opt.Witnesses, err = witnessesOf(cfg); err != nil {
		return opt, err
	}
	b, close, err := openBodies(ctx, cfg)
	if err != nil {
		return opt, err
	}
	onClose(close)
	opt.Blobs = b
	ring, err := makeKeyring(ctx, cfg, b)
	if err != nil {
		return opt, err
	}
	if ring != nil {
		onClose(ring.Close)
		opt.Keys = ring
	}
	return opt, nil
}

// hasDataKeys reports whether there is a data key already.
func hasDataKeys(ctx context.Context, b blob.Store) (bool, error) {
	found := errors.New("found")
	err := b.List(ctx, audit.DataKeys, func(string) error { return found })
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// fileThere reports whether a file is there; one that cannot be looked at is an error.
func fileThere(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
