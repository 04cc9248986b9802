package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"dragoman.dev/dragoman/envoy/envoytest"
)

// tellsEarly says whether this Envoy lets the host know about a connect before
// its first byte or its end (attributes on network filters, since 1.39).
func tellsEarly() bool { return !strings.HasPrefix(envoytest.Version(), "1.38.") }

// nobody is an address where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestConnectFailureIsToldToTheClient(t *testing.T) {
	e := one(t, "dial", "", nobody(t))
	c := dial(t, e.Addr("l"))
	since := time.Now()
	got, _ := io.ReadAll(c.r)
	if !tellsEarly() {
		return // the connection ends, with nothing said
	}
	if !strings.HasPrefix(string(got), "failed RemoteConnectionFailure: ") || !strings.Contains(string(got), "refused") {
		t.Errorf("got %q", got)
	}
	if took := time.Since(since); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestConnectTimeoutIsToldToTheClient(t *testing.T) {
	if !tellsEarly() {
		t.Logf("envoy %s does not tell", envoytest.Version())
		return
	}
	full := fullBacklog(t)
	cluster := envoytest.Cluster("target", full)
	cluster.ConnectTimeout.Seconds, cluster.ConnectTimeout.Nanos = 0, 200_000_000
	e := envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.NetworkFilter(t, "dial", nil), envoytest.TCPProxy(t, "target"))},
		Clusters: []*clusterv3.Cluster{cluster},
	})
	got, _ := io.ReadAll(dial(t, e.Addr("l")).r)
	if !strings.HasPrefix(string(got), "failed Timeout: ") {
		t.Errorf("got %q", got)
	}
}

func TestConnectTakesTheEndpointThatAnswers(t *testing.T) {
	target := newEcho(t)
	e := envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("l", envoytest.NetworkFilter(t, "passthrough", nil), envoytest.TCPProxy(t, "target"))},
		Clusters: []*clusterv3.Cluster{envoytest.Cluster("target", nobody(t), target.addr)},
	})
	for range 4 {
		c := dial(t, e.Addr("l"))
		c.send("x\n")
		c.want("x\n")
	}
}

func TestNoEndpointIsToldToTheClient(t *testing.T) {
	e := envoytest.Start(t, envoytest.Config{
		Tags: tag,
		Listeners: []*listenerv3.Listener{
			envoytest.Listener("empty", envoytest.NetworkFilter(t, "dial", []byte("empty")), envoytest.TCPProxy(t, "empty")),
			envoytest.Listener("missing", envoytest.NetworkFilter(t, "dial", []byte("missing")), envoytest.TCPProxy(t, "empty")),
		},
		Clusters: []*clusterv3.Cluster{envoytest.Cluster("empty")},
	})
	for _, l := range []string{"empty", "missing"} {
		want := fmt.Sprintf("failed LocalConnectionFailure: no usable endpoint in cluster %s\n", l)
		if got, _ := io.ReadAll(dial(t, e.Addr(l)).r); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A target that says nothing is known to be connected all the same.
func TestReadyWithoutAByte(t *testing.T) {
	if !tellsEarly() {
		t.Logf("envoy %s does not tell", envoytest.Version())
		return
	}
	target := newEcho(t)
	e := one(t, "dial", "", target.addr)
	since := time.Now()
	dial(t, e.Addr("l")).want("ready " + target.addr + "\n")
	if took := time.Since(since); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}
