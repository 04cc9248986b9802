package xds

import (
	"context"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/policy"
)

func bundleOf(revision string) policy.Bundle {
	return policy.Bundle{Revision: revision, Modules: map[string]string{}, Data: map[string]any{}}
}

func apply(t *testing.T, r *rig, revision string) {
	t.Helper()
	if err := r.server.Apply(t.Context(), r.cfg, bundleOf(revision)); err != nil {
		t.Fatal(err)
	}
}

// TestIsolation: each node gets its own listeners, secrets and policy, and asking for
// another's by name brings nothing.
func TestIsolation(t *testing.T) {
	r := newRig(t, twoNodes)
	apply(t, r, "r1")
	gw := r.open(r.dialUnix(), "gateway")
	gw.want(resource.ListenerType, []string{"*"}, "dragoman/127.0.0.1:15432")
	gw.want(resource.ClusterType, []string{"*"}, "dragoman/shop", "dragoman/shop/cancel")
	gw.want(resource.SecretType, []string{"dragoman/shop/server", "dragoman/ledger/server"}, "dragoman/shop/server")
	gw.want(resource.ExtensionConfigType, []string{"dragoman/ledger", "dragoman/shop"}, "dragoman/shop")

	sc := r.open(r.dialTLS(r.ca.leaf("spiffe://example.org/node/sidecar")), "sidecar")
	sc.want(resource.ListenerType, []string{"*"}, "dragoman/127.0.0.1:15433")
	m := sc.want(resource.SecretType, []string{"dragoman/shop/server", "dragoman/ledger/server"}, "dragoman/ledger/server")
	if strings.Contains(m.String(), "gw.key") {
		t.Error("the sidecar got the gateway's key")
	}
	sc.want(resource.ExtensionConfigType, []string{"*"}, "dragoman/ledger")
}

// TestRefused: who is not the node that it claims to be gets nothing.
func TestRefused(t *testing.T) {
	r := newRig(t, twoNodes)
	apply(t, r, "r1")
	sidecar := r.ca.leaf("spiffe://example.org/node/sidecar")
	for name, x := range map[string]struct {
		conn func() *grpc.ClientConn
		node string
	}{
		"the sidecar as gateway": {func() *grpc.ClientConn { return r.dialTLS(sidecar) }, "gateway"},
		"the gateway as sidecar": {r.dialUnix, "sidecar"},
		"no name":                {r.dialUnix, ""},
		"an unknown name":        {r.dialUnix, "stranger"},
		"a strange certificate":  {func() *grpc.ClientConn { return r.dialTLS(r.ca.leaf("spiffe://example.org/node/other")) }, "sidecar"},
		"a certificate of two names": {func() *grpc.ClientConn {
			return r.dialTLS(r.ca.leaf("spiffe://example.org/node/sidecar", "spiffe://x/y"))
		}, "sidecar"},
		"a certificate without names": {func() *grpc.ClientConn { return r.dialTLS(r.ca.leaf()) }, "sidecar"},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.open(x.conn(), x.node)
			c.subscribe(resource.ListenerType, "*")
			if m, _, err := c.next(); status.Code(err) != codes.PermissionDenied {
				t.Fatalf("got %v, %v", m, err)
			}
		})
	}
	t.Run("a certificate of another CA", func(t *testing.T) {
		c := newAuthority(t).leaf("spiffe://example.org/node/sidecar")
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		str, err := discovery.NewAggregatedDiscoveryServiceClient(r.dialTLS(c)).DeltaAggregatedResources(ctx)
		if err == nil {
			_, err = str.Recv()
		}
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("another name later on", func(t *testing.T) {
		c := r.open(r.dialTLS(sidecar), "sidecar")
		c.want(resource.ListenerType, []string{"*"}, "dragoman/127.0.0.1:15433")
		c.node = "gateway"
		c.subscribe(resource.ClusterType, "*")
		if m, _, err := c.next(); status.Code(err) != codes.PermissionDenied {
			t.Fatalf("got %v, %v", m, err)
		}
	})
	t.Run("types that are not served", func(t *testing.T) {
		c := r.open(r.dialTLS(sidecar), "sidecar")
		c.want(resource.ListenerType, []string{"*"}, "dragoman/127.0.0.1:15433")
		c.subscribe("type.googleapis.com/made.up.Type1", "*")
		if m, _, err := c.next(); status.Code(err) != codes.InvalidArgument {
			t.Fatalf("got %v, %v", m, err)
		}
		for _, n := range r.server.Nodes() {
			for _, ty := range n.Types {
				if ty.Type == "Type1" {
					t.Errorf("it is kept: %+v", n)
				}
			}
		}
	})
	t.Run("state of the world", func(t *testing.T) {
		str, err := discovery.NewAggregatedDiscoveryServiceClient(r.dialUnix()).StreamAggregatedResources(t.Context())
		if err == nil {
			_, err = str.Recv()
		}
		if status.Code(err) != codes.Unimplemented {
			t.Fatalf("got %v", err)
		}
	})
}

// TestPush: a new policy reaches the node as a new version of its extension and of
// nothing else, at once.
func TestPush(t *testing.T) {
	r := newRig(t, twoNodes)
	apply(t, r, "r1")
	c := r.open(r.dialUnix(), "gateway")
	for _, url := range types {
		c.subscribe(url, "*")
		if _, _, err := c.next(); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, r, "r1")
	c.quiet()
	began := time.Now()
	apply(t, r, "r2")
	m, names, err := c.next()
	if err != nil || m.GetTypeUrl() != resource.ExtensionConfigType || len(names) != 1 {
		t.Fatalf("%v %v %v", m.GetTypeUrl(), names, err)
	}
	took := time.Since(began)
	t.Logf("push took %s", took)
	if took > 30*time.Second {
		t.Errorf("the push took %s", took)
	}
	c.quiet()
}

// TestStatus: acknowledgements and refusals are visible.
func TestStatus(t *testing.T) {
	r := newRig(t, twoNodes)
	apply(t, r, "r1")
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	wait := func(what string, ok func(NodeStatus) bool) {
		t.Helper()
		if err := r.server.WaitNode(ctx, "gateway", ok); err != nil {
			t.Fatalf("%s: %v: %+v", what, err, r.server.Nodes())
		}
	}
	c := r.open(r.dialUnix(), "gateway")
	c.want(resource.ExtensionConfigType, []string{"*"}, "dragoman/shop")
	wait("in sync", func(n NodeStatus) bool { return n.Connected && n.InSync && n.PolicyWanted == "r1" })
	c.refuse = "no such module"
	apply(t, r, "r2")
	if _, _, err := c.next(); err != nil {
		t.Fatal(err)
	}
	wait("refused", func(n NodeStatus) bool { return !n.InSync && len(n.Types) == 1 && n.Types[0].Nack == "no such module" })
	c.quiet() // a refusal is not answered by the same again
	c.refuse = ""
	apply(t, r, "r3")
	if _, _, err := c.next(); err != nil {
		t.Fatal(err)
	}
	wait("healed", func(n NodeStatus) bool { return n.InSync && n.Types[0].Nack == "" })
	c.str.CloseSend()
	wait("gone", func(n NodeStatus) bool { return !n.Connected })
	for _, n := range r.server.Nodes() {
		if n.Name == "sidecar" && (n.Connected || n.InSync) {
			t.Errorf("the sidecar never came: %+v", n)
		}
	}
}

// TestApplyIsAllOrNothing: a config that cannot be built for one node changes no node.
func TestApplyIsAllOrNothing(t *testing.T) {
	r := newRig(t, twoNodes)
	apply(t, r, "r1")
	before := r.server.Nodes()
	broken := *r.cfg
	broken.Targets = append(broken.Targets[:0:0], broken.Targets...)
	broken.Targets[1].Addresses = []string{"nonsense"}
	if err := r.server.Apply(t.Context(), &broken, bundleOf("r2")); err == nil {
		t.Fatal("applied")
	}
	for i, n := range r.server.Nodes() {
		if n.Wanted != before[i].Wanted {
			t.Errorf("%s changed", n.Name)
		}
	}
}
