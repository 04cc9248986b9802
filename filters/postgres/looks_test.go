package postgres

import (
	"testing"
	"time"
)

// TestLooks: unknown names make the gateway look into the target's catalog a few times at once, then once in a while.
func TestLooks(t *testing.T) {
	var l looks
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	count := func(tries int) (n int) {
		for range tries {
			if l.take(now) {
				n++
			}
		}
		return n
	}
	if n := count(1000); n != maxLooks {
		t.Errorf("%d at once", n)
	}
	if now = now.Add(lookEvery / 2); count(10) != 0 {
		t.Error("one too early")
	}
	if now = now.Add(lookEvery); count(10) != 1 {
		t.Error("not one more")
	}
	if now = now.Add(time.Hour); count(1000) != maxLooks {
		t.Error("more than at the beginning after a long time, or less")
	}
}
