package load

import (
	"errors"
	"math"
	"testing"

	"dragoman.dev/dragoman/internal/bench/peer"
)

func TestParseProgress(t *testing.T) {
	for _, c := range []struct {
		line string
		want progress
		ok   bool
	}{
		{"progress: 1732478000.123 s, 5123.4 tps, lat 1.556 ms stddev 0.300, 0 failed", progress{1732478000.123, 5123.4}, true},
		{"progress: 1.0 s, 0.0 tps, lat NaN ms stddev NaN", progress{1, 0}, true},
		{"pgbench: error: connection to server failed", progress{}, false},
		{"", progress{}, false},
	} {
		if got, ok := parseProgress(c.line); got != c.want || ok != c.ok {
			t.Errorf("%q gave %v, %v", c.line, got, ok)
		}
	}
}

func TestWindowLeavesTheFirstReportOut(t *testing.T) {
	w := window{peer: &peer.Peer{Name: peer.Direct}}
	for _, p := range []progress{{9, 0}, {10, 999999}, {11, 100}, {13, 400}} {
		w.add(p)
	}
	r, err := w.rate()
	if err != nil || math.Abs(r.PerSecond-300) > 1e-9 {
		t.Errorf("got %v a second, want (100 + 2×400) / 3: %v", r.PerSecond, err)
	}
	if _, err := (&window{reports: []progress{{10, 5}}}).rate(); !errors.Is(err, errFew) {
		t.Error("one report was enough:", err)
	}
}

func TestProcessed(t *testing.T) {
	summary := "scaling factor: 10\nnumber of transactions actually processed: 4711\nnumber of failed transactions: 0 (0.000%)\n"
	if got := processed(summary); got != 4711 {
		t.Errorf("got %v", got)
	}
	if got := processed("nothing"); !math.IsNaN(got) {
		t.Errorf("got %v of nothing", got)
	}
}
