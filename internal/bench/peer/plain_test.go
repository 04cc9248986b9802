package peer

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
)

const tools = "../../../.tools"

func TestPlainEnvoyLeadsToTheDatabase(t *testing.T) {
	ctx := context.Background()
	d, err := StartDatabase(ctx, tools, pgserver.Newest, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Server.Stop()
	p, err := StartPlain(ctx, tools, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []*Peer{d.Direct(), p} {
		c, err := pgx.Connect(ctx, at.DSN()+" password="+at.Password)
		if err != nil {
			t.Fatalf("%s: %v", at.Name, err)
		}
		var rows int
		if err := c.QueryRow(ctx, "SELECT count(*) FROM customers").Scan(&rows); err != nil || rows != Rows {
			t.Errorf("%s: %d rows, %v", at.Name, rows, err)
		}
		c.Close(ctx)
	}
	if r, err := p.Records(); err != nil || r != (Records{}) {
		t.Errorf("a plain Envoy has records %v: %v", r, err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
