package sqlindex_test

import (
	"path/filepath"
	"testing"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/indextest"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
)

func openSQLite(t testing.TB, path string) *sqlindex.Index {
	t.Helper()
	x, err := sqlindex.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func TestSQLite(t *testing.T) {
	indextest.Run(t, func(t *testing.T) (index.Index, func() index.Index) {
		path := filepath.Join(t.TempDir(), "index.db")
		return openSQLite(t, path), func() index.Index { return openSQLite(t, path) }
	})
}
