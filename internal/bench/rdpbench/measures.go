package main

import (
	"context"
	"fmt"
	"image/color"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/bench/report"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// measures are the lines of the table.
type measures struct {
	o                     options
	nla, tls, key         *report.Measure
	rate, size            *report.Measure
	envoy, gateway, after *report.Measure
}

func newMeasures(o options) *measures {
	line := func(name, unit string, c report.Compare) *report.Measure {
		return &report.Measure{Name: name, Unit: unit, Base: direct, Compare: c}
	}
	return &measures{o: o,
		nla:     line("login to the shadow server by network level authentication, to its first picture, p50", "ms", report.None),
		tls:     line("login to xrdp and its session, to its desktop, p50", "ms", report.None),
		key:     line("a key to what it draws, in a terminal on xrdp, p50", "ms", report.None),
		rate:    line("pictures of a whole desktop of noise", "MiB/s of pictures", report.None),
		size:    line("the same: bytes on the wire", "MiB", report.None),
		envoy:   line("the same: CPU of Envoy", "ms a MiB", report.Plainly),
		gateway: line("the same: CPU of bridge and control plane", "ms a MiB", report.Plainly),
		after:   line("the same: CPU of bridge and control plane afterwards (sealing)", "ms a MiB", report.Plainly)}
}

func (m *measures) all() []*report.Measure {
	return []*report.Measure{m.nla, m.tls, m.key, m.rate, m.size, m.envoy, m.gateway, m.after}
}

// round takes each measure once of a peer.
func (m *measures) round(ctx context.Context, r *rig, peer string) error {
	for _, f := range []func(context.Context, *rig, string) error{m.shadow, m.desk, m.keys, m.pictures} {
		if err := f(ctx, r, peer); err != nil {
			return err
		}
	}
	return nil
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}

func (m *measures) shadow(ctx context.Context, r *rig, peer string) error {
	if _, err := r.shown.Run(ctx, "", "xsetroot", "-solid", "#206040"); err != nil {
		return err
	}
	return m.logins(ctx, r, peer, "shadow", m.nla, func(at func(x, y int) color.RGBA) bool { return at(width/2, height/2).G > 0x50 })
}

func (m *measures) desk(ctx context.Context, r *rig, peer string) error {
	return m.logins(ctx, r, peer, "desk", m.tls, isDesk)
}

// isDesk says that the terminal stands on the session's blue.
func isDesk(at func(x, y int) color.RGBA) bool {
	return at(300, 150).R == 0xff && at(width-20, height-20).B > 0x50 && at(width-20, height-20).R < 0x30
}

func (m *measures) logins(ctx context.Context, r *rig, peer, target string, into *report.Measure, shown func(func(x, y int) color.RGBA) bool) error {
	var all []time.Duration
	for range m.o.opens {
		began := time.Now()
		s, err := r.open(ctx, peer, target)
		if err != nil {
			return err
		}
		err = s.await(ctx, "the desktop of "+target, shown)
		all = append(all, time.Since(began))
		s.close()
		if err != nil {
			return err
		}
	}
	into.Add(peer, median(all))
	return nil
}

// terminal is a session with the pointer, and so the keyboard, at its terminal.
func (r *rig) terminal(ctx context.Context, peer string) (*session, error) {
	s, err := r.open(ctx, peer, "desk")
	if err != nil {
		return nil, err
	}
	if err := s.await(ctx, "the desktop", isDesk); err != nil {
		s.close()
		return nil, err
	}
	const move = 0x0800
	if err := s.Input(rdpwire.Input{Kind: rdpwire.InputMouse, Flags: move, X: 200, Y: 100}); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// keys measures from a key to the background that the terminal's program sets for it: white and black in turn.
func (m *measures) keys(ctx context.Context, r *rig, peer string) error {
	const toggle = "stty raw -echo\nwhile :; do for c in '\\033]11;#000000\\007' '\\033]11;#ffffff\\007'; do k=$(dd bs=1 count=1 2>/dev/null); [ \"$k\" = q ] && { stty sane; printf \"$c\"; exit; }; printf \"$c\"; done; done\n"
	if err := r.script("toggle", toggle); err != nil {
		return err
	}
	s, err := r.terminal(ctx, peer)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.Type("clear; exec sh ./toggle\n"); err != nil {
		return err
	}
	var all []time.Duration
	for i := range m.o.keys {
		want := byte(0)
		if i%2 == 1 {
			want = 0xff
		}
		began := time.Now()
		for first := true; ; first = false {
			if err := s.Type("x"); err != nil {
				return err
			}
			err := s.await(ctx, fmt.Sprintf("key %d", i), func(at func(x, y int) color.RGBA) bool { return at(300, 150).R == want })
			if err == nil || !first {
				break
			}
		}
		if i >= 10 { // the program has begun
			all = append(all, time.Since(began))
		}
	}
	m.key.Add(peer, median(all))
	return nil
}

// pictures measures whole desktops of noise, which no run-length coding makes smaller, on the display that the shadow server shows.
func (m *measures) pictures(ctx context.Context, r *rig, peer string) error {
	s, err := r.open(ctx, peer, "shadow")
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.await(ctx, "the desktop", func(at func(x, y int) color.RGBA) bool { return at(width/2, height/2).G > 0x30 }); err != nil {
		return err
	}
	before, err := r.cpu()
	if err != nil {
		return err
	}
	began, bytes := time.Now(), s.received()
	for i := range m.o.paint {
		if err := r.paint(ctx, i); err != nil {
			return err
		}
		want := corner(i)
		if err := s.await(ctx, "a picture", func(at func(x, y int) color.RGBA) bool {
			return near(at(4, 4), want) && near(at(width-4, height-4), want)
		}); err != nil {
			return err
		}
	}
	took, mib := time.Since(began), float64(s.received()-bytes)/(1<<20)
	m.rate.Add(peer, mib/took.Seconds())
	m.size.Add(peer, mib)
	if peer == direct {
		return nil
	}
	after, err := r.cpu()
	if err != nil {
		return err
	}
	s.close()
	if err := proc.Rest(ctx, r.up.Process().PID()); err != nil {
		return err
	}
	rest, err := r.cpu()
	if err != nil {
		return err
	}
	perMiB := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / mib }
	m.envoy.Add(peer, perMiB(after.envoy-before.envoy))
	m.gateway.Add(peer, perMiB(after.gateway-before.gateway))
	m.after.Add(peer, perMiB(rest.gateway-after.gateway))
	return nil
}

// used is CPU time so far.
type used struct{ envoy, gateway time.Duration }

func (r *rig) cpu() (u used, err error) {
	if u.envoy, err = proc.CPU(r.envoy); err != nil {
		return u, err
	}
	u.gateway, err = proc.CPU(r.up.Process().PID())
	return u, err
}
