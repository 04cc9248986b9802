package pgserver_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
)

func TestStartEveryVersion(t *testing.T) {
	for _, version := range []string{pgserver.V15, pgserver.Newest} {
		t.Run(version, func(t *testing.T) {
			ctx := context.Background()
			home, err := pgserver.Ensure(ctx, "../../.tools", version)
			if err != nil {
				t.Fatal(err)
			}
			s, err := pgserver.Start(ctx, pgserver.Options{Home: home})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Stop()
			c, err := pgx.Connect(ctx, s.URL("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(ctx)
			var n int
			if err := c.QueryRow(ctx, "select 40+2").Scan(&n); err != nil || n != 42 {
				t.Fatalf("got %d, %v", n, err)
			}
		})
	}
}

func TestEnsureRefusesUnpinnedVersion(t *testing.T) {
	if _, err := pgserver.Ensure(context.Background(), t.TempDir(), "9.6"); err == nil {
		t.Fatal("an unpinned version was accepted")
	}
}
