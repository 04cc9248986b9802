package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/pgdb"
)

// databaseLock is held by the one process that uses a database.
const databaseLock = "control plane"

// openShared opens the configured PostgreSQL for this process alone, or together with others that do so; nil when there
// is none. lost is called when another process has taken it over.
func openShared(ctx context.Context, cfg *config.Config, log *slog.Logger, together bool, lost func(error)) (*pgdb.DB, error) {
	if cfg.Database == "" {
		return nil, nil
	}
	url, err := cfg.Secrets().Resolve(ctx, cfg.Database)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	db, err := pgdb.Open(ctx, url.Reveal(), log)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	take := db.Lock
	if together {
		take = db.LockShared
	}
	if err := take(ctx, databaseLock, lost); errors.Is(err, pgdb.ErrTaken) {
		return nil, errors.Join(fmt.Errorf("database: %w: one control plane uses it at a time, unless all have `replicas` in their configuration", err), db.Close())
	} else if err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), db.Close())
	}
	return db, nil
}

// embeddedIndex is the index in the data folder, if there is one.
func embeddedIndex(cfg *config.Config) (path string, there bool, err error) {
	path = filepath.Join(cfg.AuditDir(), "index.db")
	there, err = fileThere(path)
	return path, there, err
}

func (c *control) openDatabase(ctx context.Context) (err error) {
	if c.shared, err = openShared(ctx, c.cfg, c.log, c.cfg.Replicas.Set(), func(err error) { report(c.lost, err) }); err != nil || c.shared == nil {
		return err
	}
	c.onClose(c.shared.Close)
	path, there, err := embeddedIndex(c.cfg)
	if err != nil {
		return err
	}
	if there {
		return fail(exitUsage, "database is set, and %s is there: run `dragoman migrate` first, which moves the index and the holds over", path)
	}
	return nil
}

// sharedIndex is that in PostgreSQL; nil for the embedded one.
func (c *control) sharedIndex(ctx context.Context) (index.Index, error) {
	if c.shared == nil {
		return nil, nil
	}
	x, err := sqlindex.NewPostgres(ctx, c.shared)
	if err != nil {
		return nil, err
	}
	return x, nil
}

func (c *control) holdStore(ctx context.Context) (approval.Store, error) {
	if c.shared != nil {
		return approval.NewPostgres(ctx, c.shared)
	}
	return approval.NewSQLite(ctx, c.db)
}

// What is kept after its end, for people to look at; records have it all the same.
const (
	keepTokens = 30 * 24 * time.Hour
	keepHolds  = 90 * 24 * time.Hour
)

// housekeepingEvery is how often what is over is looked for.
const housekeepingEvery = time.Hour

// housekeeping calls f at once and then hourly, until ctx ends.
func housekeeping(ctx context.Context, f func(context.Context)) {
	tick := time.NewTicker(housekeepingEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		f(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// prune forgets tokens and holds whose time is over, until ctx ends.
func (c *control) prune(ctx context.Context) {
	housekeeping(ctx, func(ctx context.Context) { c.pruneOnce(ctx, time.Now()) })
}

func (c *control) pruneOnce(ctx context.Context, now time.Time) {
	if err := c.tokens.Prune(ctx, now.Add(-keepTokens)); err != nil && ctx.Err() == nil {
		c.log.Error("expired tokens cannot be forgotten; tried again later", "err", err)
	}
	n, err := c.approvals.Prune(ctx, now.Add(-keepHolds))
	if err != nil && ctx.Err() == nil {
		c.log.Error("old holds cannot be forgotten; tried again later", "err", err)
	}
	if n > 0 {
		c.log.Info("old holds are forgotten", "holds", n)
	}
}
