package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/pgserver"
)

var vmRSS = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// rss is the resident memory of a process, in bytes.
func rss(t testing.TB, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := vmRSS.FindSubmatch(b)
	if m == nil {
		t.Fatal("no VmRSS")
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10
}

// peak measures how much the process grows while f runs.
func peak(t testing.TB, pid int, f func()) int64 {
	before, most := rss(t, pid), int64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, rss(t, pid))
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most - before
}

// lines is a reader of so many bytes of COPY text.
func lines(bytes int64) io.Reader {
	line := strings.Repeat("x", 1022) + "\n"
	return io.LimitReader(repeated{line}, bytes/int64(len(line))*int64(len(line)))
}

type repeated struct{ line string }

func (r repeated) Read(p []byte) (int, error) {
	n := 0
	for n+len(r.line) <= len(p) {
		n += copy(p[n:], r.line)
	}
	if n == 0 {
		return 0, io.ErrShortBuffer
	}
	return n, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// maxGrowth is what Envoy may grow by, however much passes through it.
const maxGrowth = 200 << 20

// TestStreams sends a GiB through COPY in each direction, and single values of
// hundreds of MB, and watches Envoy's memory.
func TestStreams(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	execSQL(t, r.db, "clients", "CREATE UNLOGGED TABLE big (line text); ALTER TABLE big ALTER line SET STORAGE EXTERNAL")
	ctx := context.Background()
	c := r.place.connect(t)
	pid := proc.Child(r.cmd.Process.Pid, "envoy")
	const size = 1 << 30
	grown := func(name string, f func() int64) {
		began := time.Now()
		var moved int64
		growth := peak(t, pid, func() { moved = f() })
		t.Logf("%s: %d MiB in %v, Envoy grew by %d MiB", name, moved>>20, time.Since(began).Round(10*time.Millisecond), growth>>20)
		if growth > maxGrowth {
			t.Errorf("%s: Envoy grew by %d MiB", name, growth>>20)
		}
	}
	grown("COPY in", func() int64 {
		tag, err := c.PgConn().CopyFrom(ctx, lines(size), "COPY big FROM STDIN")
		if err != nil {
			t.Fatal(err)
		}
		return tag.RowsAffected() * 1023
	})
	grown("COPY out", func() int64 {
		var n counter
		if _, err := c.PgConn().CopyTo(ctx, &n, "COPY big TO STDOUT"); err != nil {
			t.Fatal(err)
		}
		return n.n
	})
	grown("SELECT of many rows", func() int64 {
		rows, err := c.PgConn().Exec(ctx, "SELECT line FROM big LIMIT 300000").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(rows[0].Rows)) * 1022
	})
	grown("one value out", func() int64 {
		var v string
		if err := c.QueryRow(ctx, "SELECT repeat('x', $1)", 400<<20).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return int64(len(v))
	})
	grown("one value in", func() int64 {
		var n int64
		if err := c.QueryRow(ctx, "SELECT length($1::bytea)", make([]byte, 400<<20)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	})
	alive(t, c)
}

// TestSlowReader: a client that does not read holds up the target, not Envoy's memory.
func TestSlowReader(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	s := r.session(t)
	pid := proc.Child(r.cmd.Process.Pid, "envoy")
	growth := peak(t, pid, func() {
		s.raw(t, query("SELECT repeat('x', 100000) FROM generate_series(1, 20000)")) // 2 GB
		time.Sleep(3 * time.Second)
	})
	t.Logf("Envoy grew by %d MiB", growth>>20)
	if growth > maxGrowth/2 {
		t.Errorf("Envoy grew by %d MiB", growth>>20)
	}
	alive(t, r.place.connect(t))
}

func query(text string) []byte {
	n := len(text) + 5
	return append(append([]byte{'Q', byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, text...), 0)
}
