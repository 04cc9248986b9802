//go:build rdp

package rdpe2e

import (
	"strings"
	"testing"
)

// TestEdge: a node with an Envoy and a bridge of its own serves a desktop with network level authentication, keeps nothing to
// log in with, and what it records arrives.
func TestEdge(t *testing.T) {
	shared.edge.Start(t, shared.envoy)
	c := shared.connect(t, "aside", shared.token(t, "agent:edge", "ops"))
	green := deskBlue
	green.R, green.G, green.B = 0x20, 0x60, 0x40
	await(t, "the desktop", func() bool { return near(shared.shot(t).At(400, 300), green) })
	if b := shared.edge.Bridge(t); b.State != "serves" || b.Targets != 1 {
		t.Errorf("the bridge: %+v", b)
	}
	await(t, "its session is counted", func() bool { return shared.edge.Bridge(t).Sessions == 1 })
	c.close()
	id := shared.last(t, "agent:edge")
	if out := shared.must(t, "sessions", "show", id, "--json"); !strings.Contains(out, `"node": "edge"`) {
		t.Errorf("the record does not name the node: %s", out)
	}
	shared.edge.Lacks(t, shared.shadow.Password)
}
