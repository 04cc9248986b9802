// Command bench measures how long it takes to find sessions: it fills an index with made-up ones, in SQLite
// and in a real PostgreSQL, and asks each kind of question for its first page, again and again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/indexgen"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/pgserver"
)

type options struct {
	sessions, batch, runs int
	stores, tools, doc    string
	keep, url             string
}

func main() {
	var o options
	flag.IntVar(&o.sessions, "sessions", 1_000_000, "how many")
	flag.IntVar(&o.batch, "batch", 1000, "sessions in a transaction")
	flag.IntVar(&o.runs, "runs", 200, "questions of each kind")
	flag.StringVar(&o.stores, "stores", "sqlite,postgres", "where")
	flag.StringVar(&o.tools, "tools", ".tools", "folder that has PostgreSQL")
	flag.StringVar(&o.doc, "doc", "", "file to write the table into, between its markers")
	flag.StringVar(&o.keep, "keep", "", "folder to keep the filled stores in, and to take them from; PostgreSQL's user must reach it")
	flag.StringVar(&o.url, "url", "", "a PostgreSQL database that is there, instead of one of our own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// column is what was measured of one store.
type column struct {
	name  string
	note  string
	times map[string][2]time.Duration // p50 and p95
}

func run(ctx context.Context, o options) error {
	var all []column
	for _, name := range strings.Split(o.stores, ",") {
		open := map[string]func(context.Context, options, func(*sqlindex.Index) error) error{"sqlite": sqlite, "postgres": postgres}[name]
		if open == nil {
			return fmt.Errorf("no store %q", name)
		}
		err := open(ctx, o, func(x *sqlindex.Index) error {
			c, err := measure(ctx, o, name, x)
			all = append(all, c)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	text := table(o, all)
	fmt.Print(text)
	if o.doc == "" {
		return nil
	}
	return replace(o.doc, text)
}

// storeFolder is where a store of this size stays, or a scratch folder.
func (o options) storeFolder(store string) (dir string, done func(), err error) {
	if o.keep == "" {
		dir, err = os.MkdirTemp("", "dragoman-bench-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	dir = filepath.Join(o.keep, fmt.Sprintf("v%d-%d-%s", indexgen.Version, o.sessions, store))
	if _, err := os.Stat(filepath.Join(dir, filled)); err != nil { // not, or not to its end
		if err := os.RemoveAll(dir); err != nil {
			return "", nil, err
		}
	}
	return dir, func() {}, os.MkdirAll(dir, 0o755)
}

// filled is a file in the folder of a store that has all sessions.
const filled = "filled"

func sqlite(ctx context.Context, o options, f func(*sqlindex.Index) error) error {
	dir, done, err := o.storeFolder("sqlite")
	if err != nil {
		return err
	}
	defer done()
	path := filepath.Join(dir, "index.db")
	x, err := sqlindex.OpenSQLite(ctx, path)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := f(x); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, filled), nil, 0o644)
}

func postgres(ctx context.Context, o options, f func(*sqlindex.Index) error) error {
	if o.url != "" {
		x, err := sqlindex.OpenPostgres(ctx, o.url, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer x.Close()
		return f(x)
	}
	home, err := pgserver.Ensure(ctx, o.tools, pgserver.Newest)
	if err != nil {
		return err
	}
	// As a server of its own would be set up, within what a test machine has.
	dir, done, err := o.storeFolder("postgres")
	if err != nil {
		return err
	}
	defer done()
	s, err := pgserver.Start(ctx, pgserver.Options{Home: home, Keep: filepath.Join(dir, "cluster"), Settings: map[string]string{
		"shared_buffers": "2GB", "effective_cache_size": "8GB", "work_mem": "32MB", "max_wal_size": "8GB", "maintenance_work_mem": "512MB", "random_page_cost": "1.1", "jit": "off"}})
	if err != nil {
		return err
	}
	defer s.Stop()
	x, err := sqlindex.OpenPostgres(ctx, s.URL("postgres"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer x.Close()
	if err := f(x); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, filled), nil, 0o644)
}

// fill writes the sessions, unless they are there.
func fill(ctx context.Context, o options, name string, g *indexgen.Generator, x *sqlindex.Index) error {
	if _, err := x.Get(ctx, indexgen.ID(o.sessions-1)); !errors.Is(err, index.ErrNotFound) {
		return err
	}
	began, told, done := time.Now(), time.Now(), 0
	for b := g.Next(o.batch); !b.Empty(); b = g.Next(o.batch) {
		if err := x.Write(ctx, b); err != nil {
			return err
		}
		if done += len(b.Sessions); time.Since(told) > 10*time.Second {
			told = time.Now()
			fmt.Fprintf(os.Stderr, "%s: %d of %d sessions, %.0f a second\n", name, done, o.sessions, float64(done)/time.Since(began).Seconds())
		}
	}
	return x.Tidy(ctx)
}

func measure(ctx context.Context, o options, name string, x *sqlindex.Index) (column, error) {
	c := column{name: name, times: map[string][2]time.Duration{}}
	g := indexgen.New(1, o.sessions, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	began := time.Now()
	if err := fill(ctx, o, name, g, x); err != nil {
		return c, err
	}
	took := time.Since(began)
	bytes, err := x.Size(ctx)
	if err != nil {
		return c, err
	}
	c.note = fmt.Sprintf("%s: filled in %s, %.1f GB", name, took.Round(time.Second), float64(bytes)/1e9)
	if took < time.Second {
		c.note = fmt.Sprintf("%s: filled before, %.1f GB", name, float64(bytes)/1e9)
	}
	for _, q := range g.Questions() {
		var all []time.Duration
		for range o.runs {
			query := q.Make()
			at := time.Now()
			if _, err := x.List(ctx, query); err != nil {
				return c, fmt.Errorf("%s: %w", q.Name, err)
			}
			all = append(all, time.Since(at))
		}
		slices.Sort(all)
		c.times[q.Name] = [2]time.Duration{quantile(all, 0.5), quantile(all, 0.95)}
		fmt.Fprintf(os.Stderr, "%s: %-40s %v\n", name, q.Name, c.times[q.Name])
	}
	return c, nil
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
