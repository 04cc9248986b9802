package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
)

// copying is one way to move a file: how fast, and the CPU of all who take part.
type copying struct {
	program string
	args    func(r *rig, peer string) []string

	rate, client, sshd, envoy, gateway *report.Measure
}

func newCopying(name, program string, goal report.Compare, args func(r *rig, peer string) []string) *copying {
	cpu := func(of string) *report.Measure {
		return &report.Measure{Name: name + ": CPU of " + of, Unit: "ns a byte", Base: direct, Compare: report.Plainly}
	}
	return &copying{program: program, args: args, rate: &report.Measure{Name: name, Unit: "MiB/s", Base: direct, Compare: goal, Goal: 0.7, AtLeast: true},
		client: cpu("the client"), sshd: cpu("sshd"), envoy: cpu("Envoy"), gateway: cpu("bridge and control plane")}
}

// measures are the lines of the table.
type measures struct {
	o                         options
	copies                    []*copying
	afterwards, opening, keys *report.Measure
}

func newMeasures(o options) *measures {
	return &measures{o: o, copies: []*copying{
		newCopying("`scp` up", "scp", report.Ratio, func(r *rig, p string) []string { return []string{r.dir + "/big", r.host(p) + ":" + r.dir + "/up"} }),
		newCopying("`scp` down", "scp", report.Ratio, func(r *rig, p string) []string { return []string{r.host(p) + ":" + r.dir + "/big", r.dir + "/down"} }),
		newCopying("`sftp` up", "sftp", report.Ratio, func(r *rig, p string) []string { return []string{"-b", r.dir + "/put", r.host(p)} }),
		newCopying("`sftp` down", "sftp", report.Ratio, func(r *rig, p string) []string { return []string{"-b", r.dir + "/get", r.host(p)} }),
		newCopying("`ssh HOST cat FILE`", "ssh", report.None, func(r *rig, p string) []string { return []string{r.host(p), "cat " + r.dir + "/big"} }),
	},
		afterwards: &report.Measure{Name: "CPU of bridge and control plane afterwards (sealing)", Unit: "ns a byte", Base: direct, Compare: report.Plainly},
		opening:    &report.Measure{Name: "a connection and `true`, p50", Unit: "ms", Base: direct, Compare: report.None},
		keys:       &report.Measure{Name: "a key there and back, p50", Unit: "ms", Base: direct, Compare: report.Minus, Goal: 2}}
}

func (m *measures) all() (out []*report.Measure) {
	for _, c := range m.chosen() {
		out = append(out, c.rate)
	}
	for _, c := range m.chosen() {
		if c.program != "sftp" { // the same as scp's
			out = append(out, c.client, c.sshd, c.envoy, c.gateway)
		}
	}
	return append(out, m.afterwards, m.opening, m.keys)
}

// chosen are the copies to take.
func (m *measures) chosen() (out []*copying) {
	for _, c := range m.copies {
		if strings.Contains(c.rate.Name, m.o.only) {
			out = append(out, c)
		}
	}
	return out
}

// round takes each measure once of each peer, in turn.
func (m *measures) round(ctx context.Context, r *rig) error {
	for _, c := range m.chosen() {
		for _, peer := range []string{direct, dragoman, keeps} {
			if peer == keeps && m.o.only != "" {
				continue
			}
			if peer == keeps && c.program == "ssh" { // what a command says is always recorded
				continue
			}
			if err := m.copy(ctx, r, c, peer); err != nil {
				return err
			}
		}
	}
	if m.o.only != "" {
		return nil
	}
	return m.times(ctx, r)
}

// copy is one run of one peer; afterwards the gateway comes to rest.
func (m *measures) copy(ctx context.Context, r *rig, c *copying, peer string) error {
	before, err := r.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	client, err := r.client(ctx, peer, c.program, c.args(r, peer)...)
	if err != nil {
		return err
	}
	c.rate.Add(peer, float64(m.o.mib)/time.Since(began).Seconds())
	after, err := r.cpu()
	if err != nil {
		return err
	}
	if err := proc.Rest(ctx, r.gateway.PID()); err != nil {
		return err
	}
	rest, err := r.cpu()
	if err != nil {
		return err
	}
	perByte := func(d time.Duration) float64 { return float64(d) / float64(m.o.mib<<20) }
	c.client.Add(peer, perByte(client))
	c.sshd.Add(peer, perByte(rest.sshd-before.sshd)) // counted once its process has ended
	if peer != direct {
		c.envoy.Add(peer, perByte(after.envoy-before.envoy))
		c.gateway.Add(peer, perByte(after.gateway-before.gateway))
		m.afterwards.Add(peer, perByte(rest.gateway-after.gateway))
	}
	return nil
}

// times are those that people wait.
func (m *measures) times(ctx context.Context, r *rig) error {
	for _, peer := range []string{direct, dragoman} {
		var all []time.Duration
		for range m.o.opens {
			began := time.Now()
			if _, err := r.client(ctx, peer, "ssh", r.host(peer), "true"); err != nil {
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

// used is CPU time so far.
type used struct{ envoy, gateway, sshd time.Duration }

func (r *rig) cpu() (u used, err error) {
	if u.envoy, err = proc.CPU(r.envoy); err != nil {
		return u, err
	}
	if u.sshd, err = proc.Children(r.sshd.PID()); err != nil {
		return u, err
	}
	u.gateway, err = proc.CPU(r.gateway.PID())
	return u, err
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
