package authz

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkOpen is what opening a session costs beside the gateway: the call
// over a unix socket, the token, the registry. Alone, and 32 at a time.
func BenchmarkOpen(b *testing.B) {
	w := newWorld(b)
	raw, _, err := w.issuer.Mint(b.Context(), alicesBot)
	if err != nil {
		b.Fatal(err)
	}
	open := func(b *testing.B) time.Duration {
		start := time.Now()
		res, err := w.Open(b.Context(), openOf(raw))
		if err != nil {
			b.Error(err)
		}
		d := time.Since(start)
		w.sessions.Ended(res.Session)
		return d
	}
	for name, at := range map[string]int{"alone": 1, "crowd": 32} {
		b.Run(name, func(b *testing.B) {
			var mu sync.Mutex
			var all []time.Duration
			b.SetParallelism(max(1, at/2))
			if at == 1 {
				for b.Loop() {
					all = append(all, open(b))
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						d := open(b)
						mu.Lock()
						all = append(all, d)
						mu.Unlock()
					}
				})
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds()), "µs-p50")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "µs-p99")
		})
	}
}
