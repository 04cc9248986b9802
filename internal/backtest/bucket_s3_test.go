//go:build s3

package backtest

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/bucket"
	"dragoman.dev/dragoman/internal/backtest/backtesttest"
	"dragoman.dev/dragoman/internal/s3server"
)

// TestBucketS3: a backtest of records in a bucket of a real S3 server says what one of files says; and what it costs more, in
// turns. A record is read in some requests, whatever it has in it: short sessions pay most.
func TestBucketS3(t *testing.T) {
	server, err := s3server.Start(filepath.Join("..", "..", ".tools"), t.TempDir())
	must(t, err)
	t.Cleanup(func() { server.Stop() })
	for name, value := range s3server.Env() {
		t.Setenv(name, value)
	}
	for _, m := range []backtesttest.Made{{Seed: 9, Sessions: 30, Actions: 1000, Response: 300}, {Seed: 9, Sessions: 600, Actions: 10, Response: 300}} {
		dir, sessions := madeStore(t, m)
		url, err := server.Bucket(t.Context(), "records-"+string(rune('a'+m.Actions%26)), false)
		must(t, err)
		store, closed, err := bucket.Open(t.Context(), url, bucket.Lock{})
		must(t, err)
		defer closed()
		files := blob.NewFiles(dir)
		must(t, files.List(t.Context(), "sessions/", func(key string) error { _, err := blob.Copy(t.Context(), files, store, key, false); return err }))
		in := func(bodies blob.Store) Options {
			archive := audit.NewArchive(bodies, nil)
			opt := Options{Dir: dir, Engine: folder(t, "new"), Open: func(name string) (Record, error) { return archive.Open(t.Context(), name) }}
			if bodies != files {
				opt.Bodies = bodies
			}
			return opt
		}
		took, cpu, reports := map[string][]time.Duration{}, map[string]time.Duration{}, map[string]string{}
		for range 3 {
			for name, bodies := range map[string]blob.Store{"files": files, "bucket": store} {
				began, used := time.Now(), usedCPU()
				rep, err := Run(t.Context(), in(bodies))
				must(t, err)
				took[name], cpu[name] = append(took[name], time.Since(began)), cpu[name]+usedCPU()-used
				text, err := json.Marshal(rep)
				must(t, err)
				reports[name] = string(text)
			}
		}
		if reports["files"] != reports["bucket"] {
			t.Errorf("from files:\n%s\nfrom the bucket:\n%s", reports["files"], reports["bucket"])
		}
		n := backtesttest.Count(sessions)
		for _, name := range slices.Sorted(maps.Keys(took)) {
			t.Logf("%d sessions of %d actions from %s: %.0f actions/s, %v of CPU a session", m.Sessions, m.Actions, name,
				float64(n)/slices.Min(took[name]).Seconds(), (cpu[name] / time.Duration(3*m.Sessions)).Round(10*time.Microsecond))
		}
	}
}

// usedCPU is this process's.
func usedCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
