package e2e

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestLongStatement: while the gateway analyses a statement of hundreds of KB, the other sessions of the same
// worker go on. The statement is one that the gateway refuses, so the target has no part in how long it takes.
func TestLongStatement(t *testing.T) {
	db := clientsDatabase(t, pgserver.Newest)
	port := freePort(t)
	g := newGateway(t, setup{Config: "targets:\n" + target("db", port, db, "clients") + "policy:\n  dir: policy\n",
		Files: map[string]string{"db-password": db.Password + "\n", "policy/rules.yaml": clientsRules}})
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	g.write("dragoman.yaml", strings.Replace(string(text), "concurrency: 2", "concurrency: 1", 1))
	g.start()
	p := place{Port: port, User: "agent", Password: g.token("clients"), Database: "clients"}
	long, other := p.connect(t), p.connect(t)
	list := strings.Repeat(",1234567", 110_000)[1:]
	var done atomic.Bool
	refused := make(chan error, 2)
	go func() {
		_, err := long.PgConn().Exec(context.Background(), "SELECT * FROM off_limits WHERE id IN ("+list+")").ReadAll()
		refused <- err
		_, err = long.PgConn().Prepare(context.Background(), "p", "SELECT * FROM off_limits WHERE id NOT IN ("+list+")", nil)
		refused <- err
		done.Store(true)
	}()
	n := 0
	for ; !done.Load(); n++ {
		alive(t, other)
	}
	wantCode(t, <-refused, "42501")
	wantCode(t, <-refused, "42501")
	t.Logf("%d statements of another session meanwhile", n)
	if n < 20 {
		t.Errorf("only %d statements of another session were answered meanwhile", n)
	}
	// And one that is allowed, twice: prepared, and after the names have changed.
	if _, err := long.PgConn().Prepare(context.Background(), "q", "SELECT count(*) FROM people WHERE id IN ("+list+")", nil); err != nil {
		t.Fatal(err)
	}
	execSQL(t, db, "clients", "CREATE TABLE unrelated (x int)")
	for range 2 {
		if res := long.PgConn().ExecPrepared(context.Background(), "q", nil, nil, nil).Read(); res.Err != nil || string(res.Rows[0][0]) != "0" {
			t.Fatalf("%v %v", res.Rows, res.Err)
		}
	}
}
