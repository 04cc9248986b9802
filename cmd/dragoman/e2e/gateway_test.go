package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/pgserver"
)

const repo = "../../.."

// built is the folder with the binary and the module: DRAGOMAN_BIN when it is
// given, else built once for this test run.
var built = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("DRAGOMAN_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.MkdirTemp("", "dragoman-e2e-bin-")
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"build", "-o", filepath.Join(dir, "dragoman"), "./cmd/dragoman"},
		{"build", "-buildmode=c-shared", "-o", filepath.Join(dir, "libdragoman.so"), "./filters/module"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("DRAGOMAN_BIN") == "" {
		if dir, err := built(); err == nil {
			os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

// gateway is a running `dragoman up`.
type gateway struct {
	t      testing.TB
	dir    string
	config string
	bin    string
	cmd    *exec.Cmd
	done   chan struct{}
	log    *syncBuffer
}

// setup is what differs between tests. Config is the YAML of targets and
// whatever else; Files are written below the config's folder ("policy/rules.yaml").
type setup struct {
	Config string
	Files  map[string]string
	Envoy  string // version, default the pinned one (or DRAGOMAN_TEST_ENVOY)
}

// newGateway writes the configuration; start runs it.
func newGateway(t testing.TB, s setup) *gateway {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	if s.Envoy == "" {
		s.Envoy = os.Getenv("DRAGOMAN_TEST_ENVOY")
	}
	if s.Envoy == "" {
		s.Envoy = envoy.Version
	}
	binary, err := envoy.Ensure(context.Background(), filepath.Join(repo, ".tools"), s.Envoy)
	if err != nil {
		t.Fatal(err)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		t.Fatal(err)
	}
	// A short folder: a unix socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "dgm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			os.RemoveAll(dir)
		}
	})
	g := &gateway{t: t, dir: dir, bin: bin, config: filepath.Join(dir, "dragoman.yaml")}
	text := fmt.Sprintf("data: data\nenvoy:\n  binary: %s\n  version: %s\n  module: %s\n  concurrency: 2\n  drain_time: 1s\n%s", binary, s.Envoy, bin, s.Config)
	if s.Files == nil {
		s.Files = map[string]string{}
	}
	s.Files["dragoman.yaml"] = text
	for name, content := range s.Files {
		g.write(name, content)
	}
	return g
}

// write puts a file below the config's folder, by rename as editors do.
func (g *gateway) write(name, content string) {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		g.t.Fatal(err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		g.t.Fatal(err)
	}
}

// start runs `dragoman up` until the test ends and waits for "ready".
func (g *gateway) start() *gateway {
	g.t.Helper()
	g.cmd = exec.Command(filepath.Join(g.bin, "dragoman"), "up", "-c", g.config)
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	g.log, g.done = &syncBuffer{}, make(chan struct{})
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	g.cmd.Stderr = g.log
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	ready := make(chan struct{})
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		told := false
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(g.log, s.Text())
			if !told && strings.TrimSpace(s.Text()) == "ready" {
				told = true
				close(ready)
			}
		}
	}()
	cmd, done := g.cmd, g.done
	go func() { <-copied; cmd.Wait(); close(done) }()
	g.t.Cleanup(g.stop)
	select {
	case <-ready:
	case <-g.done:
		g.t.Fatalf("dragoman up ended:\n%s", g.log)
	case <-time.After(3 * time.Minute):
		g.t.Fatalf("dragoman up is not ready:\n%s", g.log)
	}
	return g
}

// stop ends it gracefully; it may be called twice.
func (g *gateway) stop() {
	select {
	case <-g.done:
		return
	default:
	}
	g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.done:
	case <-time.After(60 * time.Second):
		g.t.Errorf("dragoman up did not stop within a minute")
		syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
		<-g.done
	}
	if g.t.Failed() {
		g.t.Logf("gateway's log:\n%s", g.log)
	}
}

// run runs the command line and returns stdout, stderr and the exit code.
func (g *gateway) run(args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	stdout, stderr, code, err := e2erig.CLI{Bin: g.bin, Config: g.config}.Run(args...)
	if err != nil {
		g.t.Fatal(err)
	}
	return stdout, stderr, code
}

// must is run that fails the test unless the exit code is 0.
func (g *gateway) must(args ...string) string {
	g.t.Helper()
	return e2erig.CLI{Bin: g.bin, Config: g.config}.Must(g.t, args...)
}

// token mints a token for an agent that acts for a human.
func (g *gateway) token(groups ...string) string {
	g.t.Helper()
	return g.tokenFor("agent:ci-bot", "user:alice@example.com", groups...)
}

func (g *gateway) tokenFor(subject, onBehalfOf string, groups ...string) string {
	g.t.Helper()
	return e2erig.CLI{Bin: g.bin, Config: g.config}.Token(g.t, subject, onBehalfOf, groups...)
}

// syncBuffer is a buffer that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var _ io.Writer = (*syncBuffer)(nil)

// freePort gives a port that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	port := e2erig.FreePort()
	if port == 0 {
		t.Fatal("no free port")
	}
	return port
}

// postgres starts a server of the version and stops it with the test.
func postgres(t testing.TB, version string, o pgserver.Options) *pgserver.Server {
	t.Helper()
	home, err := pgserver.Ensure(context.Background(), filepath.Join(repo, ".tools"), version)
	if err != nil {
		t.Fatal(err)
	}
	o.Home = home
	s, err := pgserver.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}
