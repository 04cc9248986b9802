// Package envoytest starts a real Envoy with our module for tests.
//
// The binary is got once into the repository's .tools, the module is built once
// per test process (Go's build cache makes the second process fast). The version is the
// pinned one, or that in DRAGOMAN_TEST_ENVOY.
package envoytest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/child"
)

// EnvVersion chooses another Envoy of envoy.Releases for a test run.
const EnvVersion = "DRAGOMAN_TEST_ENVOY"

// Config of one Envoy. Either ADS or Listeners and Clusters say what it serves;
// both may.
type Config struct {
	Tags      string // build tags of the module, "" for the one we ship
	ADS       string // address of a control plane, unix:///path
	Node      string // node id for ADS; "" is "test"
	Listeners []*listenerv3.Listener
	Clusters  []*clusterv3.Cluster
	// Change may alter the bootstrap before Envoy reads it.
	Change      func(*bootstrapv3.Bootstrap)
	Env         []string // NAME=value
	Concurrency int      // workers; 0 is 2
	LogLevel    string   // "" is info
	// Listening are names of listeners to wait for, beside those in Listeners.
	Listening []string
}

// Envoy is a running one.
type Envoy struct {
	Version string
	Dir     string // its scratch folder
	Admin   *envoy.Admin

	t     testing.TB
	child *child.Child
	log   *logBuffer
}

// Start starts an Envoy and waits until it serves. It ends with the test; its log
// is shown when the test failed.
func Start(t testing.TB, c Config) *Envoy {
	t.Helper()
	e := start(t, c)
	names := c.Listening
	for _, l := range c.Listeners {
		names = append(names, l.Name)
	}
	e.WaitListening(names...)
	return e
}

func start(t testing.TB, c Config) *Envoy {
	t.Helper()
	version := Version()
	binary := Binary(t)
	// Not t.TempDir: its names are too long for unix sockets.
	dir, err := os.MkdirTemp("", "envoy-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	admin := filepath.Join(dir, "admin.sock")
	config := filepath.Join(dir, "bootstrap.json")
	if err := os.WriteFile(config, c.bootstrap(t, admin), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Concurrency == 0 {
		c.Concurrency = 2
	}
	p := envoy.Process{Binary: binary, Bootstrap: config, ModuleDir: filepath.Dir(Module(t, c.Tags)),
		Env: c.Env, Concurrency: c.Concurrency, LogLevel: c.LogLevel}
	e := &Envoy{Version: version, Dir: dir, Admin: envoy.NewAdmin(admin), t: t,
		log: &logBuffer{}}
	cmd := p.Command()
	cmd.Stdout, cmd.Stderr = e.log, e.log
	if e.child, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		t.Fatalf("start envoy: %v", err)
	}
	t.Cleanup(func() {
		e.Stop()
		if t.Failed() {
			t.Logf("log of envoy %s:\n%s", version, e.log)
		}
	})
	return e
}

func (c Config) bootstrap(t testing.TB, admin string) []byte {
	t.Helper()
	node := c.Node
	if node == "" {
		node = "test"
	}
	ads := c.ADS
	if ads == "" {
		ads = "unix:///nowhere"
	}
	b, err := envoy.Bootstrap(envoy.BootstrapOptions{Node: node, ADS: ads, AdminSocket: admin})
	if err != nil {
		t.Fatal(err)
	}
	if c.ADS == "" {
		b.DynamicResources = nil
	}
	b.StaticResources.Listeners = append(b.StaticResources.Listeners, c.Listeners...)
	b.StaticResources.Clusters = append(b.StaticResources.Clusters, c.Clusters...)
	if c.Change != nil {
		c.Change(b)
	}
	raw, err := envoy.MarshalBootstrap(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Pid is the process.
func (e *Envoy) Pid() int { return e.child.PID() }

// Stop ends Envoy at once and waits for its end.
func (e *Envoy) Stop() {
	e.child.Signal(syscall.SIGKILL)
	e.child.Wait()
}

// Exited is closed when Envoy has ended, for whatever reason.
func (e *Envoy) Exited() <-chan struct{} { return e.child.Done() }

// Log is all that Envoy wrote until now.
func (e *Envoy) Log() string { return e.log.String() }

// WaitListening waits until Envoy is live and these listeners serve.
func (e *Envoy) WaitListening(names ...string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() {
		select {
		case <-e.child.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := e.Admin.Ready(ctx, names...); err != nil {
		e.t.Fatalf("%v\n%s", err, e.log)
	}
}

// Addr is host:port of a listener.
func (e *Envoy) Addr(listener string) string {
	e.t.Helper()
	addrs, err := e.Admin.Listeners(context.Background())
	if err != nil {
		e.t.Fatal(err)
	}
	addr, ok := addrs[listener]
	if !ok {
		e.t.Fatalf("no listener %q, only %v", listener, addrs)
	}
	return addr
}

// Port of a listener.
func (e *Envoy) Port(listener string) int {
	e.t.Helper()
	_, port, err := net.SplitHostPort(e.Addr(listener))
	if err != nil {
		e.t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	return n
}

// Stat is the value of a counter or gauge, 0 if there is none.
func (e *Envoy) Stat(name string) uint64 {
	e.t.Helper()
	stats, err := e.Admin.Stats(context.Background(), "^"+strings.ReplaceAll(name, ".", "\\.")+"$")
	if err != nil {
		e.t.Fatal(err)
	}
	return stats[name]
}

// AdminGet returns an admin page.
func (e *Envoy) AdminGet(path string) string {
	e.t.Helper()
	body, err := e.Admin.Do(context.Background(), http.MethodGet, path)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(body)
}

// logBuffer keeps the end of a log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxLog = 1 << 20

var _ io.Writer = (*logBuffer)(nil)

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if over := l.buf.Len() + len(b) - maxLog; over > 0 {
		l.buf.Next(over)
	}
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
