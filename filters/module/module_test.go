package main

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"dragoman.dev/dragoman/envoy/envoytest"
)

// tag builds the module with the kinds of kinds_modtest.go.
const tag = "modtest"

// echo is a target that sends back what comes, and counts its connections.
type echo struct {
	addr     string
	accepted chan net.Conn
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	e := &echo{addr: l.Addr().String(), accepted: make(chan net.Conn, 1000)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.accepted <- c
			go func() {
				io.Copy(c, c)
				c.(*net.TCPConn).CloseWrite()
				c.Close()
			}()
		}
	}()
	return e
}

// client is a connection to Envoy that fails the test on its errors.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 60*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	return &client{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) line() string {
	c.t.Helper()
	s, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("after %q: %v", s, err)
	}
	return s
}

func (c *client) want(s string) {
	c.t.Helper()
	if got := c.line(); got != s {
		c.t.Fatalf("got %q, want %q", got, s)
	}
}

func (c *client) wantEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 {
		c.t.Fatalf("got %q (%v), want the end", rest, err)
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		c.t.Fatal("the connection is still open")
	}
}

// one starts an Envoy with one listener "l" of one network filter before target.
func one(t *testing.T, kind, config, target string) *envoytest.Envoy {
	t.Helper()
	return envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.NetworkFilter(t, kind, []byte(config)), envoytest.TCPProxy(t, "target")),
		},
		Clusters: []*clusterv3.Cluster{envoytest.Cluster("target", target)},
	})
}

func TestPassThrough(t *testing.T) {
	target := newEcho(t)
	e := one(t, "passthrough", "", target.addr)
	c := dial(t, e.Addr("l"))
	c.send("hello\n")
	c.want("hello\n")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.wantEnd()
}
