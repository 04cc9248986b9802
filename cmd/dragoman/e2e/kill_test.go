package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/envelope"
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

	seen := logged(t, db)
	var missing []string
	// What was left in the spool by the dead is recovered and shipped by the living.
	waitFor(60*time.Second, func() bool {
		missing = missing[:0]
		kept := recorded(t, filepath.Join(g.dir, "data"))
		for m := range seen {
			if !kept[m] {
				missing = append(missing, m)
			}
		}
		return len(missing) == 0
	})
	if len(missing) > 0 {
		t.Errorf("%d of %d statements that the target saw have no frame: %.10v", len(missing), len(seen), missing)
	}
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
	envoyPid := childOf(g.cmd.Process.Pid, "envoy")
	switch what {
	case 0:
		if envoyPid != 0 {
			syscall.Kill(envoyPid, syscall.SIGKILL)
		}
		return
	case 1:
		g.cmd.Process.Kill()
	case 2:
		if envoyPid != 0 {
			syscall.Kill(envoyPid, syscall.SIGKILL)
		}
		g.cmd.Process.Kill()
	}
	<-g.done
	g.start()
}

// childOf finds the child process of that name.
func childOf(parent int, name string) int {
	dirs, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, d := range dirs {
		b, err := os.ReadFile(d)
		if err != nil {
			continue
		}
		s := string(b)
		open, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
		if open < 0 || end < 0 {
			continue
		}
		fields := strings.Fields(s[end+1:])
		if ppid, _ := strconv.Atoi(fields[1]); ppid == parent && strings.HasPrefix(s[open+1:end], name) {
			pid, _ := strconv.Atoi(strings.TrimSpace(s[:open]))
			return pid
		}
	}
	return 0
}

// logged is the set of markers in the target's own log.
func logged(t *testing.T, db *pgserver.Server) map[string]bool {
	t.Helper()
	f, err := os.Open(db.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := marker.FindString(s.Text()); m != "" {
			seen[m] = true
		}
	}
	if len(seen) == 0 {
		t.Fatal("the target's log saw nothing")
	}
	return seen
}

// recorded is the set of markers in request frames, in whatever file below the data folder.
func recorded(t *testing.T, data string) map[string]bool {
	t.Helper()
	ring, err := envelope.Open(context.Background(), "file:"+filepath.Join(data, "keys", "bodies.kek"))
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	archive := audit.NewArchive(blob.NewFiles(filepath.Join(data, "audit")), ring)
	kept := map[string]bool{}
	filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		var r *record.Reader
		if key, ok := strings.CutPrefix(path, filepath.Join(data, "audit")+"/"); ok {
			r, err = archive.Open(context.Background(), key)
		} else {
			r, err = record.OpenPath(path)
		}
		if err != nil {
			return nil
		}
		defer r.Close()
		for {
			f, err := r.Next()
			if errors.Is(err, io.EOF) || err != nil {
				return nil
			}
			if f.Kind == record.KindRequest || f.Kind == record.KindAction {
				for _, m := range marker.FindAllString(string(f.Payload), -1) {
					kept[m] = true
				}
			}
		}
	})
	return kept
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
