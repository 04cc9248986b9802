package audit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

func TestLeafEncoding(t *testing.T) {
	l := Leaf{State: LeafClosed, Session: "ses_a", Frames: 3, Bytes: 400, Hash: [32]byte{1}, FileHash: [32]byte{2}, Time: time.Unix(0, 5).UTC()}
	for _, state := range []LeafState{LeafClosed, LeafLost, LeafRunning} {
		if l.State = state; state == LeafRunning {
			l.FileHash = [32]byte{}
		}
		if got, err := ParseLeaf(l.Encode()); err != nil || got != l {
			t.Errorf("%+v %v", got, err)
		}
	}
	b := string(l.Encode())
	for _, bad := range []string{"", b[1:], b + "\n", b[:len(b)-1], leafMagic + "\nopen\nses_a\n1\n1\n-\n-\n1\n"} {
		if _, err := ParseLeaf([]byte(bad)); err == nil {
			t.Errorf("%q is a leaf", bad)
		}
	}
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(Leaf{State: LeafLost, Session: "ses_a", Frames: 3, Time: time.Unix(0, 5)}.Encode())
	f.Add(Leaf{State: LeafRunning, Session: "ses_a", Frames: 3, Time: time.Unix(0, 5)}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseLeaf(b); err == nil && string(l.Encode()) != string(b) {
			t.Errorf("%q", b)
		}
	})
}

// TestRunningSessionsAreLogged: while they run, when they went on; and proofs of what is logged.
func TestRunningSessionsAreLogged(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Key: testKey(), Running: 100 * time.Millisecond})
	must(t, err)
	all := stream(t, "ses_r", 40, true)
	if _, err := s.Proof(t.Context(), "ses_r"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	first, err := s.Checkpoint()
	must(t, err)
	proven := uint64(0)
	for off := 0; off < len(all); off += len(all)/3 + 1 {
		end := min(off+len(all)/3+1, len(all))
		_, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_r", Offset: uint64(off), Data: all[off:end]}})
		must(t, err)
		eventually(t, "logged", func() bool {
			p, err := s.Proof(t.Context(), "ses_r")
			if err != nil {
				return false
			}
			must(t, p.Verify(testPub()))
			l, err := ParseLeaf(p.Entry)
			must(t, err)
			if l.Frames <= proven {
				return false
			}
			proven = l.Frames
			return l.Final() == (end == len(all))
		})
	}
	time.Sleep(250 * time.Millisecond) // nothing new, nothing logged
	c, err := s.Consistency(t.Context(), 0)
	must(t, err)
	must(t, c.Verify(first, testPub()))
	sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub(), Checkpoint: first}, func(Result) {})
	if err != nil || !sum.OK() || sum.Size > 5 {
		t.Fatalf("%+v %v", sum, err)
	}
	must(t, s.Close())
}

// TestVerifyWhileRecordsArrive: a verification of files that change gives no false alarm.
func TestVerifyWhileRecordsArrive(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Key: testKey(), Running: 150 * time.Millisecond})
	must(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	var wg sync.WaitGroup
	streams := make([][]byte, 30)
	for i := range streams {
		streams[i] = stream(t, fmt.Sprintf("ses_%02d", i), 8, true)
	}
	wg.Go(func() {
		for i, all := range streams {
			for off := 0; off < len(all); off += 4000 {
				_, err := s.Append(context.Background(), "n1", []ship.Chunk{{Session: fmt.Sprintf("ses_%02d", i), Offset: uint64(off), Data: all[off:min(off+4000, len(all))]}})
				if err != nil {
					t.Error(err)
				}
				time.Sleep(15 * time.Millisecond)
			}
		}
	})
	runs := 0
	for ; ctx.Err() == nil; runs++ {
		sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub()}, func(r Result) {
			if !r.OK() {
				t.Errorf("false alarm: %+v", r)
			}
		})
		if err != nil || len(sum.Log) > 0 {
			t.Fatalf("false alarm: %+v %v", sum, err)
		}
	}
	wg.Wait()
	eventually(t, "all sealed", func() bool { return sealedCount(t, s) == len(streams) })
	must(t, s.Close())
	t.Log(runs, "verifications")
}

// TestSealedAgain: a crash between log and index makes no second entry, one between file and log none too few.
func TestSealedAgain(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	putSession(t, s, "ses_a", 3, true)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	r, err := s.Get(t.Context(), "ses_a")
	must(t, err)
	must(t, s.Close())
	// As it was before the index and the live file were changed.
	fs := readRaw(t, filepath.Join(dir, r.File))
	writeFile(t, filepath.Join(dir, strings.TrimSuffix(r.File, record.SealedExt)+liveExt), append(record.StreamHeader("ses_a"), chain("ses_a", fs)...))
	db, err := sqlitedb.Open(filepath.Join(dir, "index.db"))
	must(t, err)
	_, err = db.Exec("DELETE FROM leaves; DELETE FROM sessions")
	must(t, err)
	must(t, db.Close())
	s = openStore(t, dir)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 && s.liveSession("ses_a") == nil })
	must(t, s.Close())
	sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub()}, func(Result) {})
	if err != nil || !sum.OK() || sum.Size != 1 {
		t.Fatalf("%+v %v", sum, err)
	}
}
