// Command httpbench compares, in one interleaved run, an nginx behind a plain Envoy, behind a plain Envoy with ext_authz,
// and behind dragoman with policy and recording on, without and with masks: requests a second, CPU a request, and the memory that a long body
// takes. It prints a table and writes it into a page. It asserts nothing: whether a goal is reached is a column of the table.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/report"
)

// options of a run, all flags.
type options struct {
	tools, bin, doc string
	rounds          int
	time            time.Duration
	mib             int64
	hold            time.Duration
	peer            string
}

func main() {
	var o options
	flag.StringVar(&o.tools, "tools", ".tools", "folder of the pinned Envoy and nginx")
	flag.StringVar(&o.bin, "bin", "bin", "folder of dragoman and libdragoman.so")
	flag.StringVar(&o.doc, "doc", "", "page to write the table into, between its marks")
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds")
	flag.DurationVar(&o.time, "time", 5*time.Second, "how long each load lasts")
	flag.Int64Var(&o.mib, "mib", 1024, "size of the long body; 0 leaves it out")
	flag.DurationVar(&o.hold, "hold", 0, "load one peer this long and do nothing else, for profiles")
	flag.StringVar(&o.peer, "peer", dragoman, "the peer that -hold loads")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "httpbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	r, err := startRig(ctx, o)
	if err != nil {
		return err
	}
	defer r.stop()
	if o.hold > 0 {
		p := r.peers[o.peer]
		if p == nil {
			return fmt.Errorf("no peer is called %q: %q", o.peer, names)
		}
		fmt.Println("Envoy's process:", p.proxy)
		got, err := r.load(ctx, loads[0], p, o.hold)
		fmt.Printf("%.0f requests a second, %.1f µs of Envoy and %.1f of the control plane each\n", got.perSecond, got.proxy, got.control)
		return err
	}
	m := newMeasures()
	for i := range o.rounds {
		fmt.Printf("round %d of %d\n", i+1, o.rounds)
		if err := m.round(ctx, r, o.time); err != nil {
			return err
		}
	}
	if o.mib > 0 {
		if err := m.long(ctx, r, o.mib<<20); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s; %d rounds of %s, the long body of %d MiB; Envoy %s, %d cores\n\n%s", time.Now().UTC().Format(time.DateOnly), o.rounds, o.time, o.mib,
		envoy.Version, runtime.NumCPU(), report.Table(m.all(), names, dragoman))
	fmt.Print(text)
	if o.doc == "" {
		return nil
	}
	return report.WriteMarked(o.doc, "http", "\n"+text)
}
