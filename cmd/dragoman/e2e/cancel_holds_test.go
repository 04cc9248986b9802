package e2e

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/pgserver"
)

// holdRules has holds of several kinds, by table.
var holdRules = strings.Replace(clientsRules, "rules:\n", `rules:
  - name: quick
    verdict: hold
    when: {groups: [clients], verbs: [delete], tables: [public.held]}
    approvers: [dba]
    timeout: 2s
    reason: only those who are quick may
  - name: two-people
    verdict: hold
    when: {groups: [clients], verbs: [insert], tables: [public.held]}
    approvers: [dba]
    quorum: 2
    timeout: 60s
    reason: two people must agree
`, 1)

const heldUpdate = "UPDATE held SET v = $1 WHERE id = $2"

func TestHolds(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, holdRules)
	for name, f := range map[string]func(*testing.T, *rig, *pgx.Conn){
		"approved": holdApproved, "denied": holdDenied, "expired": holdExpired, "quorum": holdQuorum, "four eyes": holdFourEyes,
		"cancelled": holdCancelled, "disconnected": holdDisconnected, "revoked": holdRevoked, "simple": holdSimple, "in a transaction": holdInTransaction,
		"blocked meanwhile": holdBlockedMeanwhile,
	} {
		t.Run(name, func(t *testing.T) { f(t, r, r.place.connect(t)) })
	}
}

func holdApproved(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, heldUpdate, "approved", 1)
	if h := w.hold; len(h.Action.Params) != 2 || h.Action.Params[0].Value != "approved" || h.Digest == "" || h.Rule != "held-changes" || h.Action.Text != heldUpdate {
		t.Errorf("the hold shows %+v", h)
	}
	if err := r.api("POST", "/v1/approvals/"+w.hold.ID+"/approve", map[string]any{"as": "user:dana@example.com", "groups": []string{"dba"}, "digest": strings.Repeat("0", 64)}, nil); err == nil {
		t.Error("approved by a digest of something else")
	}
	w.still(t, "approved for another digest")
	if err := r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	if err := w.end(t); err != nil || w.tag.RowsAffected() != 1 || r.value(t, 1) != "approved" {
		t.Errorf("%v, %s, the target has %q", err, w.tag, r.value(t, 1))
	}
	h := r.wantState(t, w.hold.ID, hold.Used)
	if len(h.Decisions) != 1 || h.Decisions[0].Via != "admin-socket" || h.Decisions[0].By.Subject != "user:dana@example.com" {
		t.Errorf("the decisions are %+v", h.Decisions)
	}
	// It was good once.
	if r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba") == nil {
		t.Error("a used hold is approved again")
	}
	again := r.heldExec(t, c, heldUpdate, "approved", 1)
	if again.hold.ID == w.hold.ID {
		t.Error("the same statement has the same hold again")
	}
	again.still(t, "the first one was approved")
	if err := r.decide(again.hold.ID, "deny", "user:dana@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	again.end(t)
}

func holdDenied(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, heldUpdate, "denied", 2)
	if err := r.decide(w.hold.ID, "deny", "user:dana@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	err := w.end(t)
	wantBlocked(t, err, "held-changes")
	var pe *pgconn.PgError
	if errors.As(err, &pe) && (!strings.Contains(pe.Message, "denied") || !strings.Contains(pe.Detail, "as the test says")) {
		t.Errorf("the client is told %q %q", pe.Message, pe.Detail)
	}
	if n, ok := notice.Parse(pe.Detail); !ok || n.Code != notice.Denied || n.Hold != w.hold.ID || n.URL != "" && !strings.HasSuffix(n.URL, "/approvals/"+n.Hold) {
		t.Errorf("programs are told %+v", n)
	}
	r.wantState(t, w.hold.ID, hold.Denied)
	alive(t, c)
	if v := r.value(t, 2); v != "old" {
		t.Errorf("the target has %q", v)
	}
}

func holdExpired(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, "DELETE FROM held WHERE id = $1", 3)
	wantBlocked(t, w.end(t), "quick")
	r.wantState(t, w.hold.ID, hold.Expired)
	if r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba") == nil {
		t.Error("an expired hold is approved")
	}
	alive(t, c)
	if r.value(t, 3) != "old" {
		t.Error("it ran")
	}
}

func holdQuorum(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, "INSERT INTO held VALUES ($1, 'by two')", 100)
	if err := r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	w.still(t, "one of two approved")
	r.decide(w.hold.ID, "approve", "user:DANA@example.com", "dba") // the same person, whatever is answered
	w.still(t, "the same person approved twice")
	if err := r.decide(w.hold.ID, "approve", "user:erik@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	if err := w.end(t); err != nil || r.value(t, 100) != "by two" {
		t.Error(err)
	}
	w = r.heldExec(t, c, "INSERT INTO held VALUES ($1, 'by one')", 101)
	r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba")
	if err := r.decide(w.hold.ID, "deny", "user:erik@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	wantBlocked(t, w.end(t), "two-people")
}

func holdFourEyes(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, heldUpdate, "own", 4)
	for _, who := range [][2]string{{"user:alice@example.com", "dba"}, {"agent:ci-bot", "dba"}, {"user:ALICE@example.com", "dba"}, {"agent:other", "dba"},
		{"user:dana@example.com", "clients"}, {"user:dana@example.com", ""}} {
		if err := r.decide(w.hold.ID, "approve", who[0], who[1]); err == nil {
			t.Errorf("%s of %q may approve", who[0], who[1])
		}
	}
	w.still(t, "nobody who may approve did")
	if err := r.decide(w.hold.ID, "deny", "user:dana@example.com", "dba"); err != nil {
		t.Error(err)
	}
	w.end(t)
	if r.value(t, 4) != "old" {
		t.Error("it ran")
	}
}

func holdCancelled(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, heldUpdate, "cancelled", 5)
	if err := c.PgConn().CancelRequest(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.end(t), "57014")
	r.wantState(t, w.hold.ID, hold.Withdrawn)
	if r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba") == nil {
		t.Error("a withdrawn hold is approved")
	}
	alive(t, c)
	if r.value(t, 5) != "old" {
		t.Error("it ran")
	}
}

func holdDisconnected(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, heldUpdate, "gone", 6)
	c.PgConn().Conn().Close()
	r.wantState(t, w.hold.ID, hold.Withdrawn)
	if r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba") == nil {
		t.Error("a withdrawn hold is approved")
	}
	w.end(t)
	if r.value(t, 6) != "old" {
		t.Error("it ran")
	}
}

func holdRevoked(t *testing.T, r *rig, _ *pgx.Conn) {
	token := r.tokenFor("agent:revoked-in-hold", "user:alice@example.com", "clients")
	w := r.heldExec(t, r.place.as(token).connect(t), heldUpdate, "revoked", 7)
	r.must("token", "revoke", tokenID(t, token))
	wantFatal(t, w.end(t), "revoked")
	r.wantState(t, w.hold.ID, hold.Withdrawn)
	if r.value(t, 7) != "old" {
		t.Error("it ran")
	}
}

// holdSimple holds a message of several statements as a whole.
func holdSimple(t *testing.T, r *rig, c *pgx.Conn) {
	text := "UPDATE work SET v = 'x' WHERE id = -1; UPDATE held SET v = 'simple' WHERE id = 8; SELECT 1"
	known, _ := r.holds()
	result := make(chan error, 1)
	go func() { _, err := c.PgConn().Exec(context.Background(), text).ReadAll(); result <- err }()
	var h hold.Hold
	waitUntil(t, 60*time.Second, "a hold appears", func() bool {
		list, err := r.holds(hold.Pending)
		if err != nil || len(list) == 0 {
			return false
		}
		h = list[0]
		return true
	})
	if h.Action.Text != text {
		t.Errorf("the hold is about %q", h.Action.Text)
	}
	if err := r.decide(h.ID, "approve", "user:dana@example.com", "dba"); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil || r.value(t, 8) != "simple" {
		t.Error(err)
	}
	if now, _ := r.holds(); len(now) != len(known)+1 {
		t.Errorf("%d holds for one message", len(now)-len(known))
	}
}

func holdInTransaction(t *testing.T, r *rig, c *pgx.Conn) {
	ctx := context.Background()
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO work (who, v, n) VALUES ('hold', 'tx', 1)"); err != nil {
		t.Fatal(err)
	}
	w := r.heldExec(t, c, heldUpdate, "tx", 9)
	r.decide(w.hold.ID, "deny", "user:dana@example.com", "dba")
	wantBlocked(t, w.end(t), "held-changes")
	// Nothing of it reached the target: its transaction is intact, and so is what the client is told.
	if s := c.PgConn().TxStatus(); s != 'T' {
		t.Errorf("the transaction's state is %c", s)
	}
	w = r.heldExec(t, c, heldUpdate, "tx", 9)
	r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba")
	if err := errors.Join(w.end(t), tx.Commit(ctx)); err != nil || r.value(t, 9) != "tx" {
		t.Errorf("%v, the target has %q", err, r.value(t, 9))
	}
}

// holdBlockedMeanwhile: what is approved under a policy that blocks it by now does not run.
func holdBlockedMeanwhile(t *testing.T, r *rig, c *pgx.Conn) {
	w := r.heldExec(t, c, heldUpdate, "late", 10)
	defer func() {
		r.write("policy/rules.yaml", holdRules)
		waitUntil(t, 60*time.Second, "the old policy is back", func() bool { _, err := c.Exec(context.Background(), "SELECT * FROM people"); return err == nil })
	}()
	r.write("policy/rules.yaml", strings.Replace(holdRules, "rules:\n", "rules:\n  - {name: shut, verdict: block, when: {tables: ['public.held', 'public.people']}}\n", 1))
	other := r.place.connect(t)
	waitUntil(t, 60*time.Second, "the new policy is in force", func() bool { _, err := other.Exec(context.Background(), "SELECT * FROM people"); return err != nil })
	r.decide(w.hold.ID, "approve", "user:dana@example.com", "dba")
	wantBlocked(t, w.end(t), "shut")
	if r.value(t, 10) != "old" {
		t.Error("it ran")
	}
}

// TestHoldsOverRestart: what waited when the control plane stopped is withdrawn, never approved, and has not run.
func TestHoldsOverRestart(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, holdRules)
	for name, end := range map[string]func(){
		"SIGKILL": func() { r.cmd.Process.Kill(); <-r.done },
		"SIGTERM": func() { r.cmd.Process.Signal(syscall.SIGTERM); <-r.done },
	} {
		t.Run(name, func(t *testing.T) {
			w := r.heldExec(t, r.place.connect(t), heldUpdate, name, 11)
			end()
			if err := w.end(t); err == nil {
				t.Error("the statement ran")
			}
			r.start()
			h := r.wantState(t, w.hold.ID, hold.Withdrawn)
			if r.decide(h.ID, "approve", "user:dana@example.com", "dba") == nil {
				t.Error("it is approved afterwards")
			}
			if v := r.value(t, 11); v != "old" {
				t.Errorf("the target has %q", v)
			}
			alive(t, r.place.connect(t))
		})
	}
}
