package mysqlserver

import (
	"context"
	"database/sql"
	"testing"

	_ "github.com/go-sql-driver/mysql"
)

// TestStart runs both servers and asks each who it is.
func TestStart(t *testing.T) {
	for _, kind := range []Kind{MariaDB, MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			ctx := context.Background()
			home, err := Ensure(ctx, "../../.tools", kind)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Start(ctx, Options{Kind: kind, Home: home, SQL: "CREATE DATABASE shop;\n"})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			}()
			db, err := sql.Open("mysql", "root:root@unix("+s.Socket()+")/shop")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var version string
			if err := db.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
				t.Fatal(err)
			}
			t.Log(version)
		})
	}
}
