//go:build s3

package bucket

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/blobtest"
	"dragoman.dev/dragoman/internal/child"
)

// server starts versitygw, a real S3 server, over a folder. make test-store builds it.
func server(t *testing.T) *s3.Client {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"data", "iam"} {
		must(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	cmd := exec.Command(filepath.Join("..", "..", "..", "..", ".tools", "versitygw-v1.8.0"), "--port", addr, "--iam-dir", filepath.Join(dir, "iam"), "posix", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=access", "ROOT_SECRET_KEY=secret")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := child.Start(cmd, syscall.SIGKILL)
	must(t, err)
	t.Cleanup(func() {
		p.End(syscall.SIGTERM, 5*time.Second)
		if t.Failed() {
			t.Log(out.String())
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("versitygw does not answer")
		}
	}
	return s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://" + addr), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("access", "secret", "")})
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
