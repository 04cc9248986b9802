package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/hold"
)

// waiting is a statement on its way, held.
type waiting struct {
	hold   hold.Hold
	result chan error
	tag    pgconn.CommandTag
	conn   *pgx.Conn
}

// heldExec sends a statement that is held, and returns when it is.
func (r *rig) heldExec(t testing.TB, c *pgx.Conn, sql string, args ...any) *waiting {
	t.Helper()
	known := map[string]bool{}
	before, err := r.holds()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range before {
		known[h.ID] = true
	}
	w := &waiting{result: make(chan error, 1), conn: c}
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
		defer stop()
		var err error
		w.tag, err = c.Exec(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
		w.result <- err
	}()
	waitUntil(t, 60*time.Second, "a hold appears", func() bool {
		list, err := r.holds(hold.Pending)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range list {
			if !known[h.ID] {
				w.hold = h
				return true
			}
		}
		select {
		case err := <-w.result:
			t.Fatalf("the statement was not held: %v", err)
		default:
		}
		return false
	})
	return w
}

// end is how the statement ended.
func (w *waiting) end(t testing.TB) error {
	t.Helper()
	select {
	case err := <-w.result:
		return err
	case <-time.After(60 * time.Second):
		t.Fatal("the statement still waits")
		return nil
	}
}

// still wants the statement to wait.
func (w *waiting) still(t testing.TB, why string) {
	t.Helper()
	select {
	case err := <-w.result:
		t.Fatalf("%s, and the statement went on: %v", why, err)
	case <-time.After(300 * time.Millisecond):
	}
}

// wantState waits for the hold's state.
func (r *rig) wantState(t testing.TB, id string, want hold.State) hold.Hold {
	t.Helper()
	var h hold.Hold
	if !waitFor(60*time.Second, func() bool { return r.api("GET", "/v1/approvals/"+id, nil, &h) == nil && h.State == want }) {
		t.Errorf("the hold is %s, not %s", h.State, want)
	}
	return h
}

// value is what the target has in a row of the held table.
func (r *rig) value(t testing.TB, id int) string {
	t.Helper()
	c, err := pgx.Connect(context.Background(), r.db.URL("clients"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var v string
	if err := c.QueryRow(context.Background(), "SELECT v FROM held WHERE id = $1", id).Scan(&v); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	return v
}
