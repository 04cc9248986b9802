package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/pgserver"
)

// pushes is how many policy pushes are timed.
const pushes = 20

// TestPolicyPush edits the policy while a connection is open, and times how
// long it takes from the file's rename until the connection obeys.
func TestPolicyPush(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	c := r.place.connect(t)
	ctx := context.Background()
	idle := r.place.connect(t) // one that says nothing meanwhile must obey as well
	closed := strings.Replace(clientsRules, "rules:\n", "rules:\n  - {name: shut, verdict: block, when: {verbs: [select], tables: [public.people]}, reason: closed for a while}\n", 1)
	var took []time.Duration
	for i := range pushes {
		text, blocked := closed, true
		if i%2 == 1 {
			text, blocked = clientsRules, false
		}
		r.write("policy/rules.yaml", text)
		began := time.Now()
		for {
			_, err := c.Exec(ctx, "SELECT id FROM people WHERE id = 1")
			if (err != nil) == blocked {
				if blocked {
					wantBlocked(t, err, "shut")
				}
				break
			}
			if time.Since(began) > 30*time.Second {
				t.Fatalf("push %d is not in force after 5 s: %v", i, err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		took = append(took, time.Since(began))
		if _, err := idle.Exec(ctx, "SELECT id FROM people WHERE id = 2"); (err != nil) != blocked {
			t.Errorf("push %d: another connection of the same listener is judged otherwise: %v", i, err)
		}
	}
	slices.Sort(took)
	t.Logf("%d pushes, from the file's rename to enforcement on an open connection: p50 %v, p99 %v", pushes, took[pushes/2], took[pushes-1])
}

// TestBrokenPolicy: what does not compile is not pushed; what was in force stays, and the next good one comes.
func TestBrokenPolicy(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	c := r.place.connect(t)
	ctx := context.Background()
	for _, broken := range []string{"rules: [", "rules:\n  - {name: x, verdict: perhaps}\n", "rules:\n  - {name: x, verdict: allow, wen: {}}\n", clientsRules + "---\nrules: []\n"} {
		before := strings.Count(r.log.String(), "policy")
		r.write("policy/rules.yaml", broken)
		waitUntil(t, 60*time.Second, "the broken policy is noticed", func() bool { return strings.Count(r.log.String(), "policy") > before })
		if _, err := c.Exec(ctx, "SELECT id FROM people WHERE id = 1"); err != nil {
			t.Errorf("with the broken policy %q: %v", broken, err)
		}
		_, err := c.Exec(ctx, "TRUNCATE work")
		wantBlocked(t, err, "no-truncate")
		if _, _, code := r.run("policy", "check"); code == 0 {
			t.Errorf("policy check finds nothing wrong in %q", broken)
		}
	}
	if err := r.api("GET", "/v1/policy", nil, nil); err != nil {
		t.Error(err)
	}
	r.write("policy/rules.yaml", "rules:\n  - {name: nothing, verdict: block}\n")
	waitUntil(t, 60*time.Second, "the good policy is in force", func() bool {
		_, err := c.Exec(ctx, "SELECT id FROM people WHERE id = 1")
		return err != nil
	})
}
