package envoytest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/envoy"
)

// Version of Envoy that the tests run.
func Version() string {
	if v := os.Getenv(EnvVersion); v != "" {
		return v
	}
	return envoy.Version
}

// Tools is the repository's folder for what is got or built once.
func Tools() string { return filepath.Join(repository(), ".tools") }

func repository() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(here)))
}

// Binary is the path of the Envoy of this run.
func Binary(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	path, err := envoy.Ensure(ctx, Tools(), Version())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

type build struct {
	once sync.Once
	path string
	err  error
}

var (
	buildsMu sync.Mutex
	builds   = map[string]*build{}
)

// Module builds libdragoman.so with the given build tags ("" for what we ship)
// and returns its path. It is built once per test process.
func Module(t testing.TB, tags string) string {
	t.Helper()
	buildsMu.Lock()
	b := builds[tags]
	if b == nil {
		b = &build{}
		builds[tags] = b
	}
	buildsMu.Unlock()
	b.once.Do(func() { b.path, b.err = buildModule(tags) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func buildModule(tags string) (string, error) {
	name := "module"
	if tags != "" {
		name += "-" + tags
	}
	dir := filepath.Join(Tools(), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// Other test processes build the same: go build the file elsewhere and move
	// it, so that an Envoy that has the old one mapped keeps it.
	tmp, err := os.MkdirTemp(dir, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	built := filepath.Join(tmp, "libdragoman.so")
	cmd := exec.Command("go", "build", "-tags", tags, "-buildmode=c-shared", "-o", built, "./filters/module")
	cmd.Dir = repository()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the module: %w\n%s", err, out)
	}
	path := filepath.Join(dir, "libdragoman.so")
	return path, os.Rename(built, path)
}
