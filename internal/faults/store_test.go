package faults

import (
	"crypto/ed25519"
	"encoding/json"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

func textOf(t *testing.T, f record.Frame) string {
	t.Helper()
	var p record.ActionPayload
	if err := json.Unmarshal(f.Payload, &p); err != nil {
		t.Fatal(err)
	}
	return p.Action.Text
}

// store is the control plane's side.
type store struct {
	t     *testing.T
	dir   string
	s     *audit.Store
	clock atomic.Int64
	acked map[string]uint64
}

func key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func newStore(t *testing.T, dir string) *store {
	t.Helper()
	s := &store{t: t, dir: filepath.Join(dir, "audit"), acked: map[string]uint64{}}
	s.open()
	return s
}

func (s *store) open() {
	s.t.Helper()
	var err error
	if s.s, err = audit.Open(s.dir, audit.Options{Key: key(), Now: func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) }}); err != nil {
		s.t.Fatal(err)
	}
}

// take ships what the gateway has, as far as the store takes it, and frees what is acknowledged.
func (s *store) take(g *gateway) error {
	for _, b := range g.spool.Backlogs(nil) {
		for at := s.acked[b.Session]; ; {
			buf := make([]byte, 256<<10)
			n := 0
			if at < b.End {
				var err error
				if n, err = g.spool.ReadAt(b.Session, buf, max(at, b.Start)); err != nil {
					return err
				}
			}
			acks, err := s.s.Append(s.t.Context(), "n1", []ship.Chunk{{Session: b.Session, Offset: at, Data: buf[:n], Ended: !b.Live && n == 0}})
			if err != nil {
				return err
			}
			if acks[0].Retry {
				return errRetry
			}
			if acks[0].Diverged {
				s.t.Fatal("diverged", b.Session)
			}
			if at = acks[0].Offset; n == 0 {
				break
			}
			s.acked[b.Session] = at
		}
	}
	return nil
}

var errRetry = io.ErrShortWrite

// complete checks the rule at the store: all that reached the target is there, and it verifies.
func (s *store) complete(g *gateway) {
	s.t.Helper()
	if g.w != nil {
		if err := g.w.Close(record.Close{Reason: "client"}); err != nil {
			s.t.Fatal(err)
		}
		g.w = nil
	}
	if _, err := g.spool.Recover(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) { // as nodes do
		err := s.take(g)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			s.t.Fatal("after the fault:", err)
		}
	}
	seen := map[string]bool{}
	for id := range s.acked {
		r, err := s.s.Frames(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		for {
			f, err := r.Next()
			if err != nil {
				break
			}
			if f.Kind == record.KindAction {
				seen[textOf(s.t, f)] = true
			}
		}
		r.Close()
	}
	for _, text := range g.reached {
		if !seen[text] {
			s.t.Errorf("%.20s reached the target and is not in the store", text)
		}
	}
	if err := s.s.Close(); err != nil {
		s.t.Error(err)
	}
	sum, err := audit.Verify(s.t.Context(), s.dir, audit.VerifyOptions{Key: key().Public().(ed25519.PublicKey)}, func(r audit.Result) {
		if !r.OK() {
			s.t.Errorf("%+v", r)
		}
	})
	if err != nil || !sum.OK() {
		s.t.Error(sum, err)
	}
	s.t.Logf("%d reached the target, %d in the store, %d records", len(g.reached), len(seen), sum.Records)
}

// refuses ships while the fault lasts: nothing is acknowledged that is not kept.
func (s *store) refuses(g *gateway) {
	s.t.Helper()
	refused := 0
	for range 10 {
		g.works(20)
		if s.take(g) != nil {
			refused++
		}
	}
	if refused == 0 {
		s.t.Fatal("the store refused nothing")
	}
}

func TestStoreFull(t *testing.T) {
	d := newTmpfs(t, "8m")
	g, s := newGateway(t, t.TempDir(), record.ModeWrite), newStore(t, d.dir)
	g.works(20)
	if err := s.take(g); err != nil {
		t.Fatal(err)
	}
	room := d.fill()
	s.refuses(g)
	room()
	s.complete(g)
}

// TestStoreIOError and TestStoreReadOnly: the gateways' actions go on meanwhile, their records wait. After the repair the same
// store takes them.
func TestStoreIOError(t *testing.T)  { storeBroken(t, (*disk).fail) }
func TestStoreReadOnly(t *testing.T) { storeBroken(t, (*disk).abort) }

func storeBroken(t *testing.T, fault func(*disk)) {
	d := newExt4(t)
	g, s := newGateway(t, t.TempDir(), record.ModeFsync), newStore(t, d.dir)
	g.works(20)
	if err := s.take(g); err != nil {
		t.Fatal(err)
	}
	fault(d)
	s.refuses(g)
	d.repair()
	s.complete(g)
}

func TestStoreFileTable(t *testing.T) {
	g, s := newGateway(t, t.TempDir(), record.ModeWrite), newStore(t, t.TempDir())
	g.works(20)
	if err := s.take(g); err != nil {
		t.Fatal(err)
	}
	// A session that the store does not know needs a file there.
	if err := g.w.Close(record.Close{Reason: "client"}); err != nil {
		t.Fatal(err)
	}
	g.w = nil
	g.works(20)
	_, free := exhaust(t)
	if err := s.take(g); err == nil {
		t.Error("a file could be opened")
	}
	free()
	s.complete(g)
}

func TestStoreClock(t *testing.T) {
	g, s := newGateway(t, t.TempDir(), record.ModeWrite), newStore(t, t.TempDir())
	for _, step := range []time.Duration{0, 24 * time.Hour, -48 * time.Hour, -10 * 365 * 24 * time.Hour, time.Hour} {
		s.clock.Store(int64(step))
		g.clock.Store(int64(-step))
		g.works(10)
		if err := s.take(g); err != nil {
			t.Fatal(err)
		}
		if err := g.w.Close(record.Close{Reason: "client"}); err != nil {
			t.Fatal(err)
		}
		g.w = nil
	}
	s.complete(g)
}
