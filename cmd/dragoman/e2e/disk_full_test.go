package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"dragoman.dev/dragoman/internal/pgserver"
)

// smallDisk mounts a tmpfs of a size on a folder, until the test ends. fill takes all room; room gives it back.
func smallDisk(t *testing.T, dir, size string) (fill func(), room func()) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatalf("this test needs root to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "ballast")
	fill = func() {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for block := make([]byte, 4096); ; {
			if _, err := f.Write(block); err != nil {
				return
			}
		}
	}
	room = func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	return fill, room
}

// TestSpoolFull: while the spool's disk is full, statements are refused with a clear error; they work again when there is room,
// without a restart; and nothing that the target saw is missing from the record.
func TestSpoolFull(t *testing.T) {
	for _, durability := range []string{"write", "fsync"} {
		t.Run(durability, func(t *testing.T) { spoolFull(t, durability) })
	}
}

func spoolFull(t *testing.T, durability string) {
	ctx := context.Background()
	db := postgres(t, pgserver.Newest, pgserver.Options{Settings: map[string]string{"log_statement": "all"}})
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + target("pg", port, db, "postgres", "audit: {durability: "+durability+"}") + "policy:\n  dir: policy\n",
		Files:  map[string]string{"pg-password": db.Password + "\n", "policy/rules.yaml": allowAll},
	})
	data := filepath.Join(g.dir, "data")
	fill, room := smallDisk(t, filepath.Join(data, "spool"), "8m")
	g.start()
	p := place{Port: port, User: "agent", Password: g.token("analysts"), Database: "postgres"}
	c := p.connect(t)
	n := 0
	run := func() error {
		n++
		_, err := c.Exec(ctx, fmt.Sprintf("SELECT 'k-1-%d' -- %s", n, strings.Repeat("x", 4000)), pgx.QueryExecModeSimpleProtocol)
		return err
	}
	for range 20 {
		if err := run(); err != nil {
			t.Fatal(err)
		}
	}
	var refused *pgconn.PgError
	for end := time.Now().Add(30 * time.Second); !errors.As(refusedBy(run, fill), &refused); {
		if time.Now().After(end) {
			t.Fatal("a full disk refuses nothing")
		}
	}
	t.Logf("an open session is told: %s %s %s: %s", refused.Severity, refused.Code, refused.Message, refused.Hint)
	if !strings.Contains(refused.Message, "recorded") || refused.Code != "53100" && refused.Code != "58030" {
		t.Error("the error does not say what is wrong")
	}
	out := p.psql(t, "SELECT 'k-2-1' AS first;\nSELECT 'k-2-2' AS second;\n")
	t.Logf("psql is told: %s", strings.TrimSpace(out))
	if !strings.Contains(out, "record") || strings.Contains(out, "k-2-1") || strings.Contains(out, "k-2-2") {
		t.Error("what psql sends is not refused, or not clearly")
	}
	room()
	waitUntil(t, 60*time.Second, "psql works again", func() bool { return strings.Contains(p.psql(t, "SELECT 'k-3-1' AS again;\n"), "k-3-1") })
	if refused.Severity == "ERROR" {
		if err := run(); err != nil {
			t.Errorf("the open session does not go on: %v", err)
		}
	}
	c.Close(ctx)
	fullUnderLoad(t, p, fill, room)
	seen := markersIn(t, db.LogFile())
	missing := unrecorded(t, func() map[string]bool { return recorded(t, data) }, seen)
	g.stop()
	g.must("audit", "verify")
	t.Logf("%d statements tried, %d in the target's log, %d without a frame", n, len(seen), len(missing))
}

// fullUnderLoad fills the disk again and again while clients work.
func fullUnderLoad(t *testing.T, p place, fill, room func()) {
	stop := make(chan struct{})
	var load sync.WaitGroup
	var answered atomic.Int64
	for w := range 3 {
		load.Go(func() { hammer(p, 10+w, stop, &answered) })
	}
	for range 4 {
		before := answered.Load()
		waitUntil(t, 60*time.Second, "statements are answered", func() bool { return answered.Load() > before+20 })
		for range 20 { // what is shipped meanwhile frees room
			fill()
			time.Sleep(20 * time.Millisecond)
		}
		room()
	}
	before := answered.Load()
	waitUntil(t, 60*time.Second, "statements are answered at the end", func() bool { return answered.Load() > before+20 })
	close(stop)
	load.Wait()
}

// refusedBy fills the disk, as what was shipped frees room again, and tries a statement.
func refusedBy(run func() error, fill func()) error {
	fill()
	return run()
}
