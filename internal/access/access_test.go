package access

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/identity"
)

type rig struct {
	t     *testing.T
	dir   string
	store *audit.Store
	log   *Log
}

func testKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("access"))
	return ed25519.NewKeyFromSeed(seed[:])
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, dir: t.TempDir()}
	r.open()
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.store, err = audit.Open(filepath.Join(r.dir, "audit"), audit.Options{Key: testKey()}); err != nil {
		r.t.Fatal(err)
	}
	r.log = r.openLog()
}

func (r *rig) openLog() *Log {
	r.t.Helper()
	l, err := Open(Options{Dir: filepath.Join(r.dir, "spool"), Ingest: r.store, Node: "control", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func (r *rig) read(who, way string, sessions ...string) {
	r.t.Helper()
	if err := r.log.Record(read(who, way, sessions...)); err != nil {
		r.t.Fatal(err)
	}
}

func read(who, way string, sessions ...string) Read {
	id := identity.New("user:boss", who)
	id.Method, id.Issuer = identity.MethodToken, "dragoman"
	return Read{By: id, Via: "api", Client: "127.0.0.1:1", Way: way, Sessions: sessions, Text: strings.Join(sessions, " ")}
}

func (r *rig) find(f Filter) []Entry {
	r.t.Helper()
	if err := r.log.Settle(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	list, err := Find(r.t.Context(), r.store, f)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.log.Close(); err != nil {
		r.t.Error(err)
	}
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

// verify checks the whole store, as an auditor does.
func (r *rig) verify() audit.Summary {
	r.t.Helper()
	sum, err := audit.Verify(r.t.Context(), filepath.Join(r.dir, "audit"), audit.VerifyOptions{Key: testKey().Public().(ed25519.PublicKey)}, func(x audit.Result) {
		if !x.OK() {
			r.t.Errorf("%+v", x)
		}
	})
	if err != nil || !sum.OK() {
		r.t.Error(sum, err)
	}
	return sum
}

func TestReads(t *testing.T) {
	r := newRig(t)
	r.read("agent:a", Show, "ses_1")
	r.read("agent:b", Replay, "ses_2")
	r.read("agent:a", List, "ses_1", "ses_2", "ses_3")
	no := read("agent:a", Reads)
	no.Refused = "needs the role auditor"
	if err := r.log.Record(no); err != nil {
		t.Fatal(err)
	}
	all := r.find(Filter{})
	if len(all) != 4 || all[0].Allowed || all[0].Reason != no.Refused || all[3].Way != Show || all[3].By != "agent:a" || all[3].Chain[0] != "user:boss" || all[3].Via != "api" {
		t.Fatalf("%+v", all)
	}
	for _, x := range []struct {
		f    Filter
		want string
	}{
		{Filter{Session: "ses_1"}, "list show"},
		{Filter{Session: "SES_2"}, "list replay"},
		{Filter{Identity: "agent:b"}, "replay"},
		{Filter{Identity: "user:boss", Limit: 2}, "reads list"},
		{Filter{Since: time.Now()}, ""},
		{Filter{Until: all[2].Time}, "show"},
	} {
		var ways []string
		for _, e := range r.find(x.f) {
			ways = append(ways, e.Way)
		}
		if got := strings.Join(ways, " "); got != x.want {
			t.Errorf("%+v: %q, want %q", x.f, got, x.want)
		}
	}
	r.close()
	if sum := r.verify(); sum.Records != 2 {
		t.Error(sum)
	}
	// A changed entry is found like any change of a record.
	if err := filepath.WalkDir(filepath.Join(r.dir, "audit", "sessions"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), Prefix) {
			b, _ := os.ReadFile(path)
			b[len(b)/2] ^= 1
			err = os.WriteFile(path, b, 0o600)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	sum, err := audit.Verify(t.Context(), filepath.Join(r.dir, "audit"), audit.VerifyOptions{Key: testKey().Public().(ed25519.PublicKey)}, func(audit.Result) {})
	if err != nil || sum.OK() {
		t.Error("a changed access log verifies", err)
	}
}

// TestDeath: what was recorded is there after the process died, whatever the store has of it.
func TestDeath(t *testing.T) {
	r := newRig(t)
	r.read("agent:a", Show, "ses_1")
	r.log.stop() // nothing is given to the store any more, and nothing closed
	r.log.ended.Wait()
	r.read("agent:a", Show, "ses_2")
	r.read("agent:b", Show, "ses_2")
	for _, one := range r.log.open { // the death of the process frees its locks
		one.w.Abandon()
	}
	r.log.spool.Close()
	r.log = r.openLog()
	r.read("agent:a", Show, "ses_3")
	if got := r.find(Filter{}); len(got) != 4 {
		t.Errorf("%+v", got)
	}
	r.close()
	r.verify()
	if left, err := os.ReadDir(filepath.Join(r.dir, "spool")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// TestMany: readers at once, more than have a session at a time.
func TestMany(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 40 {
				if err := r.log.Record(read(fmt.Sprintf("agent:%d", (i*40+j)%(maxOpen+10)), Show, "ses_1")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := r.find(Filter{Session: "ses_1", Limit: 1000}); len(got) != 320 {
		t.Error(len(got))
	}
	r.close()
	r.verify()
}

// TestDisk: a read that cannot be recorded is refused, and the next one after the fault is not.
func TestDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("mounting a small disk needs root, as the other tests of disks do")
	}
	r := newRig(t)
	small := filepath.Join(r.dir, "spool")
	r.log.Close()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(small, syscall.MNT_DETACH)
	r.log = r.openLog()
	r.read("agent:a", Show, "ses_1")
	fill := filepath.Join(small, "fill")
	_ = os.WriteFile(fill, make([]byte, 1<<20), 0o600)
	refused := 0
	for range 20 {
		if r.log.Record(read("agent:a", Show, "ses_2")) != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("a full disk refuses nothing")
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	r.read("agent:a", Show, "ses_3")
	if got := r.find(Filter{Session: "ses_2", Limit: 100}); len(got) != 20-refused {
		t.Error(len(got), refused)
	}
	r.close()
	r.verify()
}
