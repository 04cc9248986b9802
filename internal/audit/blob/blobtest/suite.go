// Package blobtest is the conformance suite of blob.Store.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"

	"dragoman.dev/dragoman/internal/audit/blob"
)

// Run checks a store. open gives an empty one; again, the same as another process would open it.
func Run(t *testing.T, open func(t *testing.T) (s blob.Store, again func() blob.Store)) {
	for name, f := range map[string]func(*testing.T, blob.Store, func() blob.Store){
		"Grow": grow, "CreateOnce": createOnce, "Truncate": truncate, "Put": put, "PutFails": putFails, "ReadWhileGrowing": readWhileGrowing,
		"Delete": remove, "List": list, "Keys": keys, "Big": big,
	} {
		t.Run(name, func(t *testing.T) {
			s, again := open(t)
			f(t, s, again)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, b blob.Body, text string) {
	t.Helper()
	n, err := b.Write([]byte(text))
	if err != nil || n != len(text) {
		t.Fatal(n, err)
	}
}

func content(t *testing.T, s blob.Store, key string) string {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	must(t, err)
	return string(b)
}

func grow(t *testing.T, s blob.Store, again func() blob.Store) {
	ctx := t.Context()
	b, err := s.Create(ctx, "a/b.live")
	must(t, err)
	write(t, b, "one ")
	must(t, b.Sync(ctx))
	write(t, b, "two ")
	write(t, b, "three ")
	must(t, b.Sync(ctx))
	must(t, b.Sync(ctx))
	if b.Size() != 14 {
		t.Error(b.Size())
	}
	part := make([]byte, 6)
	if n, err := b.ReadAt(part, 4); err != nil || string(part[:n]) != "two th" {
		t.Errorf("%q %v", part[:n], err)
	}
	if n, err := b.ReadAt(part, 12); err != io.EOF || string(part[:n]) != "e " {
		t.Errorf("%q %v", part[:n], err)
	}
	must(t, b.Close())
	s = again()
	if got := content(t, s, "a/b.live"); got != "one two three " {
		t.Errorf("%q", got)
	}
	b, err = s.Append(ctx, "a/b.live")
	must(t, err)
	if b.Size() != 14 {
		t.Error(b.Size())
	}
	write(t, b, "four")
	must(t, b.Sync(ctx))
	must(t, b.Close())
	if got := content(t, again(), "a/b.live"); got != "one two three four" {
		t.Errorf("%q", got)
	}
}

func createOnce(t *testing.T, s blob.Store, again func() blob.Store) {
	b, err := s.Create(t.Context(), "k")
	must(t, err)
	write(t, b, "x")
	must(t, b.Sync(t.Context()))
	must(t, b.Close())
	if _, err := again().Create(t.Context(), "k"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("twice: %v", err)
	}
	if _, err := s.Append(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("append: %v", err)
	}
	if _, err := s.Open(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if _, err := s.Open(t.Context(), "non/e"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
}

func truncate(t *testing.T, s blob.Store, again func() blob.Store) {
	b, err := s.Create(t.Context(), "k")
	must(t, err)
	want := ""
	for i := range 5 {
		write(t, b, fmt.Sprintf("part%d", i))
		want += fmt.Sprintf("part%d", i)
		if i != 3 {
			must(t, b.Sync(t.Context()))
		}
	}
	if err := b.Truncate(int64(len(want)) + 1); err == nil {
		t.Error("truncated to more than there is")
	}
	for _, n := range []int{24, 20, 13, 13, 5, 0} {
		must(t, b.Truncate(int64(n)))
		want = want[:n]
		write(t, b, "+")
		want += "+"
		must(t, b.Sync(t.Context()))
		if got := content(t, again(), "k"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	must(t, b.Close())
	b, err = again().Append(t.Context(), "k")
	must(t, err)
	if b.Size() != int64(len(want)) {
		t.Error(b.Size())
	}
	must(t, b.Close())
}

func put(t *testing.T, s blob.Store, again func() blob.Store) {
	for _, text := range []string{"first", "and the second is longer", ""} {
		must(t, s.Put(t.Context(), "d/e/f.drs", func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}))
		if got := content(t, again(), "d/e/f.drs"); got != text {
			t.Errorf("%q", got)
		}
	}
}

func putFails(t *testing.T, s blob.Store, again func() blob.Store) {
	broken := errors.New("broken")
	err := s.Put(t.Context(), "k", func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := again().Open(t.Context(), "k"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there: %v", err)
	}
	must(t, s.List(t.Context(), "", func(key string) error { return fmt.Errorf("left behind: %s", key) }))
}

func readWhileGrowing(t *testing.T, s blob.Store, _ func() blob.Store) {
	b, err := s.Create(t.Context(), "k")
	must(t, err)
	defer b.Close()
	write(t, b, "12345")
	must(t, b.Sync(t.Context()))
	r, err := s.Open(t.Context(), "k")
	must(t, err)
	defer r.Close()
	write(t, b, "67890")
	must(t, b.Sync(t.Context()))
	got := make([]byte, 10)
	if n, err := r.ReadAt(got, 0); n != 10 || (err != nil && err != io.EOF) || string(got) != "1234567890" {
		t.Errorf("%q %v", got[:n], err)
	}
}

func remove(t *testing.T, s blob.Store, again func() blob.Store) {
	b, err := s.Create(t.Context(), "k")
	must(t, err)
	write(t, b, "x")
	must(t, b.Sync(t.Context()))
	must(t, b.Close())
	must(t, s.Put(t.Context(), "l", func(w io.Writer) error { _, err := w.Write([]byte("y")); return err }))
	for _, key := range []string{"k", "l", "k", "none"} {
		must(t, again().Delete(t.Context(), key))
	}
	for _, key := range []string{"k", "l"} {
		if _, err := s.Open(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", key, err)
		}
	}
	b, err = s.Create(t.Context(), "k") // the name is free again
	must(t, err)
	must(t, b.Close())
}

func list(t *testing.T, s blob.Store, again func() blob.Store) {
	all := []string{"other/x.drs", "sessions/2026/01/01/a.drs", "sessions/2026/01/01/b.live", "sessions/2026/02/01/c.drs"}
	for _, key := range all {
		if key[len(key)-1] == 's' {
			must(t, s.Put(t.Context(), key, func(w io.Writer) error { _, err := w.Write([]byte("y")); return err }))
			continue
		}
		b, err := s.Create(t.Context(), key)
		must(t, err)
		for range 3 { // however it is kept, it is one
			write(t, b, "x")
			must(t, b.Sync(t.Context()))
		}
		must(t, b.Close())
	}
	for prefix, want := range map[string][]string{"": all, "sessions/": all[1:], "sessions/2026/01/": all[1:3], "sessions/2026/01/01/b": all[2:3], "none/": nil} {
		var got []string
		must(t, again().List(t.Context(), prefix, func(key string) error { got = append(got, key); return nil }))
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v", prefix, got)
		}
	}
	stop := errors.New("stop")
	if err := s.List(t.Context(), "", func(string) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.List(ctx, "", func(string) error { return nil }); err == nil {
		t.Error("listed after the context ended")
	}
}

func keys(t *testing.T, s blob.Store, _ func() blob.Store) {
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a\x00", "a b", `a\b`, string(bytes.Repeat([]byte("a"), 600))} {
		if _, err := s.Create(t.Context(), key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("create %q: %v", key, err)
		}
		if _, err := s.Open(t.Context(), key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("open %q: %v", key, err)
		}
		if err := s.Put(t.Context(), key, func(io.Writer) error { return nil }); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("put %q: %v", key, err)
		}
		if err := s.Delete(t.Context(), key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("delete %q: %v", key, err)
		}
	}
}

// big: ranges over many pieces.
func big(t *testing.T, s blob.Store, again func() blob.Store) {
	b, err := s.Create(t.Context(), "k")
	must(t, err)
	var all []byte
	for i := range 9 {
		p := bytes.Repeat([]byte{byte('a' + i)}, 100_000+i)
		_, err := b.Write(p)
		must(t, err)
		all = append(all, p...)
		must(t, b.Sync(t.Context()))
	}
	must(t, b.Close())
	r, err := again().Open(t.Context(), "k")
	must(t, err)
	defer r.Close()
	if r.Size() != int64(len(all)) {
		t.Fatal(r.Size(), len(all))
	}
	for _, at := range []struct{ off, n int }{{0, len(all)}, {99_999, 2}, {100_000, 300_000}, {len(all) - 5, 5}, {450_000, 1}} {
		got := make([]byte, at.n)
		if n, err := r.ReadAt(got, int64(at.off)); n != at.n || (err != nil && err != io.EOF) || !bytes.Equal(got, all[at.off:at.off+at.n]) {
			t.Errorf("%+v: %d bytes, %v", at, n, err)
		}
	}
}
