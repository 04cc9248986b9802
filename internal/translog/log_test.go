package translog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

func seedKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func appendN(t testing.TB, l *Log, from, n int) {
	t.Helper()
	var entries [][]byte
	for i := range n {
		entries = append(entries, fmt.Appendf(nil, "entry %d", from+i))
	}
	places, err := l.Append(t.Context(), entries...)
	must(t, err)
	for i, p := range places {
		if p != uint64(from+i) {
			t.Fatalf("entry %d is at %d", from+i, p)
		}
	}
}

func TestProofs(t *testing.T) {
	dir, key := t.TempDir(), seedKey("a")
	l, err := Open(dir, Options{Key: key, Origin: "log.example.com/x"})
	must(t, err)
	defer func() { must(t, l.Close()) }()
	empty, _, err := l.Checkpoint()
	must(t, err)
	kept := [][]byte{empty}
	for from, n := range []int{1, 4, 300, 700} {
		start := []int{0, 1, 5, 305}[from]
		appendN(t, l, start, n)
		raw, c, err := l.Checkpoint()
		must(t, err)
		if c.Size != uint64(start+n) || c.Origin != "log.example.com/x" {
			t.Fatalf("%+v", c)
		}
		kept = append(kept, raw)
		for _, i := range []uint64{0, c.Size / 2, c.Size - 1} {
			p, err := l.Inclusion(t.Context(), i)
			must(t, err)
			if string(p.Entry) != fmt.Sprintf("entry %d", i) {
				t.Errorf("entry %d: %q", i, p.Entry)
			}
			must(t, p.Verify(public(key)))
			p.Entry = append(bytes.Clone(p.Entry), 'x')
			if p.Verify(public(key)) == nil {
				t.Error("a changed entry is proven")
			}
		}
	}
	for i, old := range kept {
		o, err := parseCheckpoint(old)
		must(t, err)
		p, err := l.Consistency(t.Context(), o.Size)
		must(t, err)
		if err := p.Verify(old, public(key)); err != nil {
			t.Errorf("checkpoint %d: %v", i, err)
		}
		if i > 1 && p.Verify(kept[i-1], public(key)) == nil {
			t.Error("a proof for another checkpoint verifies")
		}
	}
	if _, err := l.Inclusion(t.Context(), 1005); err == nil {
		t.Error("an entry that is not there is proven")
	}
	c, err := Read(dir, public(key), nil, nil)
	must(t, err)
	for _, old := range kept {
		c.Consistent(old)
	}
	if len(c.Problems) > 0 {
		t.Error(c.Problems)
	}
}

func TestReopenAndRotate(t *testing.T) {
	dir := t.TempDir()
	keys := []ed25519.PrivateKey{seedKey("a"), seedKey("b"), seedKey("c")}
	var kept [][]byte
	n := 0
	for i, k := range keys {
		for range 2 {
			l, err := Open(dir, Options{Key: k})
			must(t, err)
			appendN(t, l, n, 3)
			n += 3
			raw, _, err := l.Checkpoint()
			must(t, err)
			kept = append(kept, raw)
			must(t, l.Close())
		}
		if i+1 < len(keys) {
			l, err := Open(dir, Options{Key: k})
			must(t, err)
			must(t, l.Rotate(t.Context(), keys[i+1]))
			must(t, l.Close())
			n++
			if _, err := Open(dir, Options{Key: k}); !errors.Is(err, ErrKey) {
				t.Fatal("the old key goes on: ", err)
			}
		}
	}
	for i, k := range keys { // each of them is enough to verify all
		c, err := Read(dir, public(k), nil, nil)
		must(t, err)
		for _, old := range kept {
			c.Consistent(old)
		}
		if len(c.Problems) > 0 || !c.Current.Equal(public(keys[2])) {
			t.Errorf("key %d: %v", i, c.Problems)
		}
	}
	if _, err := Open(dir, Options{Key: seedKey("x")}); !errors.Is(err, ErrKey) {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Key: keys[2], Origin: "other"}); err == nil {
		t.Fatal("another origin")
	}
	// A checkpoint that an old key signs for a size after its time.
	c, err := Read(dir, public(keys[2]), nil, nil)
	must(t, err)
	raw := sign(t, c.Checkpoint, keys[0])
	must(t, os.WriteFile(filepath.Join(dir, "checkpoint"), raw, 0o600))
	if c, err = Read(dir, public(keys[0]), nil, nil); err != nil || len(c.Problems) != 1 || c.Problems[0].Kind != "signature" {
		t.Fatal(c.Problems, err)
	}
}

func sign(t testing.TB, c Checkpoint, key ed25519.PrivateKey) []byte {
	raw, err := note.Sign(&note.Note{Text: c.text()}, signer{c.Origin, key})
	must(t, err)
	return raw
}

// witness is a tlog-witness that checks the log's signature and cosigns. It keeps sizes only:
// whether it checks consistency is its own tests' matter.
type witness struct {
	mu   sync.Mutex
	log  note.Verifier
	sign *fnote.Signer
	size string
	down bool
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	head, cp, ok := strings.Cut(string(body), "\n\n")
	if w.down || !ok || !strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	n, err := note.Open([]byte(cp), note.VerifierList(w.log))
	if err != nil {
		rw.WriteHeader(http.StatusForbidden)
		return
	}
	if old := strings.TrimPrefix(strings.SplitN(head, "\n", 2)[0], "old "); old != w.size {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintln(rw, w.size)
		return
	}
	w.size = strings.Split(n.Text, "\n")[1]
	signed, err := note.Sign(&note.Note{Text: n.Text}, w.sign)
	if err != nil {
		rw.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, sigs, _ := strings.Cut(string(signed), "\n\n")
	fmt.Fprint(rw, sigs)
}

func TestWitness(t *testing.T) {
	key := seedKey("a")
	skey, vkey, err := note.GenerateKey(rand{}, "witness.example.org")
	must(t, err)
	cosigner, err := fnote.NewSignerForCosignatureV1(skey)
	must(t, err)
	cokey, err := fnote.VKeyToCosignatureV1(vkey)
	must(t, err)
	w := &witness{log: verifier{"log.example.com/x", public(key)}, sign: cosigner, size: "0"}
	srv := httptest.NewServer(w)
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	must(t, err)
	dir := t.TempDir()
	l, err := Open(dir, Options{Key: key, Origin: "log.example.com/x", Witnesses: []Witness{{Key: cokey, URL: u}}})
	must(t, err)
	appendN(t, l, 0, 3)
	read := func() *Content {
		c, err := Read(dir, public(key), []string{cokey}, nil)
		must(t, err)
		return c
	}
	if c := read(); len(c.Problems) > 0 || len(c.Cosigned) != 1 || c.Cosigned[0] != "witness.example.org" {
		t.Fatal(c.Problems, c.Cosigned, string(c.Raw))
	}
	w.mu.Lock()
	w.down = true
	w.mu.Unlock()
	appendN(t, l, 3, 1) // goes on without
	if c := read(); len(c.Problems) != 1 || c.Problems[0].Kind != "witness" {
		t.Fatal(c.Problems)
	}
	w.mu.Lock()
	w.down = false
	w.mu.Unlock()
	appendN(t, l, 4, 1)
	if c := read(); len(c.Problems) > 0 {
		t.Fatal(c.Problems)
	}
	must(t, l.Close())
	// A cosignature that was changed.
	path := filepath.Join(dir, "checkpoint")
	raw, err := os.ReadFile(path)
	must(t, err)
	raw[len(raw)-20]++
	must(t, os.WriteFile(path, raw, 0o600))
	if c := read(); len(c.Problems) == 0 {
		t.Fatal("not found")
	}
}

// rand is a fixed seed for a key.
type rand struct{}

func (rand) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestAppendAfterClose(t *testing.T) {
	l, err := Open(t.TempDir(), Options{Key: seedKey("a")})
	must(t, err)
	must(t, l.Close())
	if _, err := l.Append(context.Background(), []byte("x")); err == nil {
		t.Fatal("appended to a closed log")
	}
}

var testTime = time.Unix(1700000000, 1)

// TestNoCheckpoint: before the first one it is made, later it must not be made anew.
func TestNoCheckpoint(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		l, err := Open(dir, Options{Key: seedKey("a")})
		if i == 2 {
			if err == nil {
				t.Fatal("a log without its checkpoint is gone on with")
			}
			return
		}
		must(t, err)
		if i == 1 {
			appendN(t, l, 0, 1)
		}
		must(t, l.Close())
		must(t, os.Remove(filepath.Join(dir, "checkpoint")))
	}
}

// TestFileTableFull: nothing is appended while no file can be opened, and the process lives.
func TestFileTableFull(t *testing.T) {
	l, err := Open(t.TempDir(), Options{Key: seedKey("a")})
	must(t, err)
	appendN(t, l, 0, 1)
	var old syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 256, Max: old.Max}))
	var held []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		held = append(held, f)
	}
	_, err = l.Append(t.Context(), []byte("x"))
	time.Sleep(2 * publishInterval)
	for _, f := range held {
		f.Close()
	}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	if !errors.Is(err, syscall.EMFILE) {
		t.Fatal(err)
	}
	appendN(t, l, 1, 1)
	must(t, l.Close())
}

func FuzzParse(f *testing.F) {
	key := seedKey("a")
	f.Add(sign(f, Checkpoint{Origin: "o", Size: 3}, key))
	f.Add(signKeyChange("o", key, seedKey("b"), testTime))
	f.Add([]byte("\x00\x03abc\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseCheckpoint(b); err == nil {
			_, _, _ = openCheckpoint(b, c, []ed25519.PublicKey{public(key)}, nil)
		}
		if k, err := ParseKeyChange(b); err == nil && !bytes.HasPrefix(b, []byte(k.text())) {
			t.Error("not the one encoding")
		}
		entries, rest := splitBundle(b, tileWidth)
		total := rest
		for _, e := range entries {
			total += 2 + len(e)
		}
		if total != len(b) {
			t.Error(total, len(b))
		}
	})
}

// TestConsistencyBetween: every pair of sizes, against checkpoints that were kept, and no other.
func TestConsistencyBetween(t *testing.T) {
	key := seedKey("a")
	l, err := Open(t.TempDir(), Options{Key: key})
	must(t, err)
	kept := map[uint64][]byte{}
	for i := range 5 {
		raw, c, err := l.Checkpoint()
		must(t, err)
		kept[c.Size] = raw
		appendN(t, l, i, 1)
	}
	for from, old := range kept {
		for to, newer := range kept {
			p, err := l.ConsistencyBetween(t.Context(), from, to)
			if to != 0 && from > to {
				if !errors.Is(err, ErrRange) {
					t.Error(from, to, err)
				}
				continue
			}
			must(t, err)
			if to == 0 {
				newer = []byte(p.Checkpoint)
			}
			must(t, p.VerifyBetween(old, newer, public(key)))
			if from > 0 && from < p.To {
				p.Hashes[0][0] ^= 1
				if p.VerifyBetween(old, newer, public(key)) == nil {
					t.Error(from, to, "a changed proof verifies")
				}
			}
			if p.VerifyBetween(newer, old, public(key)) == nil && from != p.To {
				t.Error(from, to, "the wrong way round verifies")
			}
		}
	}
	if _, err := l.ConsistencyBetween(t.Context(), 1, 99); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	must(t, l.Close())
}
