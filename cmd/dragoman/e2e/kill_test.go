package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/record"
)

// killRounds is how often something is killed: 20, or DRAGOMAN_KILL_ROUNDS.
func killRounds() int {
	if n, err := strconv.Atoi(os.Getenv("DRAGOMAN_KILL_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 20
}

// TestKill kills Envoy, dragoman or both with SIGKILL under load. For every
// statement that the target's own log saw there must be a frame.
func TestKill(t *testing.T) {
	for _, durability := range []string{"write", "fsync"} {
		t.Run(durability, func(t *testing.T) { kill(t, durability, (killRounds()+1)/2) })
	}
}

var marker = regexp.MustCompile(`k-[0-9]+-[0-9]+`)

func kill(t *testing.T, durability string, rounds int) {
	db := postgres(t, pgserver.Newest, pgserver.Options{Settings: map[string]string{"log_statement": "all"}})
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + target("pg", port, db, "postgres", "audit: {durability: "+durability+"}") + "policy:\n  dir: policy\n",
		Files:  map[string]string{"pg-password": db.Password + "\n", "policy/rules.yaml": allowAll},
	}).start()
	p := place{Port: port, User: "agent", Password: g.token("analysts"), Database: "postgres"}

	stop := make(chan struct{})
	var load sync.WaitGroup
	var answered atomic.Int64
	for w := range 4 {
		load.Go(func() { hammer(p, w, stop, &answered) })
	}
	for round := range rounds {
		before := answered.Load()
		waitUntil(t, 60*time.Second, "statements are answered", func() bool { return answered.Load() > before+20 })
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		strike(t, g, round%3)
	}
	before := answered.Load()
	waitUntil(t, 60*time.Second, "statements are answered at the end", func() bool { return answered.Load() > before+20 })
	close(stop)
	load.Wait()

	seen := markersIn(t, db.LogFile())
	missing := unrecorded(t, g.kept, seen)
	g.stop()
	g.must("audit", "verify")
	t.Logf("%s: %d rounds, %d statements in the target's log, %d without a frame", durability, rounds, len(seen), len(missing))
}

// hammer sends statements with markers of their own, over both protocols, and
// connects again when the connection is gone.
func hammer(p place, worker int, stop <-chan struct{}, answered *atomic.Int64) {
	ctx := context.Background()
	for n := 0; ; {
		select {
		case <-stop:
			return
		default:
		}
		c, err := pgx.Connect(ctx, p.dsn()+" sslmode=prefer password="+p.Password)
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		for err == nil {
			select {
			case <-stop:
				c.Close(ctx)
				return
			default:
			}
			n++
			mode := pgx.QueryExecModeSimpleProtocol
			if n%2 == 0 {
				mode = pgx.QueryExecModeDescribeExec
			}
			if _, err = c.Exec(ctx, fmt.Sprintf("SELECT 'k-%d-%d'", worker, n), mode); err == nil {
				answered.Add(1)
			}
		}
		c.Close(ctx)
	}
}

// strike kills Envoy (0), dragoman (1; its Envoy goes with it) or both (2) and brings back what does not come back by itself.
func strike(t *testing.T, g *gateway, what int) {
	t.Helper()
	if pid := proc.Child(g.cmd.Process.Pid, "envoy"); what != 1 && pid != 0 {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if what == 0 {
		return
	}
	g.cmd.Process.Kill()
	<-g.done
	g.start()
}

// recorded is the set of markers in request frames, in whatever file below the data folder.
func recorded(t testing.TB, data string) map[string]bool {
	t.Helper()
	kept := map[string]bool{}
	if err := e2erig.Frames(data, func(f *record.Frame) {
		if f.Kind == record.KindRequest || f.Kind == record.KindAction {
			for _, m := range marker.FindAllString(string(f.Payload), -1) {
				kept[strings.Clone(m)] = true
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return kept
}

// unrecorded are those of the markers which the target saw that have no frame, once those are shipped that the dead have left
// behind in the spool.
func unrecorded(t testing.TB, kept func() map[string]bool, seen map[string]bool) []string {
	t.Helper()
	var missing []string
	waitFor(3*time.Minute, func() bool {
		missing = missing[:0]
		have := kept()
		for m := range seen {
			if !have[m] {
				missing = append(missing, m)
			}
		}
		return len(missing) == 0
	})
	if len(missing) > 0 {
		t.Errorf("%d of %d that the target saw have no frame: %.10v", len(missing), len(seen), missing)
	}
	return missing
}

// kept gives what is recorded in the gateway's data folder.
func (g *gateway) kept() map[string]bool { return recorded(g.t, filepath.Join(g.dir, "data")) }

// markers are those in a text; there are some.
func markers(t testing.TB, text []byte) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range marker.FindAll(text, -1) {
		seen[string(m)] = true
	}
	if len(seen) == 0 {
		t.Fatal("the target saw nothing")
	}
	return seen
}

// markersIn are those in the target's own log.
func markersIn(t testing.TB, log string) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return markers(t, b)
}

func waitFor(d time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(d); ; time.Sleep(50 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

func waitUntil(t testing.TB, d time.Duration, what string, ok func() bool) {
	t.Helper()
	if !waitFor(d, ok) {
		t.Fatalf("waited %v in vain until %s", d, what)
	}
}
