package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
)

func testOpen(id string) Open {
	return Open{
		Session:  policy.Session{ID: id, Started: time.Unix(1_700_000_000, 0).UTC(), Client: "127.0.0.1:999"},
		Target:   policy.Target{Name: "shop", Protocol: "postgres"},
		Identity: identity.New("user:alice@example.com", "agent:ci-bot"),
		Node:     "test", Decision: policy.Decision{Verdict: policy.Allow, Rule: "t"},
	}
}

func testSpool(t testing.TB, opt Options) *Spool {
	t.Helper()
	s, err := OpenSpool(t.TempDir(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func begin(t testing.TB, s *Spool, mode Mode, id string) *Writer {
	t.Helper()
	w, err := s.Begin(mode, testOpen(id))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// commit waits for a commit.
func commit(w *Writer) error {
	c := make(chan error, 1)
	w.Commit(func(err error) { c <- err })
	return <-c
}

func TestWriterLazyAndWhole(t *testing.T) {
	for _, mode := range []Mode{ModeWrite, ModeFsync} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			s := testSpool(t, Options{SegmentSize: 4 << 10})
			w := begin(t, s, mode, "ses_a")
			if _, err := os.Stat(filepath.Join(s.dir, "ses_a")); !errors.Is(err, os.ErrNotExist) {
				t.Fatal("segment made before the first flush")
			}
			for i := range 200 {
				must(t, w.AppendJSON(KindAction, uint64(i+1), map[string]string{"text": "select 1 < 2"}))
				must(t, w.Append(KindRequest, uint64(i+1), []byte("Q"), []byte("select 1")))
				must(t, commit(w))
			}
			must(t, w.Close(Close{Reason: "client", Actions: 200}))
			if err := w.Append(KindNote, 0); !errors.Is(err, ErrClosed) {
				t.Fatal(err)
			}
			segs, _ := filepath.Glob(filepath.Join(s.dir, "ses_a", "*.seg"))
			if len(segs) < 5 {
				t.Fatalf("%d segments", len(segs))
			}
			if tmp, _ := filepath.Glob(filepath.Join(s.dir, "ses_a", "*.tmp")); tmp != nil {
				t.Fatal(tmp)
			}
		})
	}
}

func TestCommitOrder(t *testing.T) {
	s := testSpool(t, Options{SegmentSize: 8 << 10})
	var wg sync.WaitGroup
	for n := range 16 {
		w := begin(t, s, ModeFsync, fmt.Sprintf("ses_%d", n))
		wg.Go(func() {
			var mu sync.Mutex
			var got []int
			var all sync.WaitGroup
			for i := range 100 {
				if err := w.Append(KindResponse, 1, bytes.Repeat([]byte{'x'}, 300)); err != nil {
					t.Error(err)
				}
				all.Add(1)
				w.Commit(func(err error) {
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					got = append(got, i)
					mu.Unlock()
					all.Done()
				})
			}
			all.Wait()
			for i, v := range got {
				if i != v {
					t.Errorf("commit %d came at place %d", v, i)
				}
			}
			if err := w.Close(Close{Reason: "client"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestBudget(t *testing.T) {
	s := testSpool(t, Options{MaxBytes: 20 << 10})
	w := begin(t, s, ModeWrite, "ses_a")
	must(t, w.Flush())
	var err error
	n := 0
	for ; n < 1000 && err == nil; n++ {
		must(t, w.Append(KindResponse, 1, make([]byte, 1000)))
		err = w.Flush()
	}
	if !errors.Is(err, ErrSpoolFull) || n < 10 || n > 20 {
		t.Fatal(n, err)
	}
	before := w.Frames()
	must(t, w.Append(KindResponse, 1, make([]byte, 1000)))
	if err := w.Flush(); !errors.Is(err, ErrSpoolFull) || w.Frames() != before {
		t.Fatal(err, w.Frames(), before)
	}
	must(t, w.Close(Close{Reason: "fault"})) // the end is always recorded
}

func TestBadIDs(t *testing.T) {
	s := testSpool(t, Options{})
	for _, id := range []string{"", "..", "a/b", "a.b", string(make([]byte, 65)), "ses a"} {
		if _, err := s.Begin(ModeWrite, testOpen(id)); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
	begin(t, s, ModeWrite, "ses_1")
	if _, err := s.Begin(ModeWrite, testOpen("ses_1")); err == nil {
		t.Error("same session twice")
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	s := testSpool(t, Options{SegmentSize: 1 << 40})
	w := begin(t, s, ModeWrite, "ses_a")
	head, body := []byte("Q\x00\x00\x00\x10"), make([]byte, 95)
	must(t, w.Flush())
	n := testing.AllocsPerRun(1000, func() {
		if w.Append(KindRequest, 1, head, body) != nil || w.Flush() != nil {
			t.Fatal("failed")
		}
	})
	if n > 0.05 {
		t.Fatalf("%v allocations for Append and Flush", n)
	}
}

func benchmarkAppend(b *testing.B, size int) {
	s := testSpool(b, Options{})
	w := begin(b, s, ModeWrite, "ses_a")
	body := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(KindRequest, 1, body); err != nil {
			b.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	w.Abandon()
}

func BenchmarkAppendFlush100(b *testing.B) { benchmarkAppend(b, 100) }
func BenchmarkAppendFlush8K(b *testing.B)  { benchmarkAppend(b, 8<<10) }
