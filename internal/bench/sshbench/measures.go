package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
)

// measures are the lines of the table.
type measures struct {
	o                                      options
	up, down, pipe                         *report.Measure
	envoyUp, controlUp, envoyDown          *report.Measure
	controlDown, afterwards, opening, keys *report.Measure
}

func newMeasures(o options) *measures {
	rate := func(name string) *report.Measure {
		return &report.Measure{Name: name, Unit: "MiB/s", Base: direct, Compare: report.Ratio, Goal: 0.7, AtLeast: true}
	}
	cpu := func(name string) *report.Measure {
		return &report.Measure{Name: name, Unit: "ns a byte", Base: direct, Compare: report.Plainly}
	}
	return &measures{o: o, up: rate("`scp` up"), down: rate("`scp` down"), pipe: rate("`ssh HOST cat FILE`"),
		envoyUp: cpu("`scp` up: CPU of Envoy"), controlUp: cpu("`scp` up: CPU of bridge and control plane"),
		envoyDown: cpu("`scp` down: CPU of Envoy"), controlDown: cpu("`scp` down: CPU of bridge and control plane"),
		afterwards: cpu("CPU of bridge and control plane afterwards (sealing)"),
		opening:    &report.Measure{Name: "a connection and `true`, p50", Unit: "ms", Base: direct, Compare: report.Minus, Goal: 100},
		keys:       &report.Measure{Name: "a key there and back, p50", Unit: "ms", Base: direct, Compare: report.Minus, Goal: 2}}
}

func (m *measures) all() []*report.Measure {
	return []*report.Measure{m.up, m.down, m.pipe, m.envoyUp, m.controlUp, m.envoyDown, m.controlDown, m.afterwards, m.opening, m.keys}
}

// round takes each measure once of each peer, in turn.
func (m *measures) round(ctx context.Context, r *rig) error {
	big, mib := filepath.Join(r.dir, "big"), float64(m.o.mib)
	copies := []struct {
		rate, envoy, control *report.Measure
		program              string
		args                 func(peer string) []string
	}{
		{m.up, m.envoyUp, m.controlUp, "scp", func(p string) []string { return []string{big, r.host(p) + ":" + r.dir + "/up-" + p} }},
		{m.down, m.envoyDown, m.controlDown, "scp", func(p string) []string { return []string{r.host(p) + ":" + big, r.dir + "/down-" + p} }},
		{m.pipe, nil, nil, "ssh", func(p string) []string { return []string{r.host(p), "cat " + big} }},
	}
	for _, c := range copies {
		for _, peer := range []string{direct, dragoman} {
			e0, g0, err := r.cpu()
			if err != nil {
				return err
			}
			began := time.Now()
			if err := r.client(ctx, peer, c.program, c.args(peer)...); err != nil {
				return err
			}
			c.rate.Add(peer, mib/time.Since(began).Seconds())
			e1, g1, err := r.cpu()
			if err != nil {
				return err
			}
			if peer == direct {
				continue
			}
			if c.envoy != nil {
				c.envoy.Add(peer, float64(e1-e0)/mib/(1<<20))
				c.control.Add(peer, float64(g1-g0)/mib/(1<<20))
			}
			if err := r.quiet(ctx); err != nil {
				return err
			}
			_, g2, err := r.cpu()
			if err != nil {
				return err
			}
			m.afterwards.Add(peer, float64(g2-g1)/mib/(1<<20))
		}
	}
	return m.times(ctx, r)
}

// times are those that people wait.
func (m *measures) times(ctx context.Context, r *rig) error {
	for _, peer := range []string{direct, dragoman} {
		var all []time.Duration
		for range m.o.opens {
			began := time.Now()
			if err := r.client(ctx, peer, "ssh", r.host(peer), "true"); err != nil {
				return err
			}
			all = append(all, time.Since(began))
		}
		m.opening.Add(peer, median(all))
		key, err := r.key(peer)
		if err != nil {
			return fmt.Errorf("%s: %w", peer, err)
		}
		m.keys.Add(peer, key)
	}
	return nil
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}

// cpu is what Envoy and dragoman have used so far.
func (r *rig) cpu() (envoy, gateway time.Duration, err error) {
	if envoy, err = proc.CPU(r.envoy); err != nil {
		return 0, 0, err
	}
	gateway, err = proc.CPU(r.gateway.PID())
	return envoy, gateway, err
}

// quiet waits until all records are taken in: the gateway uses less than a hundredth of a core.
func (r *rig) quiet(ctx context.Context) error {
	for range 600 {
		_, before, err := r.cpu()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		_, after, err := r.cpu()
		if err != nil || after-before < 5*time.Millisecond {
			return err
		}
	}
	return fmt.Errorf("the gateway does not come to rest")
}

// key is the median time, in ms, in which a byte comes back from cat on a terminal.
func (r *rig) key(peer string) (float64, error) {
	c, err := r.dial(peer)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		return 0, err
	}
	in, err := s.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{ssh.ECHO: 0}); err != nil {
		return 0, err
	}
	if err := s.Start("stty raw; echo ready; exec cat"); err != nil {
		return 0, err
	}
	buf, text := make([]byte, 256), ""
	for !strings.Contains(text, "ready\n") {
		n, err := out.Read(buf)
		if err != nil {
			return 0, fmt.Errorf("%w: %q", err, text)
		}
		text += string(buf[:n])
	}
	var all []time.Duration
	for i := range 500 {
		began := time.Now()
		if _, err := in.Write([]byte("x")); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(out, buf[:1]); err != nil {
			return 0, err
		}
		if i >= 50 { // cat has begun
			all = append(all, time.Since(began))
		}
	}
	return median(all), nil
}
