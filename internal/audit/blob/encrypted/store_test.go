package encrypted

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/blobtest"
	"dragoman.dev/dragoman/internal/record"
)

// ring has a key for each body.
type ring struct {
	mu   sync.Mutex
	keys map[string]record.Key
}

func (r *ring) key(_ context.Context, key string, create bool) (record.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.keys[key]
	if !ok && !create {
		return k, record.ErrEncrypted
	}
	if !ok {
		k = record.Key{byte(len(r.keys) + 1)}
		r.keys[key] = k
	}
	return k, nil
}

func newStore(t *testing.T) (s *Store, again func() *Store, dir string) {
	dir = t.TempDir()
	r := &ring{keys: map[string]record.Key{}}
	again = func() *Store { return New(blob.NewFiles(dir), r.key) }
	return again(), again, dir
}

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) (blob.Store, func() blob.Store) {
		s, again, _ := newStore(t)
		return s, func() blob.Store { return again() }
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func make3(t *testing.T, s *Store, key string) []byte {
	t.Helper()
	b, err := s.Create(t.Context(), key)
	must(t, err)
	var all []byte
	for i := range 3 {
		text := bytes.Repeat([]byte{byte('a' + i)}, 1000)
		all = append(all, text...)
		_, err := b.Write(text)
		must(t, err)
	}
	must(t, b.Sync(t.Context()))
	must(t, b.Close())
	return all
}

func read(t *testing.T, s *Store, key string) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

func TestNothingReadableAndNothingTwice(t *testing.T) {
	s, again, dir := newStore(t)
	all := make3(t, s, "a.live")
	raw, err := os.ReadFile(filepath.Join(dir, "a.live"))
	must(t, err)
	if bytes.Contains(raw, []byte("aaaa")) {
		t.Error("the text can be read in the file")
	}
	// What is cut off and written again has other bytes.
	b, err := again().Append(t.Context(), "a.live")
	must(t, err)
	must(t, b.Truncate(1500))
	_, err = b.Write(all[1500:])
	must(t, err)
	must(t, b.Close())
	now, err := os.ReadFile(filepath.Join(dir, "a.live"))
	must(t, err)
	if bytes.Equal(raw[2*chunkLen:3*chunkLen], now[2*chunkLen:3*chunkLen]) && bytes.Equal(raw[len(raw)-500:], now[len(now)-500:]) {
		t.Error("the same bytes were written again")
	}
	if got, err := read(t, s, "a.live"); err != nil || !bytes.Equal(got, all) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A changed byte is found, or what was cut off is not there; no wrong byte is ever read.
func TestChanged(t *testing.T) {
	s, again, dir := newStore(t)
	all := make3(t, s, "a.live")
	path := filepath.Join(dir, "a.live")
	good, err := os.ReadFile(path)
	must(t, err)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		bad := bytes.Clone(good)
		if i%5 == 0 {
			bad = bad[:rnd.IntN(len(bad))]
		} else {
			bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(8)
		}
		must(t, os.WriteFile(path, bad, 0o600))
		got, err := read(t, s, "a.live")
		if err == nil && len(got) == len(all) || !bytes.HasPrefix(all, got) && string(bad[:8]) == magic {
			t.Fatalf("change %d: %d bytes were read, %v", i, len(got), err)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"last chunk":    func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"cut short":     func(b []byte) []byte { return b[:len(b)-7] },
		"zeros behind":  func(b []byte) []byte { return append(b[:len(b)-1000-chunkLen], make([]byte, 4096)...) },
		"header only":   func(b []byte) []byte { return b[:headerLen] },
		"half a header": func(b []byte) []byte { return b[:20] },
		"nothing":       func(b []byte) []byte { return nil },
	} {
		must(t, os.WriteFile(path, change(bytes.Clone(good)), 0o600))
		b, err := again().Append(t.Context(), "a.live")
		if name == "nothing" { // one without a header yet: any store's
			must(t, err)
			must(t, b.Close())
			continue
		}
		must(t, err)
		if b.Size()%1000 != 0 || b.Size() == 3000 {
			t.Errorf("%s: %d bytes are left", name, b.Size())
		}
		_, err = b.Write(all[b.Size():])
		must(t, err)
		must(t, b.Close())
		if got, err := read(t, s, "a.live"); err != nil || !bytes.Equal(got, all) {
			t.Errorf("%s: written on: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestMoved(t *testing.T) {
	s, _, dir := newStore(t)
	make3(t, s, "a.live")
	make3(t, s, "b.live")
	raw, err := os.ReadFile(filepath.Join(dir, "a.live"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "b.live"), raw, 0o600))
	if got, err := read(t, s, "b.live"); !errors.Is(err, blob.ErrChanged) {
		t.Errorf("another body's bytes: %d bytes, %v", len(got), err)
	}
	n := chunkLen + 1000
	swapped := append(append(bytes.Clone(raw[:headerLen]), raw[headerLen+n:headerLen+2*n]...), raw[headerLen:headerLen+n]...)
	must(t, os.WriteFile(filepath.Join(dir, "a.live"), swapped, 0o600))
	if got, err := read(t, s, "a.live"); !errors.Is(err, blob.ErrChanged) {
		t.Errorf("chunks in another order: %d bytes, %v", len(got), err)
	}
}

// What was there before encryption, and what is final, passes as it is.
func TestPlain(t *testing.T) {
	s, _, dir := newStore(t)
	inner := blob.NewFiles(dir)
	b, err := inner.Create(t.Context(), "old.live")
	must(t, err)
	_, err = b.Write([]byte("from before"))
	must(t, err)
	must(t, b.Close())
	g, err := s.Append(t.Context(), "old.live")
	must(t, err)
	_, err = g.Write([]byte(", and on"))
	must(t, err)
	must(t, g.Close())
	must(t, s.Put(t.Context(), "x.drs", func(w io.Writer) error { _, err := w.Write([]byte("final")); return err }))
	for key, want := range map[string]string{"old.live": "from before, and on", "x.drs": "final"} {
		if got, err := read(t, s, key); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
}

// Without the key nothing is read, and nothing is made.
func TestNoKey(t *testing.T) {
	s, _, dir := newStore(t)
	make3(t, s, "a.live")
	shut := New(blob.NewFiles(dir), func(context.Context, string, bool) (record.Key, error) { return record.Key{}, record.ErrEncrypted })
	if _, err := shut.Open(t.Context(), "a.live"); !errors.Is(err, record.ErrEncrypted) {
		t.Error(err)
	}
	if _, err := shut.Append(t.Context(), "a.live"); !errors.Is(err, record.ErrEncrypted) {
		t.Error(err)
	}
	if _, err := shut.Create(t.Context(), "b.live"); !errors.Is(err, record.ErrEncrypted) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "b.live")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a body without a key was made")
	}
}

func FuzzBody(f *testing.F) {
	dir := f.TempDir()
	s := New(blob.NewFiles(dir), func(context.Context, string, bool) (record.Key, error) { return record.Key{1}, nil })
	b, err := s.Create(f.Context(), "seed")
	if err != nil {
		f.Fatal(err)
	}
	b.Write([]byte("some text"))
	b.Close()
	raw, err := os.ReadFile(filepath.Join(dir, "seed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[headerLen:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, chunks []byte) {
		path := filepath.Join(dir, "body")
		must(t, os.WriteFile(path, append(bytes.Clone(raw[:headerLen]), chunks...), 0o600))
		if got, err := read(t, s, "body"); err == nil && len(got) > 0 {
			t.Errorf("%d bytes were made out of nothing: the key of a body is bound to its name", len(got))
		}
		g, err := s.Append(t.Context(), "body")
		if err != nil {
			return // not a body that can be gone on with
		}
		defer g.Close()
		if _, err := g.Write([]byte("on")); err != nil {
			t.Error(err)
		}
	})
}
