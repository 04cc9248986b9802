package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

// TestMySQLKill is TestKill for MySQL: for every statement in the target's general log there is a frame. The short form
// strikes each of Envoy, dragoman and both at least once.
func TestMySQLKill(t *testing.T) {
	rounds := max(4, killRounds()/5)
	t.Run("write", func(t *testing.T) { killMySQL(t, mysqlserver.MariaDB, "write", 0, rounds/2) })
	t.Run("fsync", func(t *testing.T) { killMySQL(t, mysqlserver.MySQL, "fsync", rounds/2, rounds-rounds/2) })
}

func killMySQL(t *testing.T, kind mysqlserver.Kind, durability string, first, rounds int) {
	s := mysqlServer(t, mysqlserver.Options{Kind: kind, SQL: mysqlUser})
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + mysqlTarget("my", port, s, "audit: {durability: "+durability+"}") + "policy:\n  dir: policy\n",
		Files:  map[string]string{"my-password": "app-secret\n", "policy/rules.yaml": mysqlAllowAll},
	}).start()
	p := mysqlPlace{Port: port, Password: g.token("writers")}
	stop := make(chan struct{})
	var load sync.WaitGroup
	var answered atomic.Int64
	for w := range 3 {
		load.Go(func() { hammerMySQL(t.Context(), p, w, stop, &answered) })
	}
	more := func(when string) {
		before := answered.Load()
		waitUntil(t, 60*time.Second, "statements are answered "+when, func() bool { return answered.Load() > before+20 })
	}
	for i := range rounds {
		more("before a strike")
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond) // so that a strike hits anything
		strike(t, g, (first+i)%3)
	}
	more("at the end")
	close(stop)
	load.Wait()

	seen := markersIn(t, s.GeneralLog())
	missing := unrecorded(t, g.kept, seen)
	g.stop()
	g.must("audit", "verify")
	t.Logf("%s: %d rounds, %d statements in the target's log, %d without a frame", durability, rounds, len(seen), len(missing))
}

// hammerMySQL sends statements with markers of their own, as text and prepared, and connects again when the connection is gone.
func hammerMySQL(ctx context.Context, p mysqlPlace, worker int, stop <-chan struct{}, answered *atomic.Int64) {
	for n := 0; ; {
		db, err := sql.Open("mysql", p.dsn(""))
		if err != nil {
			return
		}
		db.SetMaxOpenConns(1)
		for err == nil {
			select {
			case <-stop:
				db.Close()
				return
			default:
			}
			n++
			var got string
			if marker := fmt.Sprintf("k-%d-%d", worker, n); n%2 == 0 {
				err = db.QueryRowContext(ctx, "SELECT ?", marker).Scan(&got)
			} else {
				err = db.QueryRowContext(ctx, "SELECT '"+marker+"'").Scan(&got)
			}
			if err == nil {
				answered.Add(1)
			}
		}
		db.Close()
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
