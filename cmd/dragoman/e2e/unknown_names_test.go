package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestUnknownNames: an agent that guesses names does not make the gateway read the target's catalog over and over; and
// a table that is new at the target is found all the same.
func TestUnknownNames(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	c := r.place.connect(t)
	reads := func() int {
		log, err := os.ReadFile(r.db.LogFile())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(log), "pg_get_viewdef")
	}
	before := reads()
	for i := range 100 {
		_, err := c.Exec(context.Background(), fmt.Sprintf("SELECT * FROM guess_%d", i))
		wantCode(t, err, "42501")
	}
	if n := reads() - before; n > 3 {
		t.Errorf("the catalog was read %d times for 100 unknown names", n)
	}
	other := r.place.connect(t)
	execSQL(t, r.db, "clients", "CREATE TABLE brand_new (x int)")
	waitUntil(t, 60e9, "the new table is found", func() bool {
		_, err := other.Exec(context.Background(), "SELECT * FROM brand_new")
		return err == nil
	})
}
