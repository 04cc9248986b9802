package approval_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/authz/approval/storetest"
	"dragoman.dev/dragoman/internal/sqlitedb"
)

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) approval.Store {
		s, _ := openSQLite(t, filepath.Join(t.TempDir(), "authz.db"))
		return s
	})
}

func openSQLite(t *testing.T, path string) (*approval.SQLite, *sql.DB) {
	t.Helper()
	db, err := sqlitedb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := approval.NewSQLite(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}
