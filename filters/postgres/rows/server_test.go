package rows

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/pgserver"
)

// server starts a PostgreSQL of its own, for one test.
func server(t *testing.T) func() *pgconn.PgConn {
	t.Helper()
	home, err := pgserver.Ensure(context.Background(), "../../../.tools", pgserver.V15)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Start(context.Background(), pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return func() *pgconn.PgConn { return connect(t, s) }
}

func connect(t *testing.T, s *pgserver.Server) *pgconn.PgConn {
	t.Helper()
	cfg, err := pgconn.ParseConfig(s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		list, _ := c.CustomData()["notices"].([]*pgconn.Notice)
		c.CustomData()["notices"] = append(list, n)
	}
	c, err := pgconn.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func run(t *testing.T, c *pgconn.PgConn, sql string) [][][]byte {
	t.Helper()
	res, err := c.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%.200s: %v", sql, err)
	}
	if len(res) == 0 {
		return nil
	}
	return res[len(res)-1].Rows
}
