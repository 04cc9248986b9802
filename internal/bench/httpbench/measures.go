package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
)

// The goals that the project has set itself.
const (
	goalRate   = 0.6 // of plain Envoy's requests a second
	goalGrowth = 32  // MiB, while a body of 1 GiB streams
)

type measures struct {
	rate, proxy, control []*report.Measure // by load
	growth, speed        *report.Measure
}

func newMeasures() *measures {
	m := &measures{
		growth: &report.Measure{Name: "the long body: growth of Envoy's memory at the peak", Unit: "MiB", Base: plain, Compare: report.Worst, Goal: goalGrowth},
		speed:  &report.Measure{Name: "the long body", Unit: "MiB/s", Base: plain},
	}
	for _, l := range loads {
		m.rate = append(m.rate, &report.Measure{Name: l.name, Unit: "requests/s", Base: plain, Compare: report.Ratio, Goal: goalRate, AtLeast: true})
		m.proxy = append(m.proxy, &report.Measure{Name: l.name + ": CPU of Envoy", Unit: "µs a request", Base: plain})
		m.control = append(m.control, &report.Measure{Name: l.name + ": CPU of the control plane", Unit: "µs a request", Compare: report.Plainly})
	}
	return m
}

func (m *measures) all() (list []*report.Measure) {
	for i := range loads {
		list = append(list, m.rate[i], m.proxy[i], m.control[i])
	}
	return append(list, m.speed, m.growth)
}

// round gives every load to every peer: neighbours in time are compared.
func (m *measures) round(ctx context.Context, r *rig, d time.Duration) error {
	for i, l := range loads {
		for _, name := range names {
			got, err := r.load(ctx, l, r.peers[name], d)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", name, l.name, err)
			}
			fmt.Printf("  %s, %s: %.0f/s, %.1f µs\n", l.name, name, got.perSecond, got.proxy)
			m.rate[i].Add(name, got.perSecond)
			m.proxy[i].Add(name, got.proxy)
			if r.peers[name].control != 0 {
				m.control[i].Add(name, got.control)
			}
		}
	}
	return nil
}

// long streams the long body through each peer.
func (m *measures) long(ctx context.Context, r *rig, n int64) error {
	for _, name := range names {
		p := r.peers[name]
		before, err := proc.RSS(p.proxy)
		if err != nil {
			return err
		}
		if err := proc.ResetPeak(p.proxy); err != nil {
			return err
		}
		start := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/long.bin", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+p.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		got, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || got != n || res.StatusCode != 200 {
			return fmt.Errorf("%s: %d of %d bytes, status %d: %w", name, got, n, res.StatusCode, err)
		}
		peak, err := proc.PeakRSS(p.proxy)
		if err != nil {
			return err
		}
		m.growth.Add(name, float64(peak-before)/(1<<20))
		m.speed.Add(name, float64(n>>20)/time.Since(start).Seconds())
	}
	return nil
}
