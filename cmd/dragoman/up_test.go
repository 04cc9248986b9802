package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/xds"
)

const readers = "- name: read\n  verdict: allow\n  when: {groups: [readers], verbs: [select]}\n"

const oneTarget = `
targets:
  - name: shop
    address: DB
    listen: 127.0.0.1:%d
    credentials: {user: postgres, password: file:pw}
policy: {dir: policy}
`

// one is a rig with one target; the database trusts its own superuser.
func one(t *testing.T) (*rig, int) {
	port := freePort(t)
	r := newRig(t, fmt.Sprintf(oneTarget, port), map[string]string{"pw": "postgres\n", "policy/rules.yaml": readers})
	return r, port
}

func sqlstate(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// TestUp is a session from token to verification, and the exit codes on the way.
func TestUp(t *testing.T) {
	r, port := one(t)
	r.want(exitUnreachable, "sessions", "list")
	r.up()
	c, err := r.connect(port, r.token("readers"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryRow(t.Context(), "SELECT 42").Scan(&n); err != nil || n != 42 {
		t.Fatal(n, err)
	}
	if _, err := c.Exec(t.Context(), "CREATE TABLE x (a int)"); sqlstate(err) != "42501" {
		t.Fatal(err)
	}
	if _, err := r.connect(port, "no-token"); err == nil {
		t.Fatal("a session without a token")
	}

	id := r.liveSession()
	c.Close(t.Context())
	r.eventually("the session is sealed", func() bool {
		var s audit.Session
		return json.Unmarshal([]byte(r.must("sessions", "show", id, "--json")), &s) == nil && s.Sealed
	})
	for _, args := range [][]string{{"sessions", "show", id}, {"sessions", "replay", id}, {"sessions", "export", id}, {"sessions", "tail", id}} {
		if out := r.must(args...); !strings.Contains(out, "agent:bot") || !strings.Contains(out, "SELECT 42") {
			t.Errorf("%v:\n%s", args, out)
		}
	}
	r.want(exitNotFound, "sessions", "show", "ses_none")
	r.want(exitNotFound, "sessions", "replay", "ses_none")
	r.want(exitNotFound, "sessions", "end", id)
	r.want(exitNotFound, "sessions", "lost", id)
	r.want(exitNotFound, "approvals", "approve", "hld_none", "--as", "user:dana@example.com", "--group", "dba")
	r.want(exitUsage, "approvals", "approve", "hld_none")
	r.want(exitUsage, "sessions", "list", "--no-such-flag")
	r.want(exitUsage, "sessions", "show")
	r.want(exitUsage, "sessions", "list", "--verdict", "maybe")
	r.want(exitUsage, "sessions", "list", "--text", "()")
	r.checkSearch(id)
	r.want(exitUsage, "token", "create", "--subject", "agent:x", "--ttl", "9999h")
	r.want(exitUsage, "token", "create", "--subject", "agent:x", "--target", "none")
	if out := r.must("policy", "status"); !strings.Contains(out, "in force") {
		t.Error(out)
	}
	if code := r.stop(); code != 0 {
		t.Errorf("up ended with %d", code)
	}
	r.must("audit", "verify")
	r.want(exitUnreachable, "sessions", "list")
	if info, err := os.Stat(r.dir + "/data"); err != nil || info.Mode().Perm() != 0o700 {
		t.Error("the data folder", info.Mode(), err)
	}
}

// checkSearch: each flag finds the session, or does not.
func (r *rig) checkSearch(id string) {
	r.t.Helper()
	for _, c := range []struct {
		found bool
		flags []string
	}{
		{true, []string{"--session", id}}, {false, []string{"--session", id + "x"}}, {true, []string{"--text", "sel* 42"}}, {false, []string{"--text", "nowhere"}},
		{true, []string{"--identity", "agent:bot", "--verb", "select", "--verdict", "block"}}, {false, []string{"--approver", "user:dana@example.com"}},
		{false, []string{"--column", "public.customers.ssn"}},
	} {
		var page audit.Page
		if err := json.Unmarshal([]byte(r.must(append([]string{"sessions", "list", "--json"}, c.flags...)...)), &page); err != nil {
			r.t.Fatal(err)
		}
		if got := len(page.Sessions) == 1 && page.Sessions[0].ID == id; got != c.found {
			r.t.Errorf("%v: %+v", c.flags, page.Sessions)
		}
	}
}

func (r *rig) liveSession() string {
	r.t.Helper()
	var page audit.Page
	r.eventually("a session is listed", func() bool {
		return json.Unmarshal([]byte(r.must("sessions", "list", "--live", "--json")), &page) == nil && len(page.Sessions) > 0
	})
	return page.Sessions[0].ID
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not within 15 s", what)
		}
	}
}

// TestSessionsEnd: by hand, and by revocation within a second.
func TestSessionsEnd(t *testing.T) {
	r, port := one(t)
	r.up()
	for name, end := range map[string]func(session string){
		"by hand":      func(s string) { r.must("sessions", "end", s) },
		"by token":     func(string) { r.must("token", "revoke", tokenID(t, r)) },
		"by principal": func(string) { r.must("token", "revoke", "--subject", "user:alice@example.com") },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := r.connect(port, r.token("readers"))
			if err != nil {
				t.Fatal(err)
			}
			id := r.liveSession()
			began := time.Now()
			end(id)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			for {
				if _, err = c.Exec(ctx, "SELECT 1"); err != nil {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			took := time.Since(began)
			t.Logf("ended after %s: %v", took, err)
			if took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			r.eventually("it is over", func() bool { return !strings.Contains(r.must("sessions", "list", "--live", "--json"), id) })
		})
	}
}

func tokenID(t *testing.T, r *rig) string {
	var list []struct {
		Identity struct {
			TokenID string `json:"token_id"`
		} `json:"identity"`
	}
	if err := json.Unmarshal([]byte(r.must("token", "list", "--json")), &list); err != nil || len(list) == 0 {
		t.Fatal("no token is listed", err)
	}
	return list[0].Identity.TokenID
}

// TestPolicyPush: a change of the policy folder is in force on an open session
// within a second; a broken one is not, and is seen.
func TestPolicyPush(t *testing.T) {
	r, port := one(t)
	r.up()
	c, err := r.connect(port, r.token("readers"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := func() bool {
		_, err := c.Exec(t.Context(), "SELECT 1")
		if err != nil && sqlstate(err) != "42501" {
			t.Fatal(err)
		}
		return err == nil
	}
	if !allowed() {
		t.Fatal("not allowed at first")
	}
	worst := time.Duration(0)
	const rounds = 10
	for i := range rounds {
		want := i%2 == 1
		text := readers
		if !want {
			text = strings.Replace(readers, "allow", "block", 1)
		}
		began := time.Now()
		r.write("policy/rules.yaml", text)
		for allowed() != want {
			if time.Since(began) > 30*time.Second {
				t.Fatal("the push does not arrive")
			}
			time.Sleep(2 * time.Millisecond)
		}
		worst = max(worst, time.Since(began))
	}
	t.Logf("policy file to enforcement on an open session: worst of %d is %s", rounds, worst)
	if worst > 30*time.Second {
		t.Errorf("a push took %s", worst)
	}
	r.write("policy/extra.rego", "package dragoman.user\n\nnot rego\n")
	r.eventually("the broken policy is seen", func() bool { return strings.Contains(r.must("policy", "status"), "extra.rego:3") })
	if !allowed() {
		t.Error("a broken policy is in force")
	}
	if out := r.want(exitFailure, "policy", "check"); !strings.Contains(out, "extra.rego:3") {
		t.Error(out)
	}
}

// TestUpRefuses: what is wrong is said before anything is served.
func TestUpRefuses(t *testing.T) {
	r, _ := one(t)
	for name, x := range map[string]struct {
		change func()
		code   int
		says   string
	}{
		"a broken policy": {func() { r.write("policy/rules.yaml", "- name: x\n  verdict: maybe\n") }, exitUsage, "rules.yaml:1"},
		"no module": {func() {
			r.write("dragoman.yaml", "envoy: {module: /nowhere}\n"+strings.ReplaceAll(fmt.Sprintf(oneTarget, freePort(t)), "DB", r.db.Addr()))
		}, exitFailure, "libdragoman.so"},
		"a wrong key": {func() { r.write("dragoman.yaml", "targts: []\n") }, exitUsage, `did you mean "targets"?`},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(r.config)
			defer r.write("dragoman.yaml", string(before))
			defer r.write("policy/rules.yaml", readers)
			x.change()
			if out := r.want(x.code, "up"); !strings.Contains(out, x.says) {
				t.Errorf("it says\n%s", out)
			}
		})
	}
	r.up()
	if out := r.want(exitFailure, "up"); !strings.Contains(out, "another dragoman uses the data folder") {
		t.Error(out)
	}
}

// TestDoctor finds nothing where nothing is wrong, and what is wrong.
func TestDoctor(t *testing.T) {
	r, port := one(t)
	r.must("doctor")
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if out := r.want(exitFailure, "doctor"); !strings.Contains(out, "BAD  listen shop") {
		t.Error(out)
	}
}

func nodeStatus(t *testing.T, r *rig, name string) xds.NodeStatus {
	t.Helper()
	var list []xds.NodeStatus
	if err := json.Unmarshal([]byte(r.must("nodes", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no node %s", name)
	return xds.NodeStatus{}
}

// TestDrain: after the end was asked for, open sessions go on until they end or
// their time is up, and no longer.
func TestDrain(t *testing.T) {
	r, port := one(t)
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.write("dragoman.yaml", strings.Replace(string(text), "drain_time: 200ms", "drain_time: 20s", 1))
	r.up()
	c, err := r.connect(port, r.token("readers"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	began := time.Now()
	go func() { ended <- r.stop() }()
	for range 5 {
		time.Sleep(100 * time.Millisecond)
		if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Fatal("an open session does not survive the drain:", err)
		}
	}
	c.Close(t.Context())
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("up ended with %d", code)
		}
	case <-time.After(60 * time.Second):
		t.Error("up goes on though no session is open")
	}
	t.Logf("stopped after %s", time.Since(began))
	r.must("audit", "verify")
}
