package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/pgserver"
)

// ended waits until the connection is ended and returns the last error of it.
func ended(t testing.TB, c *pgx.Conn, began time.Time) (time.Duration, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
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
			waitUntil(t, 60*time.Second, "the statement runs", func() bool { return r.running("pg_sleep(8)") > 0 })
			id := tokenID(t, p.Password)
			began := time.Now()
			revoke(id)
			took, err := ended(t, c, began)
			wantFatal(t, err, "revoked")
			t.Logf("ended %v after the command began", took)
			if took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			select {
			case err := <-running:
				wantFatal(t, err, "revoked")
			case <-time.After(60 * time.Second):
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
	const ttl = 8 * time.Second // enough to open a session, on a machine that stalls
	began := time.Now()
	p := r.place.as(strings.TrimSpace(r.must("token", "create", "--subject", "agent:short", "--group", "clients", "--ttl", ttl.String())))
	c := p.connect(t)
	alive(t, c)
	took, err := ended(t, c, began)
	// The gateway's own timer and the control plane's word come at the same moment; either may be first.
	wantFatal(t, err, "the session was ended")
	if took < ttl-2*time.Second || took > ttl+30*time.Second {
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
	waitUntil(t, 60*time.Second, "the record is closed", func() bool {
		out, _, _ := r.run("sessions", "show", id, "--json")
		return strings.Contains(out, "enough for today")
	})
}

// sessionWith finds the session in whose record the words are.
func (r *rig) sessionWith(t testing.TB, words string) string {
	t.Helper()
	var found string
	waitUntil(t, 60*time.Second, "a record has "+words, func() bool {
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
