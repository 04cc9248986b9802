package audit

import (
	"os"
	"path/filepath"
	"testing"

	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/bucket"
	"dragoman.dev/dragoman/internal/record/ship"
)

// newBucket is one of files, and its folder.
func newBucket(t *testing.T) (*bucket.Store, *gcblob.Bucket, string) {
	t.Helper()
	dir := t.TempDir()
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	must(t, err)
	t.Cleanup(func() { b.Close() })
	return bucket.New(b, bucket.Options{}), b, dir
}

// TestBodiesMoved: records of every kind are copied into a bucket, verify there, are found out when one is changed, and
// go on there.
func TestBodiesMoved(t *testing.T) {
	dir := t.TempDir()
	ring, _ := newRing(t)
	s := openWith(t, dir, ring)
	putSession(t, s, "ses_a", 5, true)
	putSession(t, s, "ses_b", 300, true)
	live := stream(t, "ses_live", 7, true)
	put := func(s *Store, at, to int) {
		t.Helper()
		acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_live", Offset: uint64(at), Data: live[at:to]}})
		if err != nil || acks[0].Diverged || acks[0].Retry || acks[0].Offset != uint64(to) {
			t.Fatal(acks, err)
		}
	}
	put(s, 0, len(live)/2)
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 2 })
	must(t, s.Close())
	to, raw, files := newBucket(t)
	from := blob.NewFiles(dir)
	move := func() (copied int) {
		for _, prefix := range []string{DataKeys, sessionsDir} {
			must(t, from.List(t.Context(), prefix, func(key string) error {
				done, err := blob.Copy(t.Context(), from, to, key, filepath.Ext(key) == liveExt)
				if done {
					copied++
				}
				return err
			}))
		}
		return copied
	}
	if first, again := move(), move(); first != 6 || again != 0 {
		t.Errorf("%d copied, then %d", first, again)
	}
	must(t, os.RemoveAll(filepath.Join(dir, "sessions")))
	must(t, os.RemoveAll(filepath.Join(dir, "datakeys")))
	check := func(ring Keyring) (sum Summary, bad []string) {
		sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub(), Keys: ring, Bodies: to}, func(r Result) {
			if !r.OK() {
				bad = append(bad, r.File)
			}
		})
		must(t, err)
		return sum, bad
	}
	if sum, bad := check(ring); !sum.OK() || sum.Records != 3 || sum.Live != 1 || sum.Unread != 0 {
		t.Errorf("%+v %v", sum, bad)
	}
	if sum, bad := check(nil); !sum.OK() || sum.Unread != 3 {
		t.Errorf("without keys: %+v %v", sum, bad)
	}

	s, err := Open(dir, Options{Key: testKey(), Keys: ring, Blobs: to})
	must(t, err)
	put(s, len(live)/2, len(live))
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 3 })
	must(t, s.Close())
	if sum, bad := check(ring); !sum.OK() || sum.Records != 3 || sum.Live != 0 {
		t.Errorf("after it went on: %+v %v", sum, bad)
	}

	var changed string
	must(t, filepath.WalkDir(files, func(path string, d os.DirEntry, err error) error {
		if filepath.Base(path) == "ses_b.drs" {
			b := readFile(t, path)
			b[len(b)/2] ^= 1
			writeFile(t, path, b)
			changed = path
		}
		return err
	}))
	if sum, bad := check(ring); changed == "" || sum.Bad != 1 || len(bad) != 1 || filepath.Base(bad[0]) != "ses_b.drs" {
		t.Errorf("a changed object: %+v %v", sum, bad)
	}
	key := ""
	must(t, to.List(t.Context(), sessionsDir, func(k string) error { key = k; return nil }))
	must(t, raw.Delete(t.Context(), key))
	if sum, _ := check(ring); sum.Bad < 2 {
		t.Errorf("a missing object: %+v", sum)
	}
}

// TestLostInBucket: the end that recovery makes reaches the bucket, by hand or because the node has nothing more.
func TestLostInBucket(t *testing.T) {
	dir := t.TempDir()
	to, _, _ := newBucket(t)
	s, err := Open(dir, Options{Key: testKey(), Blobs: to})
	must(t, err)
	putSession(t, s, "ses_hand", 3, false)
	putSession(t, s, "ses_node", 3, false)
	must(t, s.Lost(t.Context(), "ses_hand"))
	row, err := s.Get(t.Context(), "ses_node")
	must(t, err)
	acks, err := s.Append(t.Context(), "n1", []ship.Chunk{{Session: "ses_node", Offset: row.Stream, Ended: true}})
	if err != nil || acks[0].Diverged || acks[0].Retry {
		t.Fatal(acks, err)
	}
	eventually(t, "sealed", func() bool { return sealedCount(t, s) == 2 })
	must(t, s.Close())
	sum, err := Verify(t.Context(), dir, VerifyOptions{Key: testPub(), Bodies: to}, func(r Result) {
		if !r.OK() || !r.Report.Lost {
			t.Errorf("%+v", r)
		}
	})
	if err != nil || !sum.OK() || sum.Records != 2 {
		t.Error(sum, err)
	}
}
