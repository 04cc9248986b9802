package bucket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"

	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/blobtest"
)

// open opens a bucket of files.
func open(t testing.TB, dir string) *gcblob.Bucket {
	t.Helper()
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestFiles(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) (blob.Store, func() blob.Store) {
		dir := t.TempDir()
		return New(open(t, dir), Options{}), func() blob.Store { return New(open(t, dir), Options{}) }
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func whole(t *testing.T, s *Store) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), "k")
	must(t, err)
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	must(t, err)
	return b
}

func objects(t *testing.T, b *gcblob.Bucket) (names []string) {
	t.Helper()
	for list := b.List(nil); ; {
		o, err := list.Next(t.Context())
		if err == io.EOF {
			return names
		}
		must(t, err)
		names = append(names, o.Key)
	}
}

// Small parts are joined, and who reads meanwhile does not notice.
func TestJoin(t *testing.T) {
	b := open(t, t.TempDir())
	s := New(b, Options{})
	g, err := s.Create(t.Context(), "k")
	must(t, err)
	var want []byte
	var r blob.Reader
	for i := range 3*joinAt + 5 {
		text := bytes.Repeat([]byte{byte(i)}, maxTail-50+i)
		_, err := g.Write(text)
		must(t, err)
		must(t, g.Sync(t.Context()))
		if want = append(want, text...); r == nil {
			r, err = s.Open(t.Context(), "k")
			must(t, err)
		}
		got := make([]byte, len(want))
		if n, err := r.ReadAt(got, 0); n != len(want) || err != nil && err != io.EOF || !bytes.Equal(got, want) {
			t.Fatalf("%d: %d of %d bytes, %v", i, n, len(want), err)
		}
	}
	if n := len(objects(t, b)); n > joinAt+2 {
		t.Errorf("%d objects", n)
	}
	if got := whole(t, s); !bytes.Equal(got, want) {
		t.Error("read anew, it is different")
	}
	must(t, s.Delete(t.Context(), "k"))
	if left := objects(t, b); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestModel: after anything, a body is what a slice of bytes would be; opened again, what was synced of it.
func TestModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 60 {
		b := open(t, t.TempDir())
		s := New(b, Options{})
		g, err := s.Create(t.Context(), "k")
		must(t, err)
		var all []byte
		for range rnd.IntN(120) {
			switch rnd.IntN(8) {
			case 0:
				all = all[:rnd.IntN(len(all)+1)]
				must(t, g.Truncate(int64(len(all))))
			case 1:
				must(t, g.Sync(t.Context()))
				g, err = New(b, Options{}).Append(t.Context(), "k")
				must(t, err)
			case 2, 3:
				must(t, g.Sync(t.Context()))
				if got := whole(t, s); !bytes.Equal(got, all) {
					t.Fatalf("round %d: synced, and %d bytes are read of %d", round, len(got), len(all))
				}
			default:
				text := bytes.Repeat([]byte{byte(rnd.IntN(250))}, 1+rnd.IntN([]int{40, maxTail / 2, maxTail, 2 * maxTail}[rnd.IntN(4)]))
				_, err := g.Write(text)
				must(t, err)
				all = append(all, text...)
			}
			got := make([]byte, len(all))
			if n, err := g.ReadAt(got, 0); n != len(all) || err != nil && err != io.EOF || !bytes.Equal(got, all) || g.Size() != int64(len(all)) {
				t.Fatalf("round %d: %d of %d bytes, %v", round, n, len(all), err)
			}
		}
	}
}

// Stale parts never come back.
func TestStale(t *testing.T) {
	b := open(t, t.TempDir())
	s := New(b, Options{})
	g, err := s.Create(t.Context(), "k")
	must(t, err)
	for _, text := range []string{"0123456789", "abcdefghij", "ABCDEFGHIJ"} {
		_, err := g.Write([]byte(text))
		must(t, err)
		must(t, g.Sync(t.Context()))
		g, err = s.Append(t.Context(), "k") // which writes parts of its own
		must(t, err)
	}
	// As a Truncate to 15 that was stopped before it removed the last part.
	must(t, s.put(t.Context(), part{start: 10}.name("k"), []byte("abcde")))
	if got := whole(t, s); string(got) != "0123456789abcde" {
		t.Errorf("%q", got)
	}
	n, err := s.Append(t.Context(), "k")
	must(t, err)
	_, err = n.Write([]byte("fresh")) // as long as what was there: the old part at 20 would follow
	must(t, err)
	must(t, n.Sync(t.Context()))
	if got := whole(t, s); string(got) != "0123456789abcdefresh" {
		t.Errorf("%q", got)
	}
}

// One session's small pieces are one part, and when writing it fails, whether anything of it is there or not, nothing is lost.
func TestTail(t *testing.T) {
	b := open(t, t.TempDir())
	s := New(b, Options{})
	g, err := s.Create(t.Context(), "k")
	must(t, err)
	var want []byte
	write := func(n int) {
		t.Helper()
		text := bytes.Repeat([]byte{byte(len(want))}, n)
		_, err := g.Write(text)
		must(t, err)
		want = append(want, text...)
	}
	for range 50 {
		write(30)
		must(t, g.Sync(t.Context()))
	}
	if n := objects(t, b); len(n) != 2 {
		t.Errorf("objects: %v", n)
	}
	write(1000)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Sync(gone); err == nil {
		t.Fatal("it was written without a context")
	}
	must(t, s.put(t.Context(), part{}.name("k"), want)) // as if all of it had come there
	write(maxTail)
	must(t, g.Sync(t.Context()))
	write(10)
	must(t, g.Sync(t.Context()))
	if got := whole(t, s); !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d", len(got), len(want))
	}
}

func TestErrors(t *testing.T) {
	s := New(open(t, t.TempDir()), Options{})
	if _, err := s.Open(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := s.b.Attributes(t.Context(), "none"); gcerrors.Code(err) != gcerrors.NotFound {
		t.Error(err)
	}
}
