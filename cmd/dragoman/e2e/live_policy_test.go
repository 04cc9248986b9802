package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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
			if time.Since(began) > 5*time.Second {
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
		waitUntil(t, 10*time.Second, "the broken policy is noticed", func() bool { return strings.Count(r.log.String(), "policy") > before })
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
	waitUntil(t, 5*time.Second, "the good policy is in force", func() bool {
		_, err := c.Exec(ctx, "SELECT id FROM people WHERE id = 1")
		return err != nil
	})
}

// ended waits until the connection is ended and returns the last error of it.
func ended(t testing.TB, c *pgx.Conn, began time.Time) (time.Duration, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	// A client that listens hears of the end without asking.
	_, err := c.WaitForNotification(ctx)
	if ctx.Err() != nil {
		t.Errorf("the session goes on: %v", err)
	}
	return time.Since(began), err
}

func wantFatal(t testing.TB, err error, words string) {
	t.Helper()
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Severity != "FATAL" || !strings.Contains(pe.Message+pe.Detail, words) {
		t.Errorf("want a FATAL error with %q, got %v", words, err)
	}
}

// TestRevocation ends live sessions: of a token, of a subject, idle or with a statement that runs.
func TestRevocation(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	by := func(args ...string) func(id string) {
		return func(id string) {
			if len(args) == 0 {
				args = []string{id}
			}
			r.must(append([]string{"token", "revoke"}, args...)...)
		}
	}
	for name, revoke := range map[string]func(id string){
		"by id": by(), "by the agent": by("--subject", "agent:revoked"), "by the principal": by("--subject", "user:erin@example.com"),
	} {
		t.Run(name, func(t *testing.T) {
			p := r.place.as(r.tokenFor("agent:revoked", "user:erin@example.com", "clients"))
			c, busy, other := p.connect(t), p.connect(t), r.place.connect(t)
			running := make(chan error, 1)
			go func() { _, err := busy.Exec(context.Background(), "SELECT pg_sleep(8)"); running <- err }()
			waitUntil(t, 5*time.Second, "the statement runs", func() bool { return r.running("pg_sleep(8)") > 0 })
			id := tokenID(t, p.Password)
			began := time.Now()
			revoke(id)
			took, err := ended(t, c, began)
			wantFatal(t, err, "revoked")
			t.Logf("ended %v after the command began", took)
			if took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			select {
			case err := <-running:
				wantFatal(t, err, "revoked")
			case <-time.After(5 * time.Second):
				t.Error("a running statement goes on")
			}
			alive(t, other)
			if _, err := pgx.Connect(context.Background(), p.dsn()+" password="+p.Password); err == nil {
				t.Error("a revoked token opens a session")
			}
		})
	}
}

// running counts the target's sessions that run a statement with the words.
func (r *rig) running(words string) int {
	c, err := pgx.Connect(context.Background(), r.db.URL("postgres"))
	if err != nil {
		return -1
	}
	defer c.Close(context.Background())
	var n int
	if err := c.QueryRow(context.Background(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'", words).Scan(&n); err != nil {
		return -1
	}
	return n
}

// TestExpiry: a session ends with its token.
func TestExpiry(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	const ttl = 3 * time.Second
	began := time.Now()
	p := r.place.as(strings.TrimSpace(r.must("token", "create", "--subject", "agent:short", "--group", "clients", "--ttl", ttl.String())))
	c := p.connect(t)
	alive(t, c)
	took, err := ended(t, c, began)
	wantFatal(t, err, "time is over")
	if took < ttl-time.Second || took > ttl+5*time.Second {
		t.Errorf("a token of %v ended the session after %v", ttl, took)
	}
	t.Logf("a token of %v ended the session after %v", ttl, took)
}

// TestEndByAPI ends one session by hand.
func TestEndByAPI(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	c, other := r.place.connect(t), r.place.connect(t)
	if _, err := c.Exec(context.Background(), "SELECT 'this is the one'"); err != nil {
		t.Fatal(err)
	}
	id := r.sessionWith(t, "this is the one")
	began := time.Now()
	if err := r.api("POST", "/v1/sessions/"+id+"/end", map[string]string{"reason": "enough for today"}, nil); err != nil {
		t.Fatal(err)
	}
	took, err := ended(t, c, began)
	wantFatal(t, err, "enough for today")
	t.Logf("ended after %v", took)
	alive(t, other)
	waitUntil(t, 10*time.Second, "the record is closed", func() bool {
		out, _, _ := r.run("sessions", "show", id, "--json")
		return strings.Contains(out, "enough for today")
	})
}

// sessionWith finds the session in whose record the words are.
func (r *rig) sessionWith(t testing.TB, words string) string {
	t.Helper()
	var found string
	waitUntil(t, 10*time.Second, "a record has "+words, func() bool {
		var page struct {
			Sessions []struct {
				ID string `json:"id"`
			} `json:"sessions"`
		}
		if err := r.api("GET", "/v1/sessions?limit=200", nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Sessions {
			if out, _, code := r.run("sessions", "replay", s.ID, "--format", "text"); code == 0 && strings.Contains(out, words) {
				found = s.ID
				return true
			}
		}
		return false
	})
	return found
}

// TestEnvoyRestart: when Envoy dies its sessions are over and recorded so, and new ones are served soon.
func TestEnvoyRestart(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	c := r.place.connect(t)
	if _, err := c.Exec(context.Background(), "SELECT 'before the death'"); err != nil {
		t.Fatal(err)
	}
	pid := childOf(r.cmd.Process.Pid, "envoy")
	if pid == 0 {
		t.Fatal("no Envoy")
	}
	began := time.Now()
	syscall.Kill(pid, syscall.SIGKILL)
	if _, err := c.Exec(context.Background(), "SELECT 1"); err == nil {
		t.Error("the connection outlived Envoy")
	}
	waitUntil(t, 20*time.Second, "sessions open again", func() bool {
		c, err := pgx.Connect(context.Background(), r.place.dsn()+" password="+r.place.Password)
		if err == nil {
			c.Close(context.Background())
		}
		return err == nil
	})
	t.Logf("served again %v after Envoy's death", time.Since(began))
	id := r.sessionWith(t, "before the death")
	waitUntil(t, 20*time.Second, "the session is closed as lost", func() bool {
		out, _, _ := r.run("sessions", "show", id, "--json")
		return strings.Contains(out, `"lost"`)
	})
}

// TestDrain: SIGTERM lets a running statement finish, and takes no new sessions meanwhile.
func TestDrain(t *testing.T) {
	db := clientsDatabase(t, pgserver.Newest)
	port := freePort(t)
	g := newGateway(t, setup{Config: "targets:\n" + target("db", port, db, "clients") + "policy:\n  dir: policy\n",
		Files: map[string]string{"db-password": db.Password, "policy/rules.yaml": clientsRules}})
	text := strings.Replace(mustRead(t, g.config), "drain_time: 1s", "drain_time: 8s", 1)
	g.write("dragoman.yaml", text)
	g.start()
	p := place{Port: port, User: "agent", Password: g.token("clients"), Database: "clients"}
	c, idle := p.connect(t), p.connect(t)
	alive(t, idle)
	result := make(chan error, 1)
	go func() { _, err := c.Exec(context.Background(), "SELECT pg_sleep(3)"); result <- err }()
	time.Sleep(500 * time.Millisecond)
	began := time.Now()
	g.cmd.Process.Signal(syscall.SIGTERM)
	time.Sleep(500 * time.Millisecond)
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	if late, err := pgx.Connect(ctx, p.dsn()+" password="+p.Password); err == nil {
		late.Close(ctx)
		t.Error("a new session opens while the gateway drains")
	}
	if err := <-result; err != nil {
		t.Errorf("the running statement did not finish: %v", err)
	}
	c.Close(context.Background())
	idle.Close(context.Background())
	select {
	case <-g.done:
		t.Logf("stopped %v after SIGTERM, the statement took 3 s", time.Since(began))
	case <-time.After(15 * time.Second):
		t.Error("the gateway does not stop")
	}
	if code := g.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	g.must("audit", "verify")
}

func mustRead(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tokenID is the "jti" of a token.
func tokenID(t testing.TB, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal(body, &claims); err != nil || claims.ID == "" {
		t.Fatalf("%s: %v", body, err)
	}
	return claims.ID
}
