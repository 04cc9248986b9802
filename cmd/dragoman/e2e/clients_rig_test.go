package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/pgserver"
)

// clientsSQL is the database that the client programs work in.
const clientsSQL = `
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email text, ssn text, pin int, born date);
INSERT INTO people SELECT i, 'person ' || i, 'person.' || i || '@example.com', '123-45-' || (6000 + i), 1000 + i, date '1970-01-01' + i
  FROM generate_series(1, 100) i;
CREATE TABLE held (id int PRIMARY KEY, v text);
INSERT INTO held SELECT i, 'old' FROM generate_series(1, 20) i;
CREATE TABLE work (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text NOT NULL, v text, n int);
CREATE UNIQUE INDEX ON work (who, n);
CREATE TABLE off_limits (id int);
INSERT INTO off_limits VALUES (1);
`

// clientsRules let a client do everything in that database but truncate it or
// read one table; one table's changes are held, three columns masked.
const clientsRules = `rules:
  - name: no-truncate
    verdict: block
    when: {verbs: [truncate]}
    reason: TRUNCATE removes every row
    hint: use DELETE with a WHERE
  - name: no-off-limits
    verdict: block
    when: {tables: [public.off_limits]}
    reason: this table is not for clients
    hint: read another one
  - name: held-changes
    verdict: hold
    when: {groups: [clients], verbs: [update], tables: [public.held]}
    approvers: [dba]
    timeout: 60s
    reason: changes of this table wait for a person
  - name: clients
    verdict: allow
    when:
      groups: [clients]
      verbs: [select, insert, delete, copy, explain, listen, unlisten, notify, lock]
      tables: ["*.*"]
  - name: clients-update
    verdict: allow
    when: {groups: [clients], verbs: [update], tables: [public.work, "public.pgbench_*"]}
  - name: clients-channels
    verdict: allow
    when: {groups: [clients], verbs: [listen, unlisten, notify]}
masks:
  - name: email
    columns: [public.people.email]
    way: partial
  - name: secrets
    columns: [public.people.ssn, public.people.pin]
    way: redact
`

// rig is a database with a gateway in front of it. Gateway is nil when clients
// go to the database itself, where each program proves itself first.
type rig struct {
	*gateway
	db    *pgserver.Server
	place place
}

// clientsRig starts the database and a gateway with the rules; more are lines of the target's YAML.
func clientsRig(t testing.TB, version, rules string, more ...string) *rig {
	t.Helper()
	return startRig(t, clientsDatabase(t, version), rules, more...)
}

func clientsDatabase(t testing.TB, version string) *pgserver.Server {
	t.Helper()
	db := postgres(t, version, pgserver.Options{Settings: map[string]string{"log_statement": "all", "log_parameter_max_length": "200"}})
	execSQL(t, db, "postgres", "CREATE DATABASE clients")
	execSQL(t, db, "clients", clientsSQL)
	return db
}

func startRig(t testing.TB, db *pgserver.Server, rules string, more ...string) *rig {
	t.Helper()
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + target("db", port, db, "clients", more...) + "policy:\n  dir: policy\n",
		Files:  map[string]string{"db-password": db.Password + "\n", "policy/rules.yaml": rules},
	}).start()
	return &rig{g, db, place{Port: port, User: "agent", Password: g.token("clients"), Database: "clients"}}
}

// direct is the place of the database itself.
func direct(db *pgserver.Server) place {
	return place{Port: db.Port, User: db.User, Password: db.Password, Database: "clients"}
}

// program runs a client program and fails the test with what it printed unless
// its last line is "passed". It is told where to connect by libpq's variables,
// and by DRAGOMAN_GATEWAY whether policy is in between.
func program(t testing.TB, p place, through bool, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", fmt.Sprintf("PGPORT=%d", p.Port), "PGUSER="+p.User,
		"PGPASSWORD="+p.Password, "PGDATABASE="+p.Database, fmt.Sprintf("DRAGOMAN_GATEWAY=%t", through))
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil || !strings.HasSuffix(text, "passed") {
		t.Errorf("%s: %v\n%s", filepath.Base(args[len(args)-1]), err, text)
	}
}

// api calls the HTTP API on the admin socket; the answer is decoded into out unless that is nil.
func (g *gateway) api(method, path string, body, out any) error {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(g.dir, "data", "admin.sock"))
		}}}
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://dragoman"+path, in)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// holds lists the holds in any of the states.
func (g *gateway) holds(states ...hold.State) ([]hold.Hold, error) {
	var list struct {
		Approvals []hold.Hold `json:"approvals"`
	}
	path := "/v1/approvals?limit=1000"
	for _, s := range states {
		path += "&state=" + string(s)
	}
	err := g.api("GET", path, nil, &list)
	return list.Approvals, err
}

// decide says yes or no to a hold, as somebody of the group.
func (g *gateway) decide(id, verb, as, group string) error {
	return g.api("POST", "/v1/approvals/"+id+"/"+verb, map[string]any{"as": as, "groups": []string{group}, "reason": "as the test says"}, nil)
}

// approver approves everything that is held until the test ends.
func (g *gateway) approver(t testing.TB) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			list, err := g.holds(hold.Pending)
			if err != nil {
				continue // the gateway is on its way down; the test tells
			}
			for _, h := range list {
				g.decide(h.ID, "approve", "user:dana@example.com", "dba")
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}
