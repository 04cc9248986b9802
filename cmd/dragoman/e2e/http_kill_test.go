package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHTTPKill kills Envoy, dragoman or both with SIGKILL under load: every request that nginx saw has a frame.
func TestHTTPKill(t *testing.T) {
	n := nginx(t, "", map[string]string{"hello.txt": "hello\n"})
	g, url := httpGateway(t, n.Addr, "", allowHTTP)
	token := g.token("agents")
	stop := make(chan struct{})
	var load sync.WaitGroup
	var answered atomic.Int64
	for w := range 4 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				a, err := tryAsk(http.DefaultClient, token, "GET", fmt.Sprintf("%s/hello.txt?m=k-%d-%d", url, w, i), "")
				if err != nil || a.StatusCode != 200 {
					time.Sleep(20 * time.Millisecond)
					continue
				}
				answered.Add(1)
			}
		})
	}
	rounds := max(3, killRounds()/4)
	for round := range rounds {
		before := answered.Load()
		waitUntil(t, 60*time.Second, "requests are answered", func() bool { return answered.Load() > before+20 })
		strike(t, g, round%3)
	}
	before := answered.Load()
	waitUntil(t, 60*time.Second, "requests are answered at the end", func() bool { return answered.Load() > before+20 })
	close(stop)
	load.Wait()
	lines, err := n.Log()
	if err != nil {
		t.Fatal(err)
	}
	seen := markers(t, []byte(strings.Join(lines, "\n")))
	missing := unrecorded(t, g.kept, seen)
	g.stop()
	if out := g.must("audit", "verify"); strings.Contains(out, "FAIL") {
		t.Error(out)
	}
	t.Logf("%d rounds, %d requests in the target's log, %d without a frame", rounds, len(seen), len(missing))
}
