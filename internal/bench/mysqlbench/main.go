// Command mysqlbench compares, in one interleaved run, a MariaDB that is reached directly, through a plain Envoy, and through
// dragoman with policy, masks and recording on. The load is mariadb-slap's for statements as text, and that of Go's driver for
// prepared ones and for a long read. It prints a table and writes it into a page. It asserts nothing: whether a goal is
// reached is a column of the table.
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
	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
)

// options of a run, all flags.
type options struct {
	tools, bin, doc     string
	rounds, queries, by int
	fresh               int
	hold                time.Duration
	peer, only          string
}

func main() {
	var o options
	flag.StringVar(&o.tools, "tools", ".tools", "folder of the pinned Envoy")
	flag.StringVar(&o.bin, "bin", "bin", "folder of dragoman and libdragoman.so")
	flag.StringVar(&o.doc, "doc", "", "page to write the table into, between its marks")
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds")
	flag.IntVar(&o.queries, "queries", 20000, "statements of each measure and round")
	flag.IntVar(&o.by, "clients", 4, "connections at a time")
	flag.IntVar(&o.fresh, "fresh-rounds", 2, "rounds of the long read through proxies that have just started")
	flag.DurationVar(&o.hold, "hold", 0, "load one peer this long and do nothing else, for profiles")
	flag.StringVar(&o.peer, "peer", peer.Dragoman, "the peer that -hold loads")
	flag.StringVar(&o.only, "only", "", "measure only what has this in its name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "mysqlbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var loads []*load
	for _, l := range allLoads() {
		if strings.Contains(l.rate.Name, o.only) {
			loads = append(loads, l)
		}
	}
	read := newReads()
	if o.only == "" || strings.Contains("read", o.only) {
		if err := read.fresh(ctx, o); err != nil {
			return err
		}
	}
	r, err := startRig(ctx, o, peer.Plain, peer.Dragoman)
	if err != nil {
		return err
	}
	defer r.stop()
	if o.hold > 0 {
		return hold(ctx, r, loads, o)
	}
	for range o.rounds {
		for _, l := range loads {
			for _, p := range r.peers {
				if err := l.measure(ctx, r, p, o); err != nil {
					return err
				}
			}
		}
		for _, p := range r.peers {
			if err := read.measure(ctx, p); err != nil {
				return err
			}
		}
	}
	return print(loads, read, o)
}

// hold loads one peer for a while.
func hold(ctx context.Context, r *rig, loads []*load, o options) error {
	for _, p := range r.peers {
		if p.Name != o.peer {
			continue
		}
		fmt.Println("process", p.Proxy)
		for end := time.Now().Add(o.hold); time.Now().Before(end); {
			before, err := r.used(p)
			if err != nil {
				return err
			}
			if err := loads[0].run(ctx, p, o); err != nil {
				return err
			}
			after, err := r.used(p)
			if err != nil {
				return err
			}
			fmt.Printf("%s: %.1f µs\n", loads[0].rate.Name, micros(after.proxy-before.proxy)/float64(o.queries))
		}
	}
	return nil
}

func print(loads []*load, read *reads, o options) error {
	var all []*report.Measure
	for _, l := range loads {
		all = append(all, l.rate, l.proxy, l.server, l.all)
	}
	all = append(all, read.rate, read.cpu, read.growth)
	text := fmt.Sprintf("%s; MariaDB, %d connections, %d rounds of %d statements, durability `write`; Envoy %s, %d cores\n\n%s", time.Now().UTC().Format(time.DateOnly),
		o.by, o.rounds, o.queries, envoy.Version, runtime.NumCPU(), report.Table(all, []string{peer.Direct, peer.Plain, peer.Dragoman}, peer.Dragoman))
	fmt.Print(text)
	if o.doc == "" {
		return nil
	}
	return report.WriteMarked(o.doc, "mysql", "\n"+text)
}

// measure runs the load once through a peer.
func (l *load) measure(ctx context.Context, r *rig, p *peer.Peer, o options) error {
	before, err := r.used(p)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := l.run(ctx, p, o); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := r.used(p)
	if err != nil {
		return err
	}
	n := float64(o.queries)
	l.rate.Add(p.Name, n/took.Seconds())
	server, proxy := micros(after.server-before.server)/n, micros(after.proxy-before.proxy)/n
	l.server.Add(p.Name, server)
	if p.Proxy != 0 {
		l.proxy.Add(p.Name, proxy)
	}
	l.all.Add(p.Name, server+proxy+micros(after.control-before.control)/n)
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// usage is the CPU time of those who take part.
type usage struct{ server, proxy, control time.Duration }

func (r *rig) used(p *peer.Peer) (u usage, err error) {
	for pid, to := range map[int]*time.Duration{r.server: &u.server, p.Proxy: &u.proxy, p.Control: &u.control} {
		if pid == 0 {
			continue
		}
		if *to, err = proc.CPU(pid); err != nil {
			return u, err
		}
	}
	return u, nil
}
