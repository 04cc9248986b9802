package audit

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/envelope"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

func newRing(t testing.TB, old ...string) (ring *envelope.Keyring, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "kek")
	ring, err := envelope.OpenOrCreate(t.Context(), "file:"+path, old...)
	must(t, err)
	t.Cleanup(func() { ring.Close() })
	return ring, path
}

func openWith(t testing.TB, dir string, ring Keyring) *Store {
	t.Helper()
	s, err := Open(dir, Options{Key: testKey(), Keys: ring})
	must(t, err)
	return s
}

func verified(t testing.TB, dir string, ring Keyring) (Summary, []string) {
	t.Helper()
	bad := []string{}
	sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub(), Keys: ring}, func(r Result) {
		if !r.OK() {
			bad = append(bad, r.File+": "+r.Problem)
		}
	})
	must(t, err)
	return sum, bad
}

// bodies lists the files of records.
func bodyFiles(t testing.TB, dir string) (all []string) {
	t.Helper()
	must(t, files(dir, func(path, _, _ string) error { all = append(all, path); return nil }))
	return all
}

func TestEncrypted(t *testing.T) {
	dir := t.TempDir()
	ring, _ := newRing(t)
	s := openWith(t, dir, ring)
	putSession(t, s, "ses_a", 5, true)
	whole := stream(t, "ses_live", 7, true)
	live := func(s *Store, to int) {
		t.Helper()
		acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_live", Data: whole[:to]}})
		if err != nil || acks[0].Diverged || acks[0].Retry {
			t.Fatal(acks, err)
		}
	}
	live(s, len(whole)/2)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	for _, id := range []string{"ses_a", "ses_live"} {
		if n := countFrames(t, s, id); n == 0 {
			t.Errorf("%s: no frames are read", id)
		}
	}
	must(t, s.Close())
	for _, path := range bodyFiles(t, dir) {
		if b := readFile(t, path); bytes.Contains(b, []byte("SELECT")) || bytes.Contains(b, []byte("alice@example.com")) {
			t.Errorf("%s can be read", path)
		}
	}
	if sum, bad := verified(t, dir, nil); !sum.OK() || sum.Unread != 2 || len(bad) > 0 {
		t.Errorf("without keys: %+v %v", sum, bad)
	}
	if sum, bad := verified(t, dir, ring); !sum.OK() || sum.Unread != 0 || sum.Records != 2 || len(bad) > 0 {
		t.Errorf("with keys: %+v %v", sum, bad)
	}
	// Opened again, it goes on, and the index can be made anew.
	s = openWith(t, dir, ring)
	must(t, s.Reindex(t.Context()))
	live(s, len(whole)-1)
	must(t, s.Close())
	if _, err := Open(dir, Options{Key: testKey()}); !errors.Is(err, record.ErrEncrypted) {
		t.Errorf("opened without keys while a session runs: %v", err)
	}
}

func countFrames(t testing.TB, s *Store, id string) (n int) {
	t.Helper()
	r, err := s.Frames(t.Context(), id)
	must(t, err)
	defer r.Close()
	for {
		if _, err := r.Next(); err != nil {
			return n
		}
		n++
	}
}

// What was recorded before encryption was turned on is read and verified as before.
func TestEncryptionTurnedOn(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	putSession(t, s, "ses_old", 5, true)
	putSession(t, s, "ses_between", 6, false)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	must(t, s.Close())
	ring, _ := newRing(t)
	s = openWith(t, dir, ring)
	must(t, s.Lost(t.Context(), "ses_between"))
	putSession(t, s, "ses_new", 5, true)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 3 })
	for _, id := range []string{"ses_old", "ses_between", "ses_new"} {
		if countFrames(t, s, id) == 0 {
			t.Errorf("%s: nothing is read", id)
		}
	}
	must(t, s.Close())
	if sum, bad := verified(t, dir, nil); !sum.OK() || sum.Unread != 2 {
		t.Errorf("%+v %v", sum, bad)
	}
}

// Every change of an encrypted body is found, with the keys and without them: of sealed ones always, of
// running ones with the keys.
func TestEncryptedMutations(t *testing.T) {
	dir := t.TempDir()
	ring, _ := newRing(t)
	s := openWith(t, dir, ring)
	putSession(t, s, "ses_a", 40, true)
	putSession(t, s, "ses_b", 12, true)
	putSession(t, s, "ses_run", 20, false)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 2 })
	must(t, s.Close())
	if _, bad := verified(t, dir, ring); len(bad) > 0 {
		t.Fatal(bad)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	paths := bodyFiles(t, dir)
	for i := range 120 {
		path := paths[i%len(paths)]
		good := readFile(t, path)
		bad := bytes.Clone(good)
		switch i % 3 {
		case 0:
			bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(8)
		case 1:
			bad = bad[:rnd.IntN(len(bad))]
		default:
			at := rnd.IntN(len(bad))
			bad = append(bad[:at:at], bad[min(len(bad), at+1+rnd.IntN(40)):]...)
		}
		writeFile(t, path, bad)
		rings := []Keyring{ring}
		if filepath.Ext(path) == record.SealedExt {
			rings = append(rings, nil)
		}
		for _, r := range rings {
			if _, found := verified(t, dir, r); len(found) == 0 {
				t.Errorf("change %d of %s was not found (with keys: %v)", i, filepath.Base(path), r != nil)
			}
		}
		writeFile(t, path, good)
	}
	// One session's key in another's place.
	keys, err := filepath.Glob(filepath.Join(dir, "datakeys/*/*/*/*"+keyExt))
	must(t, err)
	good := readFile(t, keys[0])
	writeFile(t, keys[0], readFile(t, keys[1]))
	if _, found := verified(t, dir, ring); len(found) != 1 {
		t.Errorf("exchanged keys: %v", found)
	}
	writeFile(t, keys[0], good)
	if _, found := verified(t, dir, ring); len(found) > 0 {
		t.Errorf("as it was: %v", found)
	}
}

func TestDelete(t *testing.T) {
	dir := t.TempDir()
	ring, _ := newRing(t)
	s := openWith(t, dir, ring)
	again := []ship.Chunk{{Session: "ses_a", Data: stream(t, "ses_a", 5, true)}} // made once: the times in it differ
	acks, err := s.Append(t.Context(), "n1", again)
	if err != nil || acks[0].Diverged || acks[0].Retry {
		t.Fatal(acks, err)
	}
	putSession(t, s, "ses_b", 5, true)
	putSession(t, s, "ses_c", 5, true)
	putSession(t, s, "ses_run", 5, false)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 3 })
	copied := t.TempDir() // a backup of the bodies, without the keys
	must(t, os.CopyFS(filepath.Join(copied, "sessions"), os.DirFS(filepath.Join(dir, "sessions"))))
	err = s.Delete(t.Context(), Retention, "ses_a", "ses_run", "ses_none", "ses_b")
	if !errors.Is(err, ErrLive) || !errors.Is(err, ErrNotFound) {
		t.Errorf("a running and an unknown session: %v", err)
	}
	for _, id := range []string{"ses_a", "ses_b"} {
		if _, err := s.Get(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
		p, err := s.Proof(t.Context(), id)
		if d, derr := ParseDeletion(p.Entry); err != nil || derr != nil || d.Session != id || d.Reason != Retention {
			t.Errorf("%s: %+v %v %v", id, d, err, derr)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*/*/*/*/ses_[ab].*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	// A node that was away sends one again: it is told that all is here, and nothing is kept.
	acks, err = s.Append(t.Context(), "n1", again)
	if err != nil || acks[0].Diverged || acks[0].Retry || acks[0].Offset == 0 {
		t.Errorf("%+v %v", acks, err)
	}
	must(t, s.Reindex(t.Context()))
	must(t, s.Close())
	for _, r := range []Keyring{nil, ring} {
		if sum, bad := verified(t, dir, r); !sum.OK() || sum.Deleted != 2 || sum.Records != 2 {
			t.Errorf("%+v %v", sum, bad)
		}
	}
	// The backup's bodies prove themselves, and are not readable by anybody any more.
	must(t, os.CopyFS(filepath.Join(copied, "log"), os.DirFS(filepath.Join(dir, "log"))))
	must(t, os.CopyFS(filepath.Join(copied, "datakeys"), os.DirFS(filepath.Join(dir, "datakeys"))))
	if sum, bad := verified(t, copied, ring); !sum.OK() || sum.Unread != 2 || sum.Deleted != 0 {
		t.Errorf("the backup: %+v %v", sum, bad)
	}
	_, err = NewArchive(blob.NewFiles(copied), ring).Open(t.Context(), strings.TrimPrefix(bodyFiles(t, copied)[0], copied+"/"))
	if !errors.Is(err, record.ErrEncrypted) {
		t.Errorf("a deleted record was read from a backup: %v", err)
	}
}

// The data key goes, too, when encryption was turned off after the record was made.
func TestDeleteAfterEncryption(t *testing.T) {
	dir := t.TempDir()
	ring, _ := newRing(t)
	s := openWith(t, dir, ring)
	putSession(t, s, "ses_a", 5, true)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	must(t, s.Close())
	s = openStore(t, dir)
	must(t, s.Delete(t.Context(), Requested, "ses_a"))
	must(t, s.Close())
	if left, _ := filepath.Glob(filepath.Join(dir, "*/*/*/*/ses_a.*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A record that goes without an entry that says so is missing, with the key or without.
func TestDestroyedSilently(t *testing.T) {
	dir := t.TempDir()
	ring, _ := newRing(t)
	s := openWith(t, dir, ring)
	putSession(t, s, "ses_a", 5, true)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	must(t, s.Close())
	must(t, os.Remove(bodyFiles(t, dir)[0]))
	if sum, bad := verified(t, dir, ring); sum.OK() || len(bad) != 1 {
		t.Errorf("%+v %v", sum, bad)
	}
}

// failing deletes nothing for a while.
type failing struct {
	blob.Store
	broken atomic.Bool
}

func (f *failing) Delete(ctx context.Context, key string) error {
	if f.broken.Load() && filepath.Ext(key) == record.SealedExt {
		return fs.ErrPermission
	}
	return f.Store.Delete(ctx, key)
}

func TestDeleteGoesOn(t *testing.T) {
	dir := t.TempDir()
	ring, _ := newRing(t)
	f := &failing{Store: blob.NewFiles(dir)}
	s, err := Open(dir, Options{Key: testKey(), Keys: ring, Blobs: f})
	must(t, err)
	putSession(t, s, "ses_a", 5, true)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 1 })
	f.broken.Store(true)
	if err := s.Delete(t.Context(), Requested, "ses_a"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
	if _, err := s.Frames(t.Context(), "ses_a"); !errors.Is(err, record.ErrEncrypted) {
		t.Errorf("its key is there still: %v", err)
	}
	f.broken.Store(false)
	must(t, s.Delete(t.Context(), Requested, "ses_a"))
	must(t, s.Close())
	sum, bad := verified(t, dir, ring)
	if !sum.OK() || sum.Deleted != 1 || sum.Size != 2 {
		t.Errorf("%+v %v", sum, bad)
	}
}

func TestRetain(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	s, err := Open(dir, Options{Key: testKey(), Now: func() time.Time { return now }})
	must(t, err)
	defer s.Close()
	putSession(t, s, "ses_a", 3, true)
	putSession(t, s, "ses_b", 3, true)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 2 })
	now = now.Add(time.Hour)
	for name, r := range map[string]Retain{"held": {For: time.Minute, Hold: true}, "for ever": {}, "longer": {For: 2 * time.Hour}} {
		r.Target = "shop"
		if n, err := s.Expire(t.Context(), r); n != 0 || err != nil {
			t.Errorf("%s: %d deleted, %v", name, n, err)
		}
	}
	if n, err := s.Expire(t.Context(), Retain{Target: "other", For: time.Minute}); n != 0 || err != nil {
		t.Errorf("another target's: %d deleted, %v", n, err)
	}
	if n, err := s.Expire(t.Context(), Retain{Target: "shop", For: time.Minute}); n != 2 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
}

func TestRewrap(t *testing.T) {
	dir := t.TempDir()
	first, path := newRing(t)
	s := openWith(t, dir, first)
	putSession(t, s, "ses_a", 3, true)
	putSession(t, s, "ses_b", 3, true)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 2 })
	must(t, s.Close())
	both, second := newRing(t, "file:"+path)
	for want := 2; want >= 0; want -= 2 {
		n := 0
		must(t, Rewrap(t.Context(), blob.NewFiles(dir), both, func(changed bool) {
			if changed {
				n++
			}
		}))
		if n != want {
			t.Errorf("%d keys changed, want %d", n, want)
		}
	}
	alone, err := envelope.Open(t.Context(), "file:"+second)
	must(t, err)
	defer alone.Close()
	if sum, bad := verified(t, dir, alone); !sum.OK() || sum.Unread != 0 {
		t.Errorf("%+v %v", sum, bad)
	}
	if _, bad := verified(t, dir, first); len(bad) != 2 {
		t.Errorf("with the old key-encryption key: %v", bad)
	}
}
