package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dragoman.dev/dragoman/internal/bench/load"
	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/report"
)

// bench is one run.
type bench struct {
	options
	db      *peer.Database
	work    []workload
	read    readMeasures
	connect report.Measure // sessions a second
	open    report.Measure // time to open one
	idle    report.Measure // memory of one
	threads threadTable
}

// workload is one way to run pgbench and its measures.
type workload struct {
	name             string
	bench            load.PgBench
	rate, cpu, aside *report.Measure
	after, size      *report.Measure
}

// readMeasures are those of the long read.
type readMeasures struct{ rate, cpu, growth report.Measure }

// The goals that the project has set itself.
const (
	goalRate        = 0.7 // of plain Envoy's transactions a second
	goalCPUPrepared = 1.8 // of plain Envoy's CPU a transaction
	goalCPUSimple   = 2.2
	goalRead        = 0.5 // of plain Envoy's rows a second
	goalGrowth      = 64  // MiB, during the long read
	goalIdle        = 60  // KB a session more than plain Envoy
	goalOpen        = 5   // ms more than direct
)

func newRun(o options, d *peer.Database) *bench {
	r := &bench{options: o, db: d}
	for _, mode := range []string{"prepared", "simple"} {
		for _, clients := range []int{8, 64} {
			name := fmt.Sprintf("`-S` %s, %d clients", mode, clients)
			goal := goalCPUPrepared
			if mode == "simple" {
				goal = goalCPUSimple
			}
			r.work = append(r.work, workload{
				name:  name,
				bench: load.PgBench{Binary: d.PgBench, Mode: mode, Clients: clients, Time: o.time},
				rate:  &report.Measure{Name: name, Unit: "tps", Base: peer.Plain, Compare: report.Ratio, Goal: goalRate, AtLeast: true},
				cpu:   &report.Measure{Name: name + ": CPU of the proxy", Unit: "µs a transaction", Base: peer.Plain, Compare: report.Ratio, Goal: goal},
				aside: &report.Measure{Name: name + ": CPU of the control plane", Unit: "µs a transaction", Compare: report.Plainly},
				size:  &report.Measure{Name: name + ": sealed record", Unit: "bytes a transaction", Compare: report.Plainly},
				after: &report.Measure{Name: name + ": CPU of both afterwards (sealing)", Unit: "µs a transaction", Compare: report.Plainly},
			})
		}
	}
	r.read = readMeasures{
		rate:   report.Measure{Name: fmt.Sprintf("read of %d rows", peer.Rows), Unit: "rows/s", Base: peer.Plain, Compare: report.Ratio, Goal: goalRead, AtLeast: true},
		cpu:    report.Measure{Name: "the same: CPU of the proxy", Unit: "ns a row", Base: peer.Plain},
		growth: report.Measure{Name: "the same, proxy just started: growth of its memory at the peak", Unit: "MiB", Base: peer.Plain, Compare: report.Worst, Goal: goalGrowth},
	}
	r.connect = report.Measure{Name: "`-S -C` 8 clients", Unit: "connects/s", Base: peer.Plain}
	r.open = report.Measure{Name: "opening a session, p50", Unit: "ms", Base: peer.Direct, Compare: report.Minus, Goal: goalOpen}
	r.idle = report.Measure{Name: fmt.Sprintf("memory of an idle session, of %d", o.sessions), Unit: "KB", Base: peer.Plain, Compare: report.Minus, Goal: goalIdle}
	return r
}

// measures are all, in the order of the table.
func (r *bench) measures() []*report.Measure {
	var out []*report.Measure
	for _, w := range r.work {
		out = append(out, w.rate, w.cpu, w.aside, w.after, w.size)
	}
	return append(out, &r.read.rate, &r.read.cpu, &r.read.growth, &r.connect, &r.open, &r.idle)
}

// all runs the interleaved rounds, then those that need new proxies.
func (r *bench) all(ctx context.Context) error {
	if err := r.rates(ctx); err != nil {
		return err
	}
	for i := range r.freshRounds {
		for _, name := range r.peers {
			if name == peer.Direct {
				continue
			}
			say("memory round %d/%d: %s", i+1, r.freshRounds, name)
			if err := r.memory(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *bench) rates(ctx context.Context) (err error) {
	var peers []*peer.Peer
	defer func() {
		for _, p := range peers {
			err = errors.Join(err, p.Stop())
		}
	}()
	for _, name := range r.peers {
		p, err := r.start(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		peers = append(peers, p)
		if err := load.WarmUp(ctx, p); err != nil {
			return err
		}
	}
	for i := range r.rounds {
		if err := r.round(ctx, peers, fmt.Sprintf("round %d/%d", i+1, r.rounds)); err != nil {
			return err
		}
	}
	return nil
}

// round takes every workload through every peer: the peers are neighbours in
// time, so that what disturbs the machine disturbs all of them.
func (r *bench) round(ctx context.Context, peers []*peer.Peer, title string) error {
	for _, w := range r.work {
		for _, p := range peers {
			rate, err := w.bench.Run(ctx, p)
			if err != nil {
				return err
			}
			say("%s: %s, %s: %.0f tps, %.1f µs", title, w.name, p.Name, rate.PerSecond, rate.Proxy)
			w.rate.Add(p.Name, rate.PerSecond)
			if p.Proxy != 0 {
				w.cpu.Add(p.Name, rate.Proxy)
			}
			if rate.Threads[load.Workers] > 0 {
				r.threads.add(w.name, p.Name, rate.Threads)
			}
			if p.Control != 0 {
				w.aside.Add(p.Name, rate.Control)
				w.after.Add(p.Name, rate.After)
				w.size.Add(p.Name, rate.Record)
			}
		}
	}
	for _, p := range peers {
		if err := r.longRead(ctx, p, title); err != nil {
			return err
		}
	}
	for _, p := range peers {
		if err := r.sessionsOf(ctx, p, title); err != nil {
			return err
		}
	}
	return nil
}

func (r *bench) longRead(ctx context.Context, p *peer.Peer, title string) error {
	read, err := load.LongRead(ctx, p)
	if err != nil {
		return err
	}
	say("%s: long read, %s: %s, growth %.1f MiB", title, p.Name, read.Time.Round(time.Millisecond), mib(read.Growth))
	if _, err := load.Quiet(ctx, p); err != nil {
		return err
	}
	r.read.rate.Add(p.Name, read.RowsPerSecond())
	if p.Proxy != 0 {
		r.read.cpu.Add(p.Name, float64(read.CPU.Nanoseconds())/float64(read.Rows))
	}
	return nil
}

func (r *bench) sessionsOf(ctx context.Context, p *peer.Peer, title string) error {
	open, err := load.Open(ctx, p, r.opens)
	if err != nil {
		return err
	}
	if _, err := load.Quiet(ctx, p); err != nil {
		return err
	}
	c := load.PgBench{Binary: r.db.PgBench, Mode: "simple", Clients: 8, Connect: true, Time: r.time}
	rate, err := c.Run(ctx, p)
	if err != nil {
		return err
	}
	say("%s: %s opens a session in %s, %.0f connects/s", title, p.Name, open, rate.PerSecond)
	r.open.Add(p.Name, float64(open.Microseconds())/1000)
	r.connect.Add(p.Name, rate.PerSecond)
	return nil
}

// memory measures with proxies that have just started, one for the idle
// sessions and one for the long read.
func (r *bench) memory(ctx context.Context, name string) error {
	for _, measure := range []func(context.Context, *peer.Peer) error{r.idleSessions, r.firstRead} {
		p, err := r.start(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := errors.Join(measure(ctx, p), p.Stop()); err != nil {
			return err
		}
	}
	return nil
}

func (r *bench) idleSessions(ctx context.Context, p *peer.Peer) error {
	each, err := load.IdleMemory(ctx, p, r.sessions)
	if err != nil {
		return err
	}
	say("  %.1f KB a session", each/1000)
	r.idle.Add(p.Name, each/1000)
	return nil
}

func (r *bench) firstRead(ctx context.Context, p *peer.Peer) error {
	if err := load.WarmUp(ctx, p); err != nil {
		return err
	}
	read, err := load.LongRead(ctx, p)
	if err != nil {
		return err
	}
	say("  %.1f MiB during the long read", mib(read.Growth))
	r.read.growth.Add(p.Name, mib(read.Growth))
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
