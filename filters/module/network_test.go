package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"dragoman.dev/dragoman/envoy/envoytest"
)

// pattern is an endless stream of bytes that are not all alike.
type pattern struct{ n uint32 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		p.n = p.n*1664525 + 1013904223
		b[i] = byte(p.n >> 24)
	}
	return len(b), nil
}

// The client does not read until its own writes are stuck, so that both
// directions meet back-pressure: every buffer on the way is full, none overflows.
func TestBulkBothWaysWithBackPressure(t *testing.T) {
	const size = 100 << 20
	target := newEcho(t)
	e := one(t, "passthrough", "", target.addr)
	before := rss(t, e.Pid())
	c := dial(t, e.Addr("l"))
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	sent, got := sha256.New(), sha256.New()
	wrote := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.MultiWriter(c.Conn, sent), io.LimitReader(&pattern{}, size))
		if err == nil {
			err = c.Conn.(*net.TCPConn).CloseWrite()
		}
		wrote <- err
	}()
	select {
	case err := <-wrote:
		t.Fatalf("100 MB fit into the buffers (%v): no back-pressure", err)
	case <-time.After(60 * time.Second):
	}
	if grown := rss(t, e.Pid()) - before; grown > 64<<20 {
		t.Errorf("Envoy grew by %d MiB while the client did not read", grown>>20)
	}
	n, err := io.Copy(got, c.r)
	if err != nil || n != size {
		t.Fatalf("%d bytes came back: %v", n, err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		t.Fatal("other bytes came back than were sent")
	}
}

func rss(t *testing.T, pid int) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var total, resident int64
	fmt.Sscan(string(raw), &total, &resident)
	return resident * int64(os.Getpagesize())
}

func TestNothingUpstreamBeforeConnect(t *testing.T) {
	target := newEcho(t)
	e := one(t, "gate", "first", target.addr)
	c := dial(t, e.Addr("l"))
	for range 3 {
		c.send("secret\n")
		c.want("closed\n")
	}
	select {
	case <-target.accepted:
		t.Fatal("the target was connected before Connect")
	case <-time.After(200 * time.Millisecond):
	}
	c.send("open\n")
	// What was written before Connect comes first, and nothing that the client said.
	c.want("before after\n")
	<-target.accepted
	c.send("through\n")
	c.want("through\n")
	if n := len(target.accepted); n > 0 {
		t.Errorf("%d more connections to the target", n)
	}
}

func TestFactsOfAConnection(t *testing.T) {
	target := newEcho(t)
	e := one(t, "gate", "", target.addr)
	c := dial(t, e.Addr("l"))
	c.send("info\n")
	got := c.line()
	for _, want := range []string{"client=" + c.LocalAddr().String(), "local=" + c.RemoteAddr().String(),
		`upstream=""`, "tls=false"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	c.send("open\n")
	c.line()
	c.send("info\n")
	if got, want := c.line(), fmt.Sprintf("upstream=%q", target.addr); !strings.Contains(got, want) {
		t.Errorf("%q lacks %q", got, want)
	}
}

func TestRoute(t *testing.T) {
	first, second := newEcho(t), newEcho(t)
	e := envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.NetworkFilter(t, "gate", nil), envoytest.TCPProxy(t, "first"))},
		Clusters: []*clusterv3.Cluster{
			envoytest.Cluster("first", first.addr), envoytest.Cluster("second", second.addr)},
	})
	c := dial(t, e.Addr("l"))
	c.send("route second\n")
	c.want("routed\n")
	c.send("open\n")
	c.want("before after\n")
	if len(first.accepted) != 0 || len(second.accepted) != 1 {
		t.Errorf("%d connections to the first, %d to the second", len(first.accepted), len(second.accepted))
	}
}

// As a cancel request needs it: to the very endpoint that a session has.
func TestRouteToAnAddress(t *testing.T) {
	first, second := newEcho(t), newEcho(t)
	direct := &clusterv3.Cluster{Name: "direct",
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST},
		LbPolicy:             clusterv3.Cluster_CLUSTER_PROVIDED}
	e := envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.NetworkFilter(t, "gate", nil), envoytest.TCPProxy(t, "first"))},
		Clusters: []*clusterv3.Cluster{envoytest.Cluster("first", first.addr), direct},
	})
	c := dial(t, e.Addr("l"))
	c.send("route direct\n")
	c.want("routed\n")
	c.send("to " + second.addr + "\n")
	c.want(second.addr + "\n")
	c.send("open\n")
	c.want("before after\n")
	if len(first.accepted) != 0 || len(second.accepted) != 1 {
		t.Errorf("%d connections to the first, %d to the second", len(first.accepted), len(second.accepted))
	}
}

func TestPostsOfManyGoroutinesKeepTheirOrder(t *testing.T) {
	e := one(t, "poster", "", newEcho(t).addr)
	for range 4 {
		c := dial(t, e.Addr("l"))
		c.send("go\n")
		next := [4]int{}
		for range 1000 {
			var g, i int
			if _, err := fmt.Sscan(c.line(), &g, &i); err != nil {
				t.Fatal(err)
			}
			if next[g] != i {
				t.Fatalf("goroutine %d: got %d, want %d", g, i, next[g])
			}
			next[g]++
		}
		c.send("go\n") // and goes away while posts are under way
		c.Close()
	}
	c := dial(t, e.Addr("l"))
	c.send("go\n")
	c.line()
}

func TestPanicEndsOneConnection(t *testing.T) {
	const counter = "dynamicmodulescustom." + panicsCounter
	target := newEcho(t)
	e := one(t, "panicker", "event", target.addr) // panics in OnEvent as well
	bystander := dial(t, e.Addr("l"))
	bystander.send("one\n")
	bystander.want("one\n")
	for i, how := range []string{"panic now", "panic nil", "panic in post", "panic target"} {
		c := dial(t, e.Addr("l"))
		c.send("fine\n")
		c.want("fine\n")
		c.send(how + "\n")
		c.wantEnd()
		bystander.send(how[6:] + "\n")
		bystander.want(how[6:] + "\n")
		eventually(t, func() error { // each panics once more in OnEvent
			if got, want := e.Stat(counter), uint64(2*(i+1)); got != want {
				return fmt.Errorf("%s: %d panics counted, want %d", how, got, want)
			}
			return nil
		})
	}
	if log := e.Log(); !strings.Contains(log, "told to, in Post") || !strings.Contains(log, "kinds_modtest.go") {
		t.Error("the log has no stack of the panic")
	}
}

func TestPanicInNewConn(t *testing.T) {
	e := one(t, "panicker", "new", newEcho(t).addr)
	for range 3 {
		dial(t, e.Addr("l")).wantEnd()
	}
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestWatermarks(t *testing.T) {
	e := one(t, "flood", "", newEcho(t).addr)
	before := rss(t, e.Pid())
	c := dial(t, e.Addr("l"))
	c.send("go\n")
	time.Sleep(300 * time.Millisecond)
	if grown := rss(t, e.Pid()) - before; grown > 32<<20 {
		t.Errorf("Envoy grew by %d MiB while the client did not read", grown>>20)
	}
	if n, err := io.Copy(io.Discard, c.r); n != 64<<20 || err != nil {
		t.Errorf("%d bytes came: %v", n, err)
	}
}

func TestPauseReads(t *testing.T) {
	e := one(t, "gate", "", newEcho(t).addr)
	c := dial(t, e.Addr("l"))
	c.send("pause\n")
	time.Sleep(50 * time.Millisecond)
	c.send("more\n")
	c.want("resumed\n")
	c.want("closed\n")
}

func TestTargetHalfCloses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "the end\n")
		c.(*net.TCPConn).CloseWrite()
		rest, _ := io.ReadAll(c)
		got <- string(rest)
	}()
	e := one(t, "passthrough", "", l.Addr().String())
	c := dial(t, e.Addr("l"))
	c.want("the end\n")
	c.wantEnd()
	c.send("still here\n")
	c.Conn.(*net.TCPConn).CloseWrite()
	if s := <-got; s != "still here\n" {
		t.Errorf("the target got %q", s)
	}
}

// Many short connections whose goroutines still post when they are gone.
func TestChurn(t *testing.T) {
	e := one(t, "poster", "", newEcho(t).addr)
	addr := e.Addr("l")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 150 {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(c, "go\n")
				if i%3 == 0 {
					io.ReadFull(c, make([]byte, 100))
				}
				if i%2 == 0 {
					c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	c := dial(t, addr)
	c.send("go\n")
	c.line()
	c.Close()
	eventually(t, func() error {
		if n, err := e.Admin.OpenSessions(t.Context()); n != 0 || err != nil {
			return fmt.Errorf("%d connections are left: %v", n, err)
		}
		return nil
	})
	if n := e.Stat("dynamicmodulescustom." + panicsCounter); n != 0 {
		t.Errorf("%d panics", n)
	}
}

func TestUpstreamReset(t *testing.T) {
	target := newEcho(t)
	e := one(t, "passthrough", "", target.addr)
	c := dial(t, e.Addr("l"))
	c.send("x\n")
	c.want("x\n")
	up := (<-target.accepted).(*net.TCPConn)
	up.SetLinger(0)
	up.Close()
	if _, err := c.r.ReadString('\n'); err == nil || !(err == io.EOF || errors.Is(err, syscall.ECONNRESET)) {
		t.Errorf("got %v", err)
	}
}
