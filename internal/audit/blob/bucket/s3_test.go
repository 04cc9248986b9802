//go:build s3

package bucket

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/blobtest"
	"dragoman.dev/dragoman/internal/s3server"
)

// server starts a real S3 server. make test-store builds it.
func server(t *testing.T) *s3.Client {
	t.Helper()
	s, err := s3server.Start(filepath.Join("..", "..", "..", "..", ".tools"), t.TempDir())
	must(t, err)
	t.Cleanup(func() {
		if out := s.Stop(); t.Failed() {
			t.Log(out)
		}
	})
	return s.Client()
}

var buckets atomic.Int64

// bucketOf makes a bucket and opens it.
func bucketOf(t *testing.T, c *s3.Client, lock bool) (name string, open func() *gcblob.Bucket) {
	t.Helper()
	name = fmt.Sprintf("bucket-%d", buckets.Add(1))
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: &lock})
	must(t, err)
	return name, func() *gcblob.Bucket {
		b, err := s3blob.OpenBucket(context.Background(), c, name, nil)
		must(t, err)
		t.Cleanup(func() { b.Close() })
		return b
	}
}

func TestS3(t *testing.T) {
	c := server(t)
	blobtest.Run(t, func(t *testing.T) (blob.Store, func() blob.Store) {
		_, open := bucketOf(t, c, false)
		return New(open(), Options{}), func() blob.Store { return New(open(), Options{}) }
	})
}

// TestObjectLock: what is final stays, whoever asks; what grows does not.
func TestObjectLock(t *testing.T) {
	c := server(t)
	_, open := bucketOf(t, c, true)
	s := New(open(), Options{Final: Lock{For: time.Hour, Compliance: true, Now: time.Now}.ask})
	must(t, s.Put(t.Context(), "sessions/a.drs", func(w io.Writer) error { _, err := io.WriteString(w, "final"); return err }))
	if err := s.Delete(t.Context(), "sessions/a.drs"); err == nil {
		t.Error("a locked body was deleted")
	}
	r, err := s.Open(t.Context(), "sessions/a.drs")
	must(t, err)
	if r.Size() != 5 {
		t.Error(r.Size())
	}
	g, err := s.Create(t.Context(), "sessions/b.live")
	must(t, err)
	_, err = g.Write([]byte("growing"))
	must(t, err)
	must(t, g.Sync(t.Context()))
	must(t, g.Truncate(2))
	must(t, s.Delete(t.Context(), "sessions/b.live"))
}
