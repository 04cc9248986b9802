package lockout

import (
	"fmt"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	l := New(Config{Burst: 3, Refill: time.Second, Capacity: 2}, func() time.Time { return now })
	fail := func(addr string, n int) {
		for range n {
			l.Failed(addr)
		}
	}
	fail("192.0.2.1:1", 2)
	if w := l.Locked("192.0.2.1:9"); w != 0 {
		t.Fatal(w)
	}
	fail("192.0.2.1:2", 50) // the same host, another port; more do not prolong it
	if w := l.Locked("[::ffff:192.0.2.1]:3"); w != time.Second {
		t.Fatal(w)
	}
	now = now.Add(time.Second)
	if w := l.Locked("192.0.2.1:1"); w != 0 {
		t.Fatal(w)
	}
	fail("[2001:db8::1]:1", 3)
	if w := l.Locked("[2001:db8::ffff:2]:1"); w == 0 { // the same /64
		t.Fatal("a host changes its address within its network")
	}
	if w := l.Locked("[2001:db8:0:1::1]:1"); w != 0 {
		t.Fatal(w)
	}
	fail("unix", 3)
	if l.Locked("") == 0 {
		t.Fatal("what has no address shares a bucket")
	}
	for i := range 100 {
		fail(fmt.Sprintf("198.51.100.%d:1", i), 1)
	}
	if len(l.buckets) != 2 || l.order.Len() != 2 {
		t.Fatal(len(l.buckets), l.order.Len())
	}
	off := New(Config{Burst: -1}, time.Now)
	for range 100 {
		off.Failed("192.0.2.1:1")
	}
	if off.Locked("192.0.2.1:1") != 0 || len(off.buckets) != 0 {
		t.Fatal("it is off")
	}
}
