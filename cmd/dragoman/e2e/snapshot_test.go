package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestSnapshotAfterLock: in a REPEATABLE READ transaction a LOCK that waits comes before the snapshot, so what the
// one before it has written is seen. The gateway's own queries must not take the snapshot earlier.
func TestSnapshotAfterLock(t *testing.T) {
	r := startRig(t, clientsDatabase(t, pgserver.Newest), allowAll)
	other, err := pgx.Connect(t.Context(), r.db.URL("clients"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	for name, p := range map[string]place{"direct": direct(r.db), "gateway": r.place} {
		for _, begin := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ; SET search_path = public", "BEGIN; SET LOCAL search_path = public; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"} {
			c := p.connect(t)
			exec := func(c *pgx.Conn, text string) {
				t.Helper()
				for _, text := range strings.Split(text, "; ") {
					if _, err := c.PgConn().Exec(t.Context(), text).ReadAll(); err != nil {
						t.Fatalf("%s: %s: %v", name, text, err)
					}
				}
			}
			exec(other, "DELETE FROM work; BEGIN; LOCK TABLE work; INSERT INTO work (who) VALUES ('first')")
			exec(c, begin)
			locked := make(chan error, 1)
			go func() { _, err := c.PgConn().Exec(t.Context(), "LOCK TABLE work").ReadAll(); locked <- err }()
			waitUntil(t, 60e9, "the LOCK waits", func() bool { return r.running("LOCK TABLE work") == 1 })
			exec(other, "COMMIT")
			if err := <-locked; err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var n int
			if err := c.QueryRow(t.Context(), "SELECT count(*) FROM work").Scan(&n); err != nil || n != 1 {
				t.Errorf("%s, %s: %d rows, want 1: %v", name, begin, n, err)
			}
			exec(c, "ROLLBACK")
		}
	}
}
