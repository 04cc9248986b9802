// Package s3server runs versitygw, a real S3 server, over a folder, for tests. `make test-store` builds it.
package s3server

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
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
	log     string
}

// Start runs the server of a tools folder over an empty folder, and waits until it answers.
func Start(tools, dir string) (*Server, error) {
	for _, sub := range []string{"data", "iam"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	port, err := localserver.FreePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: fmt.Sprintf("127.0.0.1:%d", port), log: filepath.Join(dir, "log")}
	cmd := exec.Command(filepath.Join(tools, "versitygw-"+Version), "--port", s.Addr, "--iam-dir", filepath.Join(dir, "iam"), "posix", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	s.process, err = localserver.Start(context.Background(), cmd, s.log, syscall.SIGKILL, localserver.Answers(s.Addr))
	return s, err
}

// Stop ends it, and returns what it printed.
func (s *Server) Stop() string {
	s.process.End(syscall.SIGTERM, 5*time.Second)
	b, _ := os.ReadFile(s.log)
	return string(b)
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
