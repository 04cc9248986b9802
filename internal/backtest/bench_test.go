package backtest

import (
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/backtest/backtesttest"
	"dragoman.dev/dragoman/internal/policy"
)

// BenchmarkRun is how many actions a second are judged from sealed records with 300 bytes of answer each, half of
// them with a text of their own: by a policy that does not look at the text, and by one that does.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		name     string
		sessions int
		actions  int
	}{{"long", 50, 1000}, {"short", 2000, 10}} {
		dir, sessions := madeStore(b, backtesttest.Made{Seed: 9, Sessions: c.sessions, Actions: c.actions, Response: 300})
		n := backtesttest.Count(sessions)
		for _, e := range []struct {
			name   string
			engine *policy.Engine
		}{{"facts", folder(b, "new")}, {"text", folder(b, "text")}} {
			b.Run(c.name+"/"+e.name, func(b *testing.B) {
				began, done := time.Now(), 0
				for b.Loop() {
					rep, err := Run(b.Context(), Options{Dir: dir, Engine: e.engine})
					if err != nil || rep.Actions != int64(n) {
						b.Fatal(rep, err)
					}
					done += n
				}
				b.ReportMetric(float64(done)/time.Since(began).Seconds(), "actions/s")
			})
		}
	}
}
