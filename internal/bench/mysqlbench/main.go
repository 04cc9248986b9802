// Command mysqlbench compares, in one interleaved run, a MariaDB that is reached directly, through a plain Envoy, and through
// dragoman with policy, masks and recording on. The load is mariadb-slap's. It prints a table and writes it into
// a page. It asserts nothing: whether a goal is reached is a column of the table.
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
	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
)

// options of a run, all flags.
type options struct {
	tools, bin, doc     string
	rounds, queries, by int
}

func main() {
	var o options
	flag.StringVar(&o.tools, "tools", ".tools", "folder of the pinned Envoy")
	flag.StringVar(&o.bin, "bin", "bin", "folder of dragoman and libdragoman.so")
	flag.StringVar(&o.doc, "doc", "", "page to write the table into, between its marks")
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds")
	flag.IntVar(&o.queries, "queries", 20000, "statements of each measure and round")
	flag.IntVar(&o.by, "clients", 4, "connections at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "mysqlbench:", err)
		os.Exit(1)
	}
}

// load is one kind of statement and what is measured of it.
type load struct {
	text                     string
	rate, proxy, server, all *report.Measure
}

// The goals are those of PostgreSQL.
const (
	goalRate = 0.7 // of plain Envoy's statements a second
	goalCPU  = 2.2 // of its CPU a statement
)

func newLoad(name, text string) *load {
	cpu := func(of string, how report.Compare) *report.Measure {
		return &report.Measure{Name: name + ": CPU of " + of, Unit: "µs a statement", Base: peer.Plain, Compare: how, Goal: goalCPU}
	}
	return &load{text: text, rate: &report.Measure{Name: name, Unit: "statements/s", Base: peer.Plain, Compare: report.Ratio, Goal: goalRate, AtLeast: true},
		proxy: cpu("the proxy", report.Ratio), server: cpu("the server", report.Plainly), all: cpu("all but the client", report.None)}
}

func run(ctx context.Context, o options) error {
	r, err := startRig(ctx, o)
	if err != nil {
		return err
	}
	defer r.stop()
	loads := []*load{newLoad("point select", "SELECT name, city FROM bench.customers WHERE id = 4711"),
		newLoad("point select of masked columns", "SELECT name, email, ssn FROM bench.customers WHERE id = 4711"),
		newLoad("100 rows, two columns masked", "SELECT id, name, email, ssn FROM bench.customers WHERE id BETWEEN 100 AND 199"),
		newLoad("update by key", "UPDATE bench.counters SET n = n + 1 WHERE id = 7")}
	for range o.rounds {
		for _, l := range loads {
			for _, p := range r.peers {
				if err := l.measure(ctx, r, p, o); err != nil {
					return err
				}
			}
		}
	}
	var all []*report.Measure
	for _, l := range loads {
		all = append(all, l.rate, l.proxy, l.server, l.all)
	}
	text := fmt.Sprintf("%s; MariaDB, mariadb-slap with %d connections, %d rounds of %d statements, durability `write`; Envoy %s, %d cores\n\n%s", time.Now().UTC().Format(time.DateOnly),
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
	if err := slap(ctx, p, l.text, o); err != nil {
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
