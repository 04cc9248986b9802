//go:build kube

package kubee2e

import (
	"strings"
	"testing"
)

// TestEdge: a node with an Envoy and a bridge of its own serves a cluster as the gateway does, is told the policy, keeps no
// credential of the cluster, and what it records arrives.
func TestEdge(t *testing.T) {
	shared.edge.Start(t, shared.envoy)
	r, token := shared.at(shared.aside), shared.token(t, "ops")
	err := r.await(func() bool { // its Envoy, too
		_, _, code := output(t, r.kubectl(t, token, "get", "pods"), "")
		return code == 0
	})
	if err != nil {
		t.Fatal(err)
	}
	execs(t, r, token, "")
	if o, e, code := output(t, r.kubectl(t, token, "exec", "shell", "--", "echo", "on-the-edge"), ""); code != 0 {
		t.Error(o, e)
	}
	b := shared.edge.Bridge(t)
	if b.State != "serves" || b.Targets != 1 {
		t.Errorf("the bridge: %+v", b)
	}
	shared.edge.Lacks(t, shared.account)
	if out := shared.Must(t, "sessions", "show", shared.last(t, "on-the-edge"), "--json"); !strings.Contains(out, `"node": "edge"`) {
		t.Errorf("the record does not name the node: %s", out)
	}
}
