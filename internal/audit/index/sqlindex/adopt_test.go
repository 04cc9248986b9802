package sqlindex_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/indextest"
)

// TestAdopt: what records do not prove goes along from one store to the other.
func TestAdopt(t *testing.T) {
	from := openSQLite(t, filepath.Join(t.TempDir(), "index.db"))
	var b index.Batch
	for n := range 120 {
		s := indextest.Sample(n)
		s.Node = fmt.Sprint("node", n%3)
		b.Sessions = append(b.Sessions, s)
	}
	if err := from.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	nodes, err := from.Nodes(t.Context())
	if err != nil || len(nodes) != 120 {
		t.Fatal(len(nodes), err)
	}
	to := openPostgres(t, newDatabase(t))
	for range 2 {
		if err := to.Adopt(t.Context(), nodes); err != nil {
			t.Fatal(err)
		}
	}
	if stale, err := to.Stale(t.Context()); !stale || err != nil {
		t.Fatal(stale, err)
	}
	got, err := to.Rebuild(t.Context())
	if err != nil || len(got) != 120 || got[indextest.Sample(4).ID] != "node1" {
		t.Fatal(len(got), err)
	}
}
