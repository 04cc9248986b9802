package verify

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/envelope"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func seedKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// python runs verify.py.
func python(t testing.TB, home string, args ...string) (out string, ok bool) {
	t.Helper()
	cmd := exec.Command("python3", append([]string{"verify.py"}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+home, "PYTHONDONTWRITEBYTECODE=1")
	b, err := cmd.CombinedOutput()
	if strings.Contains(string(b), "Traceback") {
		t.Fatalf("%s", b)
	}
	return string(b), err == nil
}

// put writes a session and gives it to the store.
func put(t testing.TB, s *audit.Store, id string, frames int, end bool) {
	t.Helper()
	sp, err := record.OpenSpool(t.TempDir(), record.Options{})
	must(t, err)
	defer sp.Close()
	w, err := sp.Begin(record.ModeWrite, record.Open{Session: policy.Session{ID: id, Started: time.Now()},
		Target: policy.Target{Name: "shop", Protocol: "postgres"}, Identity: identity.New("agent:a"), Node: "n1"})
	must(t, err)
	for i := range frames {
		must(t, w.Append(record.KindResponse, uint64(i), fmt.Appendf(nil, "row %d of %s", i, id)))
	}
	must(t, w.Flush())
	if end {
		must(t, w.Close(record.Close{Reason: "client"}))
	}
	buf, off := make([]byte, 1<<20), uint64(0)
	for {
		n, err := sp.ReadAt(id, buf, off)
		must(t, err)
		if n == 0 {
			return
		}
		acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: id, Offset: off, Data: buf[:n]}})
		if err != nil || acks[0].Retry || acks[0].Diverged {
			t.Fatal(acks, err)
		}
		off += uint64(n)
	}
}

func sealed(t testing.TB, s *audit.Store, want int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		p, err := s.List(t.Context(), audit.Filter{Limit: 1000})
		must(t, err)
		n := 0
		for _, r := range p.Sessions {
			if r.Sealed {
				n++
			}
		}
		if n == want {
			return
		}
	}
	t.Fatal("not sealed")
}

// build makes a store with a change of keys, more than one bundle, a record of several blocks, one that was lost
// and one that runs. It returns kept checkpoints too.
func build(t testing.TB, dir string, old, key ed25519.PrivateKey) (kept []string) {
	s, err := audit.Open(dir, audit.Options{Key: old, Origin: "log.example.com/shop"})
	must(t, err)
	keep := func() {
		cp, err := s.Checkpoint()
		must(t, err)
		path := filepath.Join(t.TempDir(), "kept")
		must(t, os.WriteFile(path, cp, 0o600))
		kept = append(kept, path)
	}
	const many = 260
	for i := range many {
		put(t, s, fmt.Sprintf("ses_%03d", i), 1+i%7, true)
	}
	sealed(t, s, many)
	keep()
	must(t, s.Close())
	must(t, audit.RotateKey(t.Context(), dir, old, key))
	s, err = audit.Open(dir, audit.Options{Key: key})
	must(t, err)
	put(t, s, "ses_big", 16000, true)
	put(t, s, "ses_gone", 5, false)
	must(t, s.Lost(t.Context(), "ses_gone"))
	put(t, s, "ses_run", 9, false)
	sealed(t, s, many+2)
	must(t, s.Close())
	s, err = audit.Open(dir, audit.Options{Key: key})
	must(t, err)
	keep()
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, "index.db")))
	return kept
}

func writeKey(t testing.TB, key ed25519.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	path := filepath.Join(t.TempDir(), "record.pub")
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
	return path
}

// TestVerifyPy: a verifier that was written from the pages alone finds a real store whole, and
// what was changed in it.
func TestVerifyPy(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	home, err := Packages(ctx, filepath.Join("..", "..", ".tools"))
	must(t, err)
	dir, old, key := t.TempDir(), seedKey("old"), seedKey("new")
	kept := build(t, dir, old, key)
	for _, k := range []ed25519.PrivateKey{old, key} {
		for _, c := range kept {
			if out, ok := python(t, home, "--key", writeKey(t, k), "--checkpoint", c, dir); !ok {
				t.Fatalf("false alarm:\n%s", out)
			}
		}
	}
	if out, ok := python(t, home, "--key", writeKey(t, seedKey("stranger")), dir); ok {
		t.Errorf("a stranger's key verifies:\n%s", out)
	}

	root := t.TempDir()
	var folders []string
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 40 {
		to := filepath.Join(root, fmt.Sprint(i))
		change(t, rng, i, dir, to)
		folders = append(folders, to)
		sum, err := audit.Verify(ctx, to, audit.VerifyOptions{Key: key.Public().(ed25519.PublicKey)}, func(audit.Result) {})
		if err != nil || sum.OK() {
			t.Errorf("mutation %d is not found by the gateway's own verifier: %+v %v", i, sum, err)
		}
	}
	out, _ := python(t, home, append([]string{"--key", writeKey(t, key)}, folders...)...)
	if strings.Count(out, " problems\n") != len(folders) || strings.Contains(out, "whole") {
		t.Errorf("not all found:\n%s", out)
	}
	// Rolled back: the log as it was when the first checkpoint was kept is whole, and shorter than the second.
	if out, ok := python(t, home, "--key", writeKey(t, old), "--checkpoint", kept[1], earlier(t, dir, old, kept[0])); ok || !strings.Contains(out, "rolled back") {
		t.Errorf("rolled back, and not found:\n%s", out)
	}
}

// TestEncryptedPy: the same for encrypted bodies, with the data keys and without, after one was deleted in order.
func TestEncryptedPy(t *testing.T) {
	home, err := Packages(t.Context(), filepath.Join("..", "..", ".tools"))
	must(t, err)
	dir, key := t.TempDir(), seedKey("key")
	ring, err := envelope.OpenOrCreate(t.Context(), "file:"+filepath.Join(t.TempDir(), "kek"))
	must(t, err)
	defer ring.Close()
	s, err := audit.Open(dir, audit.Options{Key: key, Keys: ring})
	must(t, err)
	for _, id := range []string{"ses_a", "ses_b", "ses_c"} {
		put(t, s, id, 40, true)
	}
	put(t, s, "ses_run", 30, false)
	sealed(t, s, 3)
	must(t, s.Delete(t.Context(), audit.Retention, "ses_b"))
	must(t, s.Close())
	keys := writeDataKeys(t, dir, ring)
	for args, want := range map[string]string{"": "3 records (3 encrypted, not opened; 1 deleted)", keys: "3 records (0 encrypted, not opened; 1 deleted)"} {
		all := []string{"--key", writeKey(t, key), dir}
		if args != "" {
			all = append([]string{"--data-keys", args}, all...)
		}
		if out, ok := python(t, home, all...); !ok || !strings.Contains(out, want) {
			t.Errorf("false alarm, or not %q:\n%s", want, out)
		}
	}
	root, folders := t.TempDir(), []string{"--key", writeKey(t, key), "--data-keys", keys}
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 16 {
		to := filepath.Join(root, fmt.Sprint(i))
		must(t, os.CopyFS(to, os.DirFS(dir)))
		path := filepath.Join(to, body(t, dir, rng.IntN(3)))
		b, err := os.ReadFile(path)
		must(t, err)
		if at := rng.IntN(len(b)); i%2 == 0 {
			b[at] ^= 1 << rng.IntN(8)
		} else {
			b = b[:at]
		}
		must(t, os.WriteFile(path, b, 0o600))
		folders = append(folders, to)
	}
	if out, _ := python(t, home, folders...); strings.Count(out, " problems\n") != 16 {
		t.Errorf("not all found:\n%s", out)
	}
}

// body names the nth record's file in a store.
func body(t testing.TB, dir string, n int) string {
	all, err := filepath.Glob(filepath.Join(dir, "sessions/*/*/*/*"))
	must(t, err)
	rel, err := filepath.Rel(dir, all[n])
	must(t, err)
	return rel
}

// writeDataKeys opens all data keys of a store.
func writeDataKeys(t testing.TB, dir string, ring *envelope.Keyring) string {
	paths, err := filepath.Glob(filepath.Join(dir, "datakeys/*/*/*/*.key"))
	must(t, err)
	keys := map[string]string{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		must(t, err)
		id := strings.TrimSuffix(filepath.Base(path), ".key")
		k, err := ring.Unwrap(t.Context(), id, b)
		must(t, err)
		keys[id] = hex.EncodeToString(k[:])
	}
	b, err := json.Marshal(keys)
	must(t, err)
	path := filepath.Join(t.TempDir(), "keys.json")
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

// earlier makes a store whose log has an older checkpoint.
func earlier(t testing.TB, dir string, old ed25519.PrivateKey, checkpoint string) string {
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(dir)))
	b, err := os.ReadFile(checkpoint)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(to, "log", "checkpoint"), b, 0o600))
	return to
}

// special are the files that some changes are made in, by number; others choose at random.
var special = map[int]string{0: "ses_big.drs", 1: "ses_run.live", 2: "ses_gone.drs", 3: "log/checkpoint", 5: "tile/entries/000",
	6: "tile/0/000", 7: "tile/1/000.p/1", 9: "tile/entries/001.p/8", 10: "tile/0/001.p/8"}

// change copies a store (links, for what stays) and changes one file of it.
func change(t testing.TB, rng *rand.Rand, i int, from, to string) {
	t.Helper()
	var paths []string
	must(t, filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		if err != nil || d.IsDir() {
			return errMkdir(err, filepath.Join(to, rel))
		}
		// Partial files may be of older sizes: they prove nothing.
		if !strings.Contains(rel, ".state") && !strings.Contains(rel, "index.db") && (!strings.Contains(rel, ".p/") || (special[i] != "" && strings.HasSuffix(rel, special[i]))) {
			paths = append(paths, filepath.Join(to, rel))
		}
		return os.Link(path, filepath.Join(to, rel))
	}))
	path := paths[rng.IntN(len(paths))]
	for _, p := range paths {
		if s := special[i]; s != "" && strings.HasSuffix(p, s) {
			path = p
		}
	}
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.Remove(path))
	at := rng.IntN(len(b))
	switch i % 4 {
	case 0:
		return // removed
	case 1:
		b[at] ^= 1 << rng.IntN(8)
	case 2:
		b = b[:at]
	default:
		b = append(b[:at:at], append([]byte("more"), b[at:]...)...)
	}
	must(t, os.WriteFile(path, b, 0o600))
}

func errMkdir(err error, path string) error {
	if err != nil {
		return err
	}
	return os.MkdirAll(path, 0o700)
}
