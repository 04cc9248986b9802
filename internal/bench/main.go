// Command bench compares, in one interleaved run, a PostgreSQL that is reached
// directly, through a plain Envoy, through pgbouncer and through dragoman with
// policy, masks and recording on. It prints a table and writes it into a page
// (docs/performance.md says how to read it). It asserts nothing: whether a
// goal is reached is a column of the table.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/report"
	"dragoman.dev/dragoman/internal/pgserver"
)

// options of a run, all flags.
type options struct {
	tools, bin, postgres string
	doc                  string
	peers                []string
	rounds, freshRounds  int
	time                 time.Duration
	sessions, opens      int
	scale                int
	threads              bool
}

func parseFlags() options {
	var o options
	var peers string
	flag.StringVar(&o.tools, "tools", ".tools", "folder of the pinned Envoy and PostgreSQL")
	flag.StringVar(&o.bin, "bin", "bin", "folder of dragoman and libdragoman.so")
	flag.StringVar(&o.postgres, "postgres", pgserver.Newest, "version of PostgreSQL")
	flag.StringVar(&o.doc, "doc", "", "page to write the table into, between its marks")
	flag.StringVar(&peers, "peers", "direct,plain,pgbouncer,dragoman", "what to compare")
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds of rates and times")
	flag.IntVar(&o.freshRounds, "fresh-rounds", 2, "rounds of memory, each with proxies just started; 0 leaves them out")
	flag.DurationVar(&o.time, "time", 5*time.Second, "how long each pgbench counts")
	flag.IntVar(&o.sessions, "sessions", 1000, "idle sessions for the memory")
	flag.IntVar(&o.opens, "opens", 60, "sessions opened one after another")
	flag.IntVar(&o.scale, "scale", 10, "pgbench's scale")
	flag.BoolVar(&o.threads, "threads", false, "split the proxy's CPU by workers and other threads")
	flag.Parse()
	names := map[string]string{"direct": peer.Direct, "plain": peer.Plain, "pgbouncer": peer.PgBouncer, "dragoman": peer.Dragoman}
	for p := range strings.SplitSeq(peers, ",") {
		name, ok := names[p]
		if !ok {
			fmt.Fprintf(os.Stderr, "bench: -peers: %q is not one of direct, plain, pgbouncer, dragoman\n", p)
			os.Exit(2)
		}
		o.peers = append(o.peers, name)
	}
	return o
}

func main() {
	o := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	load := loadAverage()
	d, err := peer.StartDatabase(ctx, o.tools, o.postgres, o.scale)
	if err != nil {
		return err
	}
	defer d.Server.Stop()
	r := newRun(o, d)
	err = r.all(ctx)
	text := provenance(o, load) + "\n" + report.Table(r.measures(), o.peers, peer.Dragoman)
	fmt.Println()
	fmt.Print(text)
	if o.threads {
		fmt.Println()
		fmt.Print(r.threads.table())
	}
	if err != nil || o.doc == "" {
		return err
	}
	return report.WriteBetween(o.doc, "\n"+text)
}

// start starts a peer by its name.
func (r *bench) start(ctx context.Context, name string) (*peer.Peer, error) {
	switch name {
	case peer.Plain:
		return peer.StartPlain(ctx, r.tools, r.db)
	case peer.PgBouncer:
		return peer.StartPgBouncer(ctx, r.db)
	case peer.Dragoman:
		return peer.StartDragoman(ctx, r.tools, r.bin, r.db)
	}
	return r.db.Direct(), nil
}
