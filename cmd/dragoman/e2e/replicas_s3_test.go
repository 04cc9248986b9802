//go:build s3

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob/bucket"
	"dragoman.dev/dragoman/internal/envelope"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/s3server"
)

// TestReplicasS3 is TestReplicas with records in a bucket of a real S3 server, with object lock: ingest, search, holds and live
// tail through either, and the death of the one that keeps the records.
func TestReplicasS3(t *testing.T) {
	server, err := s3server.Start(filepath.Join(repo, ".tools"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	for name, value := range s3server.Env() {
		t.Setenv(name, value)
	}
	url, err := server.Bucket(t.Context(), "records", true)
	if err != nil {
		t.Fatal(err)
	}
	w := newTwins(t, fmt.Sprintf("audit:\n  bodies: {url: %q, lock: {for: 1h, mode: governance}}\n", url))
	w.kept = func() map[string]bool { return recordedIn(t, url, w.shared) }
	w.run(t)
	if left, _ := filepath.Glob(filepath.Join(w.shared, "audit", "sessions", "*", "*", "*", "*")); len(left) > 0 {
		t.Error("records are in the folder:", left)
	}
}

// recordedIn is recorded for a bucket.
func recordedIn(t *testing.T, url, shared string) map[string]bool {
	t.Helper()
	ctx := context.Background()
	ring, err := envelope.Open(ctx, "file:"+filepath.Join(shared, "keys", "bodies.kek"))
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	b, closed, err := bucket.Open(ctx, url, bucket.Lock{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed()
	archive, kept := audit.NewArchive(b, ring), map[string]bool{}
	err = b.List(ctx, "sessions/", func(key string) error {
		r, err := archive.Open(ctx, key)
		if err != nil {
			return nil // sealed meanwhile
		}
		defer r.Close()
		for f, err := r.Next(); err == nil; f, err = r.Next() {
			if f.Kind == record.KindRequest || f.Kind == record.KindAction {
				for _, m := range marker.FindAllString(string(f.Payload), -1) {
					kept[strings.Clone(m)] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}
