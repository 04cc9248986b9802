package page

import (
	"fmt"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/lockout"
)

// TestFlowsOfOthers: whoever begins sign-ins without end loses their own, and nobody else can be kept from signing in by it.
func TestFlowsOfOthers(t *testing.T) {
	var f flows
	now := time.Unix(1000, 0)
	begin := func(addr, state string) string {
		return f.add(flow{state: state, begun: now}, lockout.Client(addr), now)
	}
	alice := begin("192.0.2.1:1", "alice")
	first := begin("198.51.100.1:1", "first")
	for range 30_000 {
		begin("198.51.100.1:2", "x")
	}
	if len(f.m) != 1+maxFlowsPer {
		t.Fatalf("one address has %d", len(f.m)-1)
	}
	if _, ok := f.take(first, now); ok {
		t.Error("the oldest of an address with too many is still there")
	}
	for i := range 30_000 { // 100 addresses
		begin(fmt.Sprintf("203.0.113.%d:1", i%100), "y")
	}
	bob := begin("192.0.2.2:1", "bob")
	if len(f.m) > maxFlows {
		t.Fatalf("%d are kept", len(f.m))
	}
	for name, cookie := range map[string]string{"alice": alice, "bob": bob} {
		if one, ok := f.take(cookie, now); !ok || one.state != name {
			t.Errorf("%s cannot sign in any more", name)
		}
		if _, ok := f.take(cookie, now); ok {
			t.Errorf("%s signs in twice", name)
		}
	}
	late := begin("192.0.2.3:1", "late")
	now = now.Add(flowLife + time.Second)
	if _, ok := f.take(late, now); ok {
		t.Error("a sign-in counts after its time")
	}
	begin("192.0.2.1:1", "again")
	for i := range 100 {
		f.trim(lockout.Client(fmt.Sprintf("203.0.113.%d:1", i)), now)
	}
	f.trim(lockout.Client("198.51.100.1:1"), now)
	if len(f.m) != 1 {
		t.Errorf("%d are left of those whose time is over", len(f.m)-1)
	}
}

// TestFlowsThatAreTaken: sign-ins that come to their end take nobody's place.
func TestFlowsThatAreTaken(t *testing.T) {
	var f flows
	now := time.Unix(1000, 0)
	for range 3 * maxFlowsPer {
		if _, ok := f.take(f.add(flow{begun: now}, lockout.Client("192.0.2.1:1"), now), now); !ok {
			t.Fatal("it is not there")
		}
	}
	if n := len(f.order[lockout.Client("192.0.2.1:1")]); n > 1 || len(f.m) != 0 {
		t.Errorf("%d and %d are left", n, len(f.m))
	}
}
