package e2erig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
)

// Up is a gateway in a folder of its own that all tests of a package share, since what stands behind it takes long to start.
type Up struct {
	CLI
	Dir     string // of Config and what it names
	Limit   time.Duration
	process *child.Child
	log     string
}

// New makes the folder, for the binary and the module in DRAGOMAN_BIN. Limit bounds every wait.
func New(limit time.Duration) (*Up, error) {
	bin := os.Getenv("DRAGOMAN_BIN")
	if bin == "" {
		return nil, errors.New("DRAGOMAN_BIN is not set: make builds it and runs this")
	}
	return NewIn(bin, limit)
}

// NewIn is New for the binary and the module in another folder.
func NewIn(bin string, limit time.Duration) (*Up, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	// A short folder: a unix socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "dgm-")
	return &Up{CLI: CLI{Bin: bin, Config: filepath.Join(dir, "dragoman.yaml")}, Dir: dir, Limit: limit, log: filepath.Join(dir, "up.log")}, err
}

// Head begins the configuration, with an Envoy.
func (u *Up) Head(binary, version string) (string, error) {
	binary, err := filepath.Abs(binary)
	return fmt.Sprintf("data: data\nenvoy: {binary: %s, version: %s, module: %s, concurrency: 2, drain_time: 1s}\n", binary, version, u.Bin), err
}

// Write puts files into the folder.
func (u *Up) Write(files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(u.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// Launch runs `dragoman up`, also again, until it is ready.
func (u *Up) Launch() error {
	process, err := localserver.Start(context.Background(), exec.Command(filepath.Join(u.Bin, "dragoman"), "up", "-c", u.Config), u.log, syscall.SIGTERM,
		localserver.SaysLine(u.log, "ready"))
	if err != nil {
		return err
	}
	u.process = process
	return nil
}

// Strike kills Envoy (0), dragoman, whose Envoy goes with it (1), or both (2), and starts what does not start again by itself.
func (u *Up) Strike(what int) error {
	if pid := proc.Child(u.process.PID(), "envoy"); what != 1 && pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if what == 0 {
		return nil
	}
	u.process.End(syscall.SIGKILL, u.Limit)
	return u.Launch()
}

// Await waits for a condition as long as the gateway runs.
func (u *Up) Await(what string, cond func() bool) error {
	for end := time.Now().Add(u.Limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if cond() {
			return nil
		}
		select {
		case <-u.process.Done():
			b, _ := os.ReadFile(u.log)
			return fmt.Errorf("dragoman up ended:\n%s", b)
		default:
		}
	}
	return fmt.Errorf("it did not come: %s", what)
}

// Process is the one that was launched last.
func (u *Up) Process() *child.Child { return u.process }

// End stops it. When the tests failed it prints the gateway's log, without Envoy's lines, and leaves the folder.
func (u *Up) End(failed bool, to io.Writer) {
	if u.process != nil {
		u.process.End(syscall.SIGTERM, u.Limit)
	}
	if !failed {
		os.RemoveAll(u.Dir)
		return
	}
	b, _ := os.ReadFile(u.log)
	for line := range bytes.Lines(b) {
		if !bytes.Contains(line, []byte("from=envoy")) {
			to.Write(line)
		}
	}
}
