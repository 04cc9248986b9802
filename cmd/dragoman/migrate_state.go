package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/authz"
	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/pgdb"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

// migrateState moves what is in state.db: holds, and for replicas tokens, revocations and the sessions that are open.
func migrateState(ctx context.Context, cfg *config.Config, db *pgdb.DB, log *slog.Logger) (holds, tokens int64, err error) {
	there, err := fileThere(cfg.StateFile())
	if err != nil || !there && cfg.Replicas.Set() {
		return 0, 0, err
	}
	state, err := sqlitedb.Open(cfg.StateFile())
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if err = errors.Join(err, state.Close()); err == nil && cfg.Replicas.Set() {
			err = os.Rename(cfg.StateFile(), cfg.StateFile()+".migrated") // Close leaves nothing beside the file
		}
	}()
	from, err := approval.NewSQLite(ctx, state)
	if err != nil {
		return 0, 0, err
	}
	to, err := approval.NewPostgres(ctx, db)
	if err != nil {
		return 0, 0, err
	}
	if holds, err = approval.Copy(ctx, from, to); err != nil || !cfg.Replicas.Set() {
		return holds, 0, err
	}
	old, err := token.NewStore(ctx, state, time.Now, log)
	if err != nil {
		return holds, 0, err
	}
	defer old.Close()
	fresh, err := token.NewPostgres(ctx, db, time.Now, log)
	if err != nil {
		return holds, 0, err
	}
	defer fresh.Close()
	if tokens, err = token.Copy(ctx, old, fresh); err == nil {
		err = authz.CopySessions(ctx, state, db)
	}
	return holds, tokens, err
}

// told is how often progress is told.
const told = 5 * time.Second

// migrateBodies copies records and their data keys from the folder into the configured bucket, and puts the folders aside.
func migrateBodies(ctx context.Context, cfg *config.Config, log *slog.Logger) (n int, err error) {
	to, done, err := openBucket(ctx, cfg)
	if err != nil || to == nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return moveBodies(ctx, cfg.AuditDir(), to, log)
}

func moveBodies(ctx context.Context, dir string, to blob.Store, log *slog.Logger) (n int, err error) {
	from := blob.NewFiles(dir)
	seen, last := 0, time.Now()
	for _, prefix := range []string{audit.DataKeys, "sessions/"} { // keys first: no record is without
		err := from.List(ctx, prefix, func(key string) error {
			copied, err := blob.Copy(ctx, from, to, key, path.Ext(key) == ".live")
			if err != nil {
				return err
			}
			if seen++; copied {
				n++
			}
			if time.Since(last) > told {
				last = time.Now()
				log.Info("records are being moved into the bucket", "looked_at", seen, "copied", n)
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
	for _, name := range []string{"sessions", "datakeys"} {
		if there, err := fileThere(filepath.Join(dir, name)); err != nil || !there {
			if err != nil {
				return n, err
			}
			continue
		}
		aside := filepath.Join(dir, name+".migrated")
		if err := os.Rename(filepath.Join(dir, name), aside); err != nil {
			return n, err
		}
		log.Info("remove this when you are sure: deletions do not reach it", "folder", aside)
	}
	return n, nil
}
