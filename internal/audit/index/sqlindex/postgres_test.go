package sqlindex_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/audit/index/indextest"
	"dragoman.dev/dragoman/internal/audit/index/sqlindex"
	"dragoman.dev/dragoman/internal/pgserver"
)

var server *pgserver.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run has one server for all tests; each has a database of its own.
func run(m *testing.M) int {
	ctx := context.Background()
	home, err := pgserver.Ensure(ctx, "../../../../.tools", pgserver.Newest)
	if err == nil {
		server, err = pgserver.Start(ctx, pgserver.Options{Home: home})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Stop()
	return m.Run()
}

var databases atomic.Int64

func newDatabase(t testing.TB) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	name := fmt.Sprintf("t%d", databases.Add(1))
	if _, err := c.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return server.URL(name)
}

func openPostgres(t testing.TB, url string) *sqlindex.Index {
	t.Helper()
	x, err := sqlindex.OpenPostgres(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func TestPostgres(t *testing.T) {
	indextest.Run(t, func(t *testing.T) (index.Index, func() index.Index) {
		url := newDatabase(t)
		return openPostgres(t, url), func() index.Index { return openPostgres(t, url) }
	})
}
