package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
)

// readRows are the rows of the long read.
const readRows = 100000

// longRead is every row of customers, with one column that is masked.
const longRead = "SELECT id, name, email, city, balance, created, notes FROM bench.many"

// reads is what is measured of the long read.
type reads struct{ rate, cpu, growth *report.Measure }

func newReads() *reads {
	const name = "read of 100000 rows, one column masked"
	return &reads{rate: &report.Measure{Name: name, Unit: "rows/s", Base: peer.Plain, Compare: report.Ratio, Goal: 0.5, AtLeast: true},
		cpu:    &report.Measure{Name: name + ": CPU of the proxy", Unit: "ns a row", Base: peer.Plain, Compare: report.None},
		growth: &report.Measure{Name: name + ", proxy just started: growth of its memory at the peak", Unit: "MiB", Compare: report.Worst, Goal: 64}}
}

// fresh measures the growth of memory in proxies that have just started.
func (m *reads) fresh(ctx context.Context, o options) error {
	for range o.fresh {
		for _, name := range []string{peer.Plain, peer.Dragoman} {
			r, err := startRig(ctx, o, name)
			if err != nil {
				return err
			}
			_, growth, err := m.read(ctx, r.peers[len(r.peers)-1])
			if err = errors.Join(err, r.stop()); err != nil {
				return err
			}
			m.growth.Add(name, float64(growth)/(1<<20))
		}
	}
	return nil
}

func (m *reads) measure(ctx context.Context, p *peer.Peer) error {
	began := time.Now()
	cpu, _, err := m.read(ctx, p)
	if err != nil {
		return err
	}
	m.rate.Add(p.Name, readRows/time.Since(began).Seconds())
	if p.Proxy != 0 {
		m.cpu.Add(p.Name, float64(cpu.Nanoseconds())/readRows)
	}
	return nil
}

// read gives the CPU that the proxy used, and how much its memory was above what it had before.
func (m *reads) read(ctx context.Context, p *peer.Peer) (cpu time.Duration, growth int64, err error) {
	db, err := connect(p)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return 0, 0, err
	}
	var before int64
	if p.Proxy != 0 {
		if err := proc.ResetPeak(p.Proxy); err != nil {
			return 0, 0, err
		}
		if before, err = proc.RSS(p.Proxy); err != nil {
			return 0, 0, err
		}
		if cpu, err = proc.CPU(p.Proxy); err != nil {
			return 0, 0, err
		}
	}
	if err := drain(ctx, db, p.Name == peer.Dragoman); err != nil {
		return 0, 0, fmt.Errorf("the long read through %s: %w", p.Name, err)
	}
	if p.Proxy == 0 {
		return 0, 0, nil
	}
	after, err := proc.CPU(p.Proxy)
	if err != nil {
		return 0, 0, err
	}
	peak, err := proc.PeakRSS(p.Proxy)
	return after - cpu, max(0, peak-before), err
}

// drain takes all rows, and makes sure that the masked column is masked, or is not.
func drain(ctx context.Context, db *sql.DB, masked bool) error {
	rows, err := db.QueryContext(ctx, longRead)
	if err != nil {
		return err
	}
	defer rows.Close()
	var v [7]sql.RawBytes
	n, clear := 0, 0
	for rows.Next() {
		if err := rows.Scan(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]); err != nil {
			return err
		}
		n++
		if strings.HasPrefix(string(v[2]), "customer") {
			clear++
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n != readRows || masked && clear > 0 || !masked && clear != n {
		return fmt.Errorf("%d rows, %d values in the clear", n, clear)
	}
	return nil
}
