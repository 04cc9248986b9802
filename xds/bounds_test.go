package xds

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// madeUp are names of resources that there are not.
func madeUp(from, n, length int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%0*d", length, from+i))
	}
	return names
}

// TestMadeUpNames: a node that asks for ever more names loses its stream; the control plane keeps a bounded number of them, and none
// of what a node gives back.
func TestMadeUpNames(t *testing.T) {
	for what, flood := range map[string]func(c *client, i int){
		"many":     func(c *client, i int) { c.subscribe(resource.ClusterType, madeUp(i*1000, 1000, 9)...) },
		"long":     func(c *client, i int) { c.subscribe(resource.SecretType, strings.Repeat("x", 100_000)+fmt.Sprint(i)) },
		"of types": func(c *client, i int) { c.subscribe(types[i%len(types)], madeUp(i*1000, 1000, 9)...) },
		"had before": func(c *client, i int) {
			had := map[string]string{}
			for _, name := range madeUp(i*1000, 1000, 9) {
				had[name] = "1"
			}
			if c.str.Send(&discovery.DeltaDiscoveryRequest{Node: &core.Node{Id: c.node}, TypeUrl: resource.ClusterType, InitialResourceVersions: had}) != nil {
				return // it is refused already
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, twoNodes)
			apply(t, r, "r1")
			c := r.open(r.dialUnix(), "gateway")
			for i := range 100 {
				flood(c, i)
			}
			for {
				_, _, err := c.next()
				if err == nil || errors.Is(err, io.EOF) { // what ended it comes yet
					continue
				}
				if status.Code(err) != codes.ResourceExhausted {
					t.Fatalf("the stream ends with %v", err)
				}
				break
			}
			r.open(r.dialUnix(), "gateway").want(resource.ListenerType, []string{"*"}, r.server.Listeners("gateway")...)
		})
	}
}

// TestGivenBackNames: names that a node does not want any more do not count.
func TestGivenBackNames(t *testing.T) {
	s := &Server{streams: map[int64]*stream{1: {node: "n", names: map[subscription]struct{}{}}}}
	for i := range 50 {
		names := madeUp(i*1000, 1000, 9)
		if err := s.subscribes(1, &discovery.DeltaDiscoveryRequest{TypeUrl: "t", ResourceNamesSubscribe: names}); err != nil {
			t.Fatal(err)
		}
		if err := s.subscribes(1, &discovery.DeltaDiscoveryRequest{TypeUrl: "t", ResourceNamesUnsubscribe: append(names, "never asked for")}); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.streams[1]; len(st.names) != 0 || st.bytes != 0 {
		t.Errorf("%d names of %d bytes are left", len(st.names), st.bytes)
	}
}

// TestTooManyStreams: a node has a bounded number of streams, and what it ends makes place.
func TestTooManyStreams(t *testing.T) {
	r := newRig(t, twoNodes)
	apply(t, r, "r1")
	conn := r.dialUnix()
	for range maxStreams {
		r.open(conn, "gateway").want(resource.ListenerType, []string{"*"}, r.server.Listeners("gateway")...)
	}
	if _, _, err := r.open(conn, "gateway").next(); status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("one more: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.server.WaitNode(t.Context(), "gateway", func(n NodeStatus) bool { return !n.Connected }); err != nil {
		t.Fatal(err)
	}
	r.open(r.dialUnix(), "gateway").want(resource.ListenerType, []string{"*"}, r.server.Listeners("gateway")...)
}
