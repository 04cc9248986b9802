// Package s3server runs versitygw, a real S3 server, over a folder, for tests. `make test-store` builds it.
package s3server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dragoman.dev/dragoman/internal/child"
)

// Version of versitygw, as the Makefile builds it.
const Version = "v1.8.0"

// Who may do everything.
const (
	AccessKey = "access"
	SecretKey = "secret"
	Region    = "us-east-1"
)

// Server is one that runs on loopback. Stop it.
type Server struct {
	Addr    string
	process *child.Child
	out     *strings.Builder
}

// Start runs the server of a tools folder over an empty folder, and waits until it answers.
func Start(tools, dir string) (*Server, error) {
	for _, sub := range []string{"data", "iam"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: l.Addr().String(), out: &strings.Builder{}}
	if err := l.Close(); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(tools, "versitygw-"+Version), "--port", s.Addr, "--iam-dir", filepath.Join(dir, "iam"), "posix", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if s.process, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		return nil, err
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", s.Addr); err == nil {
			return s, c.Close()
		}
		if time.Now().After(end) {
			s.Stop()
			return nil, errors.New("s3server: it does not answer:\n" + s.out.String())
		}
	}
}

// Stop ends it, and returns what it printed.
func (s *Server) Stop() string {
	s.process.End(syscall.SIGTERM, 5*time.Second)
	return s.out.String()
}

// Client is one of an administrator.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{Region: Region, BaseEndpoint: aws.String("http://" + s.Addr), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, "")})
}

// Bucket makes one, and gives its URL for gocloud.dev/blob; keys are taken from the environment (Env).
func (s *Server) Bucket(ctx context.Context, name string, lock bool) (string, error) {
	_, err := s.Client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: &lock})
	return fmt.Sprintf("s3://%s?%s", name, url.Values{"region": {Region}, "endpoint": {"http://" + s.Addr}, "use_path_style": {"true"}}.Encode()), err
}

// Env is what a client needs in its environment.
func Env() map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey}
}
