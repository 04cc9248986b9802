package faults

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// gateway does what a filter does with the spool: an action reaches the target only when its
// frames are committed.
type gateway struct {
	t       *testing.T
	spool   *record.Spool
	mode    record.Mode
	w       *record.Writer
	n       int      // sessions so far
	reached []string // what the target saw, in order
	tries   int
	clock   atomic.Int64 // nanoseconds that the clock is off
}

func newGateway(t *testing.T, dir string, mode record.Mode) *gateway {
	t.Helper()
	g := &gateway{t: t, mode: mode}
	var err error
	if g.spool, err = record.OpenSpool(filepath.Join(dir, "spool"), record.Options{SegmentSize: 64 << 10, Now: g.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.spool.Close)
	return g
}

func (g *gateway) now() time.Time { return time.Now().Add(time.Duration(g.clock.Load())) }

// act tries one action; a session that cannot be written is given up, as a filter does, and the next
// action begins another.
func (g *gateway) act() error {
	g.t.Helper()
	g.tries++
	if g.w == nil {
		g.n++
		id := fmt.Sprintf("ses_%04d", g.n)
		w, err := g.spool.Begin(g.mode, record.Open{Session: policy.Session{ID: id, Started: g.now()}, Target: policy.Target{Name: "shop", Protocol: "postgres"},
			Identity: identity.New("agent:a"), Node: "n1"})
		if err != nil {
			return err
		}
		g.w = w
	}
	text := fmt.Sprintf("action %d %s", g.tries, strings.Repeat("x", 2000))
	err := g.w.AppendJSON(record.KindAction, uint64(g.tries), record.ActionPayload{Action: action.Action{Kind: "sql", Text: text}, Decision: policy.Decision{Verdict: policy.Allow}})
	if err == nil {
		done := make(chan error, 1)
		g.w.Commit(func(err error) { done <- err })
		err = <-done
	}
	if err != nil {
		g.w.Abandon()
		g.w = nil
		return err
	}
	g.reached = append(g.reached, text)
	return nil
}

// works acts until an action is let through.
func (g *gateway) works(n int) {
	g.t.Helper()
	for range n {
		if err := g.act(); err != nil {
			g.t.Fatalf("an action is refused without a fault: %v", err)
		}
	}
}

// refuses acts while the fault lasts. Some actions may still fit; then they are in the record like all.
func (g *gateway) refuses(want ...error) {
	g.t.Helper()
	refused := 0
	for range 20 {
		err := g.act()
		if err == nil {
			continue
		}
		if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
			g.t.Errorf("refused for %v, want %v", err, want)
		}
		refused++
	}
	if refused == 0 {
		g.t.Fatal("nothing was refused")
	}
}

// recorded are the texts in the spool, after recovery.
func (g *gateway) recorded() map[string]bool {
	g.t.Helper()
	if g.w != nil {
		if err := g.w.Close(record.Close{Reason: "client"}); err != nil {
			g.t.Fatal(err)
		}
		g.w = nil
	}
	if _, err := g.spool.Recover(); err != nil {
		g.t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, b := range g.spool.Backlogs(nil) {
		s := record.NewStream(b.Session)
		last := time.Time{}
		for at := b.Start; at < b.End; {
			buf := make([]byte, 1<<20)
			n, err := g.spool.ReadAt(b.Session, buf, at)
			if err == nil && n == 0 {
				break
			}
			if err == nil {
				err = s.Write(buf[:n], func(f record.Frame) error {
					if f.Time.Before(last) {
						g.t.Errorf("%s: frame %d is earlier than the one before", b.Session, f.Seq)
					}
					last = f.Time
					if f.Kind == record.KindAction {
						seen[textOf(g.t, f)] = true
					}
					return nil
				})
			}
			if err != nil {
				g.t.Fatalf("%s: %v", b.Session, err)
			}
			at += uint64(n)
		}
	}
	return seen
}

// complete checks the rule: nothing that reached the target is missing.
func (g *gateway) complete() {
	g.t.Helper()
	seen := g.recorded()
	for _, text := range g.reached {
		if !seen[text] {
			g.t.Errorf("%.20s reached the target and is not in the record", text)
		}
	}
	g.t.Logf("%d tries, %d reached the target, %d are in the record, %d sessions", g.tries, len(g.reached), len(seen), g.n)
}

var modes = map[string]record.Mode{"write": record.ModeWrite, "fsync": record.ModeFsync}

func TestSpoolFull(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			d := newTmpfs(t, "512k")
			g := newGateway(t, d.dir, mode)
			g.works(10)
			room := d.fill()
			g.refuses(syscall.ENOSPC)
			room()
			g.works(10)
			g.complete()
		})
	}
}

// TestSpoolReadOnly: an ext4 that turned itself read-only, and was mounted again. What is only in the kernel
// (mode write) may go with a broken disk; what was synced may not.
func TestSpoolReadOnly(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) { broken(t, mode, (*disk).abort, syscall.EROFS, syscall.EIO) })
	}
}

// TestSpoolIOError: a device that fails, and was put right.
func TestSpoolIOError(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) { broken(t, mode, (*disk).fail, syscall.EIO) })
	}
}

func broken(t *testing.T, mode record.Mode, fault func(*disk), want ...error) {
	d := newExt4(t)
	g := newGateway(t, d.dir, mode)
	g.works(10)
	if mode == record.ModeWrite {
		syscall.Sync() // the test is of what is refused; what the kernel has not written is lost with any disk
	}
	fault(d)
	g.refuses(want...)
	d.repair()
	g.works(10)
	g.complete()
}

func TestSpoolFileTable(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, t.TempDir(), mode)
			g.works(10)
			more, free := exhaust(t)
			for range 60 { // until the session's segment is full: only then is a file needed
				if g.act() != nil {
					break
				}
			}
			more() // the session that was given up had one
			g.refuses(syscall.EMFILE)
			free()
			g.works(10)
			g.complete()
		})
	}
}

// TestSpoolClock: a clock that jumps does not break the order of frames, nor anything else.
func TestSpoolClock(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, t.TempDir(), mode)
			for _, step := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour, -10 * 365 * 24 * time.Hour, time.Hour} {
				g.clock.Store(int64(step))
				g.works(5)
			}
			g.complete()
		})
	}
}
