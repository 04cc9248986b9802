package main

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/envoy/envoytest"
	"dragoman.dev/dragoman/internal/localserver"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/testca"
)

// rig is a folder with a config, and `dragoman up` on it.
type rig struct {
	t      *testing.T
	dir    string
	config string
	db     *pgserver.Server
	log    *output
	stop   func() int // ends up and returns its exit code
}

// output is what a command prints; several goroutines write it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// newRig writes a config: DB in it becomes the address of a real PostgreSQL.
func newRig(t *testing.T, yaml string, files map[string]string) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "dgm-") // short, for unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{t: t, dir: dir, config: filepath.Join(dir, "dragoman.yaml"), log: &output{}}
	if strings.Contains(yaml, "DB") {
		home, err := pgserver.Ensure(t.Context(), envoytest.Tools(), pgserver.Newest)
		if err != nil {
			t.Fatal(err)
		}
		if r.db, err = pgserver.Start(t.Context(), pgserver.Options{Home: home}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.db.Stop() })
		yaml = strings.ReplaceAll(yaml, "DB", r.db.Addr())
	}
	r.write("dragoman.yaml", fmt.Sprintf("data: data\nenvoy:\n  binary: %s\n  module: %s\n  concurrency: 1\n  drain_time: 200ms\n%s",
		envoytest.Binary(t), filepath.Dir(envoytest.Module(t, "")), yaml))
	for name, text := range files {
		r.write(name, text)
	}
	return r
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		r.t.Fatal(err)
	}
}

// up runs `dragoman up` in this process and waits for "ready".
func (r *rig) up() *rig {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"up", "-c", r.config}, strings.NewReader(""), in, r.log)
		in.Close()
	}()
	var once sync.Once
	ended := -1
	r.stop = func() int {
		once.Do(func() { cancel(); ended = <-code })
		return ended
	}
	r.t.Cleanup(func() {
		r.stop()
		if r.t.Failed() {
			r.t.Log(r.log)
		}
	})
	ready := make(chan string, 1)
	go func() {
		b := make([]byte, 64)
		n, _ := out.Read(b)
		ready <- string(b[:n])
	}()
	select {
	case s := <-ready:
		if s != "ready\n" {
			r.t.Fatalf("up printed %q\n%s", s, r.log)
		}
	case <-time.After(60 * time.Second):
		r.t.Fatalf("up is not ready\n%s", r.log)
	}
	return r
}

// cli runs a command against it.
func (r *rig) cli(args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var o, e bytes.Buffer
	code = run(ctx, append(args, "-c", r.config), strings.NewReader(""), &o, &e)
	return o.String(), e.String(), code
}

func (r *rig) must(args ...string) string {
	r.t.Helper()
	o, e, code := r.cli(args...)
	if code != 0 {
		r.t.Fatalf("dragoman %v: exit %d\n%s%s", args, code, o, e)
	}
	return o
}

func (r *rig) want(code int, args ...string) string {
	r.t.Helper()
	o, e, got := r.cli(args...)
	if got != code {
		r.t.Errorf("dragoman %v: exit %d, want %d\n%s%s", args, got, code, o, e)
	}
	return o + e
}

func (r *rig) token(groups ...string) string {
	args := []string{"token", "create", "--subject", "agent:bot", "--on-behalf-of", "user:alice@example.com"}
	for _, g := range groups {
		args = append(args, "--group", g)
	}
	return strings.TrimSpace(r.must(args...))
}

// connect opens a session through the gateway.
func (r *rig) connect(port int, password string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, fmt.Sprintf("postgres://agent:%s@127.0.0.1:%d/postgres?sslmode=disable&default_query_exec_mode=simple_protocol", password, port))
	if err == nil {
		r.t.Cleanup(func() { c.Close(context.Background()) })
	}
	return c, err
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := localserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// authority writes certificates into the rig's folder.
type authority struct {
	*testca.Authority
	r *rig
}

func (r *rig) newAuthority(name string) *authority {
	r.t.Helper()
	a, err := testca.New(name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(name+".crt", a.PEM())
	return &authority{a, r}
}

// leaf writes NAME.crt and NAME.key.
func (a *authority) leaf(name, spiffe string) {
	a.r.t.Helper()
	names := []string{"localhost", name + ".example.com", "127.0.0.1"}
	if spiffe != "" {
		names = append(names, spiffe)
	}
	cert, key, err := a.Issue(pkix.Name{}, names...)
	if err != nil {
		a.r.t.Fatal(err)
	}
	a.r.write(name+".crt", cert)
	a.r.write(name+".key", key)
}
