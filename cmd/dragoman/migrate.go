package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/audit/replica"
	"dragoman.dev/dragoman/internal/config"
)

// migrated is what `migrate` did.
type migrated struct {
	Bodies   int   `json:"bodies"`   // records and data keys that were copied into the bucket
	Sessions int   `json:"sessions"` // in the index
	Holds    int64 `json:"holds"`    // that were not there yet
	Tokens   int64 `json:"tokens"`   // and revocations, that were not there yet
}

func newMigrate(f *flags) *cobra.Command {
	return &cobra.Command{Use: "migrate", Short: "Move what is in the data folder into the configured database and bucket",
		Long: "Move records into the bucket that the configuration names (audit.bodies), and the index of sessions and the holds\n" +
			"from SQLite into its PostgreSQL database; with replicas, tokens and revocations, too.\n" +
			"The control plane must not run. The index is made again from the records. Each record is read again in the bucket.\n" +
			"May be stopped and begun again; what was moved stays beside its place, with .migrated behind its name.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			if cfg.Database == "" && cfg.Trail.Bodies.URL == "" {
				return fail(exitUsage, "the configuration names no database and no bucket")
			}
			log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			done, err := migrate(c.Context(), cfg, log)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), done)
			}
			return done.print(c.OutOrStdout(), cfg)
		}}
}

func (m migrated) print(w io.Writer, cfg *config.Config) error {
	if cfg.Trail.Bodies.URL != "" {
		if _, err := fmt.Fprintf(w, "%d records and data keys were moved into the bucket\n", m.Bodies); err != nil {
			return err
		}
	}
	if cfg.Database == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "%d sessions are in the database's index; %d holds were moved\n", m.Sessions, m.Holds)
	if err == nil && cfg.Replicas.Set() {
		_, err = fmt.Fprintf(w, "%d tokens and revocations were moved\n", m.Tokens)
	}
	return err
}

func migrate(ctx context.Context, cfg *config.Config, log *slog.Logger) (done migrated, err error) {
	if err := os.MkdirAll(cfg.RunDir(), 0o700); err != nil {
		return done, err
	}
	unlock, err := lockData(cfg)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if cfg.Replicas.Set() {
		idle, err := replica.Idle(cfg.Replicas.Folder)
		if err != nil {
			return done, err
		}
		defer idle()
	}
	if done.Bodies, err = migrateBodies(ctx, cfg, log); err != nil || cfg.Database == "" {
		return done, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	db, err := openShared(ctx, cfg, log, false, cancel)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if done.Holds, done.Tokens, err = migrateState(ctx, cfg, db, log); err != nil {
		return done, err
	}
	path, there, err := embeddedIndex(cfg)
	if err != nil {
		return done, err
	}
	x, err := sqlindex.NewPostgres(ctx, db)
	if err != nil {
		return done, err
	}
	if there {
		if err := adoptNodes(ctx, path, x); err != nil {
			return done, errors.Join(err, x.Close())
		}
	}
	if done.Sessions, err = remake(ctx, cfg, x, log); err != nil {
		return done, err
	}
	if there {
		return done, os.Rename(path, path+".migrated")
	}
	return done, nil
}

func adoptNodes(ctx context.Context, path string, x *sqlindex.Index) error {
	old, err := sqlindex.OpenSQLite(ctx, path)
	if err != nil {
		return err
	}
	nodes, err := old.Nodes(ctx)
	if err = errors.Join(err, old.Close()); err != nil { // Close leaves nothing beside the file
		return err
	}
	return x.Adopt(ctx, nodes)
}

// remake opens the store, which makes a stale index again from the records, and closes it and the index.
func remake(ctx context.Context, cfg *config.Config, x *sqlindex.Index, log *slog.Logger) (n int, err error) {
	var closers []func() error
	defer func() {
		for _, f := range closers {
			err = errors.Join(err, f())
		}
	}()
	opt, err := recordOptions(ctx, cfg, log, func(f func() error) { closers = append(closers, f) })
	if err != nil {
		return 0, errors.Join(err, x.Close())
	}
	opt.Index, opt.Witnesses = x, nil
	stop := progress(x, log)
	s, err := audit.Open(cfg.AuditDir(), opt)
	stop()
	if err != nil {
		return 0, err
	}
	stale, err := x.Stale(ctx)
	if err == nil && stale {
		err = errors.New("the index could not be made completely; see the log, and run it again")
	}
	nodes, nerr := x.Nodes(ctx)
	return len(nodes), errors.Join(err, nerr, s.Close())
}

// progress tells how many writes the index had, every few seconds.
func progress(x *sqlindex.Index, log *slog.Logger) (stop func()) {
	seen := make(chan struct{}, 1024)
	cancel := x.Watch(func(string) {
		select {
		case seen <- struct{}{}:
		default:
		}
	})
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		n, told := 0, time.Now()
		for {
			select {
			case <-seen:
				if n++; time.Since(told) > 5*time.Second {
					told = time.Now()
					log.Info("the index is being made", "writes", n)
				}
			case <-end:
				return
			}
		}
	}()
	return func() { cancel(); close(end); <-done }
}
