// Command peers runs PostgreSQL's own regression suite twice against the same
// server, direct and through a gateway whose policy allows everything, and
// compares what psql printed: every difference is a defect of the gateway. The
// suite's source is fetched from the distribution, is not part of this
// repository, and is kept in the folder of tools.
//
// With -hold it only starts the server and the gateway, prints how to reach
// both, and waits: for other people's suites that are run by hand.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"dragoman.dev/dragoman/internal/pgserver"
)

type options struct {
	tools, bin string
	version    string
	schedule   string
	out        string
	hold       bool
}

func main() {
	var o options
	flag.StringVar(&o.tools, "tools", ".tools", "folder of the pinned Envoy and PostgreSQL, and of what is fetched")
	flag.StringVar(&o.bin, "bin", "bin", "folder of dragoman and libdragoman.so")
	flag.StringVar(&o.version, "postgres", pgserver.V15, "version of PostgreSQL, for -hold")
	flag.StringVar(&o.schedule, "schedule", "", "a schedule of your own instead of the whole suite's")
	flag.StringVar(&o.out, "out", "", "folder that keeps both runs' results; default: removed unless they differ")
	flag.BoolVar(&o.hold, "hold", false, "start server and gateway, print how to reach them, wait for Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var err error
	for _, p := range []*string{&o.tools, &o.bin} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	r, err := startRig(ctx, o)
	if err != nil {
		return err
	}
	if o.hold {
		fmt.Print(r.describe())
		<-ctx.Done()
		return r.stop()
	}
	return errors.Join(compareSuite(ctx, o, r), r.stop())
}
