package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
	"dragoman.dev/dragoman/internal/translog"
)

func seedKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func pubOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// exhibit is a store at rest with everything that a log can have: sealed, lost and running sessions, two
// keys, more than one tile.
type exhibit struct {
	dir        string
	early      string // a copy of the folder, from before the change of keys
	keyA, keyB ed25519.PrivateKey
	kept       [][]byte // checkpoints that an auditor kept, oldest first
	sealed     []string // paths
	live       []string
}

func putSession(t testing.TB, s *Store, id string, actions int, end bool) {
	t.Helper()
	acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: id, Data: stream(t, id, actions, end)}})
	if err != nil || acks[0].Diverged || acks[0].Retry {
		t.Fatal(acks, err)
	}
}

func newExhibit(t testing.TB) *exhibit {
	t.Helper()
	x := &exhibit{dir: t.TempDir(), early: t.TempDir(), keyA: seedKey("first"), keyB: seedKey("second")}
	s, err := Open(x.dir, Options{Key: x.keyA, Origin: "log.example.com/audit"})
	must(t, err)
	for i := range 3 {
		putSession(t, s, fmt.Sprintf("ses_a%d", i), 3+5*i, true)
	}
	putSession(t, s, "ses_long", 90, false)
	must(t, s.addLeaves(everyFrame(t, s, "ses_long")))
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 3 })
	x.keep(t, s)
	must(t, s.Close())
	must(t, os.CopyFS(x.early, os.DirFS(x.dir)))
	must(t, RotateKey(t.Context(), x.dir, x.keyA, x.keyB))
	must(t, RotateKey(t.Context(), x.dir, x.keyA, x.keyB))
	if _, err := Open(x.dir, Options{Key: x.keyA}); err == nil {
		t.Fatal("the old key still opens the log")
	}
	s, err = Open(x.dir, Options{Key: x.keyB})
	must(t, err)
	for i := range 2 {
		putSession(t, s, fmt.Sprintf("ses_b%d", i), 4+3*i, true)
	}
	putSession(t, s, "ses_lost", 4, false)
	putSession(t, s, "ses_run", 6, false)
	must(t, s.Lost(t.Context(), "ses_lost"))
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 6 })
	must(t, s.Close()) // enters ses_run
	s, err = Open(x.dir, Options{Key: x.keyB})
	must(t, err)
	x.keep(t, s)
	must(t, s.Close())
	must(t, files(x.dir, func(path, _, ext string) error {
		if ext == record.SealedExt {
			x.sealed = append(x.sealed, path)
		} else {
			x.live = append(x.live, path)
		}
		return nil
	}))
	if len(x.sealed) != 6 || len(x.live) != 2 {
		t.Fatal(x.sealed, x.live)
	}
	return x
}

func (x *exhibit) keep(t testing.TB, s *Store) {
	cp, err := s.Checkpoint()
	must(t, err)
	x.kept = append(x.kept, cp)
}

// everyFrame makes an entry for each frame that a session has, as if it had been looked at after each.
func everyFrame(t testing.TB, s *Store, id string) []Leaf {
	r, err := s.Frames(t.Context(), id)
	must(t, err)
	defer r.Close()
	var all []Leaf
	for {
		if _, err := r.Next(); err != nil {
			return all
		}
		all = append(all, Leaf{State: LeafRunning, Session: id, Frames: uint64(len(all)) + 1, Bytes: r.Offset(), Hash: r.Hash(), Time: s.opt.Now()})
	}
}

// verify runs a verification as an auditor with a key and a kept checkpoint does.
func (x *exhibit) verify(t testing.TB, dir string, pub ed25519.PublicKey, kept []byte) (ok bool, what string) {
	t.Helper()
	var all []string
	sum, err := Verify(t.Context(), dir, VerifyOptions{Key: pub, Checkpoint: kept}, func(r Result) {
		if !r.OK() {
			all = append(all, fmt.Sprintf("%s: %s %v", filepath.Base(r.File), r.Problem, r.Report.Problems))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sum.Log {
		all = append(all, "log: "+p.String())
	}
	return sum.OK(), strings.Join(all, "; ")
}

func (x *exhibit) mustVerify(t testing.TB) {
	t.Helper()
	for _, pub := range []ed25519.PublicKey{pubOf(x.keyA), pubOf(x.keyB)} {
		for _, kept := range append([][]byte{nil}, x.kept...) {
			if ok, what := x.verify(t, x.dir, pub, kept); !ok {
				t.Fatal("false alarm: ", what)
			}
		}
	}
}

// evidence lists the files whose bytes are proven. Tiles of older sizes are not: they are leftovers.
func (x *exhibit) evidence(t testing.TB) (paths []string) {
	paths = append(append([]string{}, x.sealed...), x.live...)
	root := filepath.Join(x.dir, logDir)
	size := x.size(t)
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if err != nil || d.IsDir() || strings.HasPrefix(rel, ".state") {
			return err
		}
		needed := rel == "checkpoint"
		for n := uint64(0); n*256 < size; n++ {
			p := layout.PartialTileSize(0, n, size)
			needed = needed || rel == layout.EntriesPath(n, p) || rel == layout.TilePath(0, n, p)
		}
		if needed || rel == layout.TilePath(1, 0, layout.PartialTileSize(1, 0, size)) {
			paths = append(paths, path)
		}
		return nil
	}))
	return paths
}

func (x *exhibit) size(t testing.TB) uint64 {
	c, err := translog.Read(filepath.Join(x.dir, logDir), pubOf(x.keyB), nil, nil)
	must(t, err)
	return c.Size
}

// entries reads the log's entries.
func (x *exhibit) entries(t testing.TB) (all [][]byte) {
	_, err := translog.Read(filepath.Join(x.dir, logDir), pubOf(x.keyB), nil, func(_ uint64, e []byte) error {
		all = append(all, append([]byte{}, e...))
		return nil
	})
	must(t, err)
	return all
}

// forgeLog writes a log of these entries that is right in all but the key.
func forgeLog(t testing.TB, dir string, entries [][]byte, origin string, key ed25519.PrivateKey) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(dir, "tile")))
	rf := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	all, size := rf.NewEmptyRange(0), uint64(len(entries))
	var up []byte
	for n := uint64(0); n*256 < size; n++ {
		part := entries[n*256 : min(n*256+256, size)]
		var bundle, tile []byte
		one := rf.NewEmptyRange(0)
		for _, e := range part {
			h := rfc6962.DefaultHasher.HashLeaf(e)
			bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(e))), e...)
			tile = append(tile, h...)
			must(t, all.Append(h, nil))
			must(t, one.Append(h, nil))
		}
		p := layout.PartialTileSize(0, n, size)
		writeFile(t, filepath.Join(dir, layout.EntriesPath(n, p)), bundle)
		writeFile(t, filepath.Join(dir, layout.TilePath(0, n, p)), tile)
		if p == 0 {
			h, err := one.GetRootHash(nil)
			must(t, err)
			up = append(up, h...)
		}
	}
	if len(up) > 0 {
		writeFile(t, filepath.Join(dir, layout.TilePath(1, 0, layout.PartialTileSize(1, 0, size))), up)
	}
	root, err := all.GetRootHash(nil)
	must(t, err)
	writeFile(t, filepath.Join(dir, "checkpoint"), signNote(t, origin, size, root, key))
}

func signNote(t testing.TB, origin string, size uint64, root []byte, key ed25519.PrivateKey) []byte {
	t.Helper()
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root))
	vkey, err := translog.VerifierKey(origin, pubOf(key))
	must(t, err)
	v, err := note.NewVerifier(vkey)
	must(t, err)
	sig := append(binary.BigEndian.AppendUint32(nil, v.KeyHash()), ed25519.Sign(key, []byte(text))...)
	return []byte(text + "\n— " + origin + " " + base64.StdEncoding.EncodeToString(sig) + "\n")
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, b, 0o600))
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

type ed25519Key = ed25519.PrivateKey

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
