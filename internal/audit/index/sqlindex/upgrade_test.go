package sqlindex_test

import (
	"path/filepath"
	"testing"

	"dragoman.dev/dragoman/internal/sqlitedb"
)

// TestOlderVersion: an index of version 2 is made again, and what its records do not prove stays.
func TestOlderVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	db, err := sqlitedb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	// Of the columns of that version, those that matter.
	const v1 = `CREATE TABLE sessions (id TEXT PRIMARY KEY, file TEXT NOT NULL, node TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (kind TEXT, value TEXT, session TEXT); CREATE TABLE actions (session TEXT, ordinal INTEGER);
INSERT INTO sessions VALUES ('ses_a', 'f', 'n1'), ('ses_b', 'f', 'n2');`
	const v2 = `CREATE TABLE leaves (n INTEGER PRIMARY KEY, session TEXT); INSERT INTO leaves VALUES (0, 'ses_a'), (1, 'ses_b');`
	if err := sqlitedb.Migrate(t.Context(), db, "audit", v1, v2); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	x := openSQLite(t, path)
	if stale, err := x.Stale(t.Context()); !stale || err != nil {
		t.Fatal(stale, err)
	}
	if n, err := x.NextLeaf(t.Context()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	nodes, err := x.Rebuild(t.Context())
	if err != nil || len(nodes) != 2 || nodes["ses_b"] != "n2" {
		t.Fatal(nodes, err)
	}
	if err := x.Rebuilt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stale, err := openSQLite(t, path).Stale(t.Context()); stale || err != nil {
		t.Fatal(stale, err)
	}
}
