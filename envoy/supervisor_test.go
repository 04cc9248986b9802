package envoy_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/envoy/envoytest"
)

// supervised is an Envoy under Run, with one listener "l" before an echo server.
type supervised struct {
	t      *testing.T
	admin  *envoy.Admin
	pids   chan int
	cancel context.CancelFunc
	done   chan error
	log    *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	sb strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sb.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sb.String()
}

// configured writes the bootstrap of an Envoy without a control plane.
func configured(t *testing.T, change func(*bootstrapv3.Bootstrap)) (config string, admin *envoy.Admin) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sup-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "admin.sock")
	b, err := envoy.Bootstrap(envoy.BootstrapOptions{Node: "n", ADS: "unix:///nowhere", AdminSocket: socket})
	if err != nil {
		t.Fatal(err)
	}
	b.DynamicResources = nil
	change(b)
	raw, err := envoy.MarshalBootstrap(b)
	if err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(dir, "bootstrap.json")
	if err := os.WriteFile(config, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return config, envoy.NewAdmin(socket)
}

// idleEnvoy has no listener.
func idleEnvoy(t *testing.T) (binary, config string, admin *envoy.Admin) {
	t.Helper()
	config, admin = configured(t, func(*bootstrapv3.Bootstrap) {})
	return envoytest.Binary(t), config, admin
}

func supervise(t *testing.T, kind string, change func(*envoy.Options)) *supervised {
	t.Helper()
	config, admin := configured(t, func(b *bootstrapv3.Bootstrap) {
		b.StaticResources.Clusters = []*clusterv3.Cluster{envoytest.Cluster("target", echoServer(t))}
		b.StaticResources.Listeners = []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.NetworkFilter(t, kind, nil), envoytest.TCPProxy(t, "target"))}
	})
	s := &supervised{t: t, admin: admin, pids: make(chan int, 10), done: make(chan error, 1), log: &syncBuffer{}}
	o := envoy.Options{
		Process: envoy.Process{Binary: envoytest.Binary(t), Bootstrap: config, Concurrency: 1,
			ModuleDir: filepath.Dir(envoytest.Module(t, "modtest"))},
		Admin: s.admin, Log: slog.New(slog.NewJSONHandler(s.log, nil)),
		Started: func(pid int) { s.pids <- pid },
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.done <- envoy.Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		<-s.pids
		if t.Failed() {
			t.Log(s.log)
		}
	})
	return s
}

func (s *supervised) ready() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := s.admin.Ready(ctx, "l"); err != nil {
		s.t.Fatal(err)
	}
	addrs, err := s.admin.Listeners(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return addrs["l"]
}

// wait ends the supervision and returns how long it took.
func (s *supervised) wait() time.Duration {
	s.t.Helper()
	since := time.Now()
	s.cancel()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(60 * time.Second):
		s.t.Fatal("Run does not return")
	}
	close(s.pids)
	return time.Since(since)
}

func echoServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func talk(t *testing.T, c net.Conn) error {
	t.Helper()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(c, "x\n"); err != nil {
		return err
	}
	_, err := bufio.NewReader(c).ReadString('\n')
	return err
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestRunRestartsWhatDies(t *testing.T) {
	s := supervise(t, "passthrough", nil)
	first := <-s.pids
	s.ready()
	syscall.Kill(first, syscall.SIGKILL)
	second := <-s.pids
	c, err := net.Dial("tcp", s.ready())
	if err != nil {
		t.Fatal(err)
	}
	if err := talk(t, c); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if took := s.wait(); took > 30*time.Second {
		t.Errorf("ended in %v though no session was open", took)
	}
	if alive(second) {
		t.Error("envoy outlived Run")
	}
	if log := s.log.String(); !strings.Contains(log, `"how":"signal: killed"`) {
		t.Errorf("the log does not say how it ended:\n%s", log)
	}
}

func TestRunDrains(t *testing.T) {
	s := supervise(t, "passthrough", func(o *envoy.Options) { o.Drain = 6 * time.Second })
	<-s.pids
	addr := s.ready()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := talk(t, c); err != nil {
		t.Fatal(err)
	}
	s.cancel()
	for refused := false; !refused; time.Sleep(20 * time.Millisecond) { // before the drain's time is over, as the next lines show
		n, err := net.Dial("tcp", addr)
		if refused = err != nil; !refused {
			n.Close()
		}
	}
	if err := talk(t, c); err != nil {
		t.Errorf("an open session was cut off while draining: %v", err)
	}
	if took := s.wait(); took > 45*time.Second {
		t.Errorf("took %v", took)
	}
	if err := talk(t, c); err == nil {
		t.Error("the session goes on after the end")
	}
}

func TestRunReportsWhatCannotStart(t *testing.T) {
	err := envoy.Run(context.Background(), envoy.Options{
		Process: envoy.Process{Binary: "/does/not/exist"}, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("no error")
	}
}

func TestFilterLogIsFolded(t *testing.T) {
	s := supervise(t, "panicker", nil)
	<-s.pids
	c, err := net.Dial("tcp", s.ready())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "panic now\n")
	io.Copy(io.Discard, c)
	s.wait()
	want := `"msg":"panic in a filter"`
	if log := s.log.String(); !strings.Contains(log, want) || !strings.Contains(log, `"panic":"told to, in OnData"`) {
		t.Errorf("no %s in the log:\n%s", want, log)
	}
}
