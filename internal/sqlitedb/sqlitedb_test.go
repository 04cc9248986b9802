package sqlitedb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c", "x#1.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", fi, err)
	}
	for _, steps := range [][]string{{"CREATE TABLE t (id INTEGER PRIMARY KEY)"},
		{"CREATE TABLE t (id INTEGER PRIMARY KEY)", "ALTER TABLE t ADD n INTEGER"}} {
		for range 2 {
			if err := Migrate(t.Context(), db, "t", steps...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := Migrate(t.Context(), db, "t", "x"); err == nil || !strings.Contains(err.Error(), "newer dragoman") {
		t.Fatalf("downgrade: %v", err)
	}
	if _, err := db.Exec("INSERT INTO t VALUES (1, 2)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO t VALUES (1, 2)"); !IsUnique(err) {
		t.Fatalf("IsUnique: %v", err)
	}
	var mode string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Fatalf("%q %v", mode, err)
	}
	if err := Migrate(t.Context(), db, "u", "CREATE TABLE u (x)", "oops"); err == nil {
		t.Fatal("bad step passed")
	}
	if err := Migrate(t.Context(), db, "u", "CREATE TABLE u (x)"); err != nil {
		t.Fatalf("a failed migration left something: %v", err)
	}
}
