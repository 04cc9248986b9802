// Command rdpbench compares, in one interleaved run, desktops that are reached directly and through dragoman with policy and recording on:
// xrdp by TLS, and FreeRDP's shadow server by network level authentication. It measures the time to a desktop, a key's way to
// what it draws, and how fast pictures come, with the CPU that they cost. The client is the same for both, internal/rdpclient, which asks for
// what the gateway asks of targets. It prints a table and writes it into a page. It asserts nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/report"
)

// options of a run, all flags.
type options struct {
	tools, bin, doc            string
	rounds, opens, keys, paint int
}

func main() {
	var o options
	flag.StringVar(&o.tools, "tools", ".tools", "folder of the pinned Envoy")
	flag.StringVar(&o.bin, "bin", "bin", "folder of dragoman and libdragoman.so")
	flag.StringVar(&o.doc, "doc", "", "page to write the table into, between its marks")
	flag.IntVar(&o.rounds, "rounds", 3, "interleaved rounds")
	flag.IntVar(&o.opens, "opens", 5, "logins one after another")
	flag.IntVar(&o.keys, "keys", 60, "keys one after another")
	flag.IntVar(&o.paint, "paint", 30, "pictures of the whole desktop one after another")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "rdpbench:", err)
		os.Exit(1)
	}
}

const (
	direct   = "direct"
	dragoman = "dragoman"
)

func run(ctx context.Context, o options) error {
	r, err := startRig(ctx, o)
	if err != nil {
		return err
	}
	defer r.stop()
	m := newMeasures(o)
	for range o.rounds {
		for _, peer := range []string{direct, dragoman} {
			if err := m.round(ctx, r, peer); err != nil {
				return fmt.Errorf("%s: %w", peer, err)
			}
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	busy, _, _ := strings.Cut(string(load), " ")
	text := fmt.Sprintf("%s; %d rounds, %d by %d pixels at 32 bits, durability `write`; Envoy %s, %d cores, load average %s\n\n%s", time.Now().UTC().Format(time.DateOnly), o.rounds, width, height,
		envoy.Version, runtime.NumCPU(), busy, report.Table(m.all(), []string{direct, dragoman}, dragoman))
	fmt.Print(text)
	if o.doc == "" {
		return nil
	}
	return report.WriteMarked(o.doc, "rdp", "\n"+text)
}
