//go:build kube

package kubee2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/record"
)

var marker = regexp.MustCompile(`k-[0-9]+-[0-9]+`)

// TestZKill kills Envoy, the bridge with the control plane, or both, under load. For every command that ran in the pod, and every
// object that was made, there is a frame, and of every answer that a client has seen, too: at most what was not delivered is missing. It is the last test, since the others have no use for it.
func TestZKill(t *testing.T) {
	if _, err := shared.cluster.Kubectl(t.Context(), "exec", "shell", "--", "rm", "-f", "/tmp/ran"); err != nil {
		t.Fatal(err)
	}
	token := shared.token(t, "ops")
	config := shared.kubeconfig(t, token)
	stop := make(chan struct{})
	var load sync.WaitGroup
	var answered atomic.Int64
	var seen said
	hammer := func(worker int, args func(mark string) []string) {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			cmd := exec.CommandContext(ctx, shared.cluster.Tools.Kubectl, args(fmt.Sprintf("k-%d-%d", worker, n))...)
			cmd.Env = append(os.Environ(), "KUBECONFIG="+config)
			out, err := cmd.Output()
			_, _ = seen.Write(out)
			if err == nil {
				answered.Add(1)
			}
			cancel()
		}
	}
	for w := range 2 {
		load.Go(func() {
			hammer(w, func(mark string) []string {
				return []string{"exec", "shell", "--", "sh", "-c", "echo " + mark + " >> /tmp/ran; echo " + mark}
			})
		})
	}
	load.Go(func() {
		hammer(9, func(mark string) []string { return []string{"create", "configmap", mark, "--from-literal=by=kill"} })
	})
	for round := range 3 {
		answers(t, &answered)
		if err := shared.Strike(round); err != nil {
			t.Fatal(err)
		}
	}
	answers(t, &answered)
	close(stop)
	load.Wait()
	out, err := shared.cluster.Kubectl(context.Background(), "exec", "shell", "--", "cat", "/tmp/ran")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := shared.cluster.Kubectl(context.Background(), "get", "configmaps", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	ran, made := marker.FindAllString(string(out), -1), marker.FindAllString(string(objects), -1)
	shown := marker.FindAllString(seen.String(), -1)
	var missing []string
	err = shared.await(func() bool {
		missing = nil
		kept, answers := recorded(t, filepath.Join(shared.Dir, "data"))
		for _, m := range append(ran, made...) {
			if !kept[m] {
				missing = append(missing, m)
			}
		}
		for _, m := range shown {
			if !answers[m] {
				missing = append(missing, "the answer "+m)
			}
		}
		return len(missing) == 0
	})
	t.Logf("%d commands ran, %d objects were made, %d answers were seen, %d without a frame", len(ran), len(made), len(shown), len(missing))
	if err != nil || len(ran) < 10 || len(made) < 5 || len(shown) < 15 {
		t.Errorf("%v: no frame for %v", err, missing)
	}
	for _, m := range made {
		_, _ = shared.cluster.Kubectl(context.Background(), "delete", "configmap", m, "--wait=false")
	}
}

// answers waits for some more.
func answers(t *testing.T, n *atomic.Int64) {
	t.Helper()
	before := n.Load()
	for end := time.Now().Add(2 * limit); n.Load() < before+5; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is answered")
		}
	}
}

// recorded are the sets of markers in actions and requests, and in responses.
func recorded(t *testing.T, data string) (kept, answers map[string]bool) {
	t.Helper()
	kept, answers = map[string]bool{}, map[string]bool{}
	frames(t, data, func(f *record.Frame) {
		for _, m := range marker.FindAllString(string(f.Payload), -1) {
			switch f.Kind {
			case record.KindRequest, record.KindAction:
				kept[m] = true
			case record.KindResponse:
				answers[m] = true
			}
		}
	})
	return kept, answers
}

// frames gives those of whatever file below the data folder.
func frames(t *testing.T, data string, each func(*record.Frame)) {
	t.Helper()
	if err := e2erig.Frames(data, each); err != nil {
		t.Fatal(err)
	}
}
