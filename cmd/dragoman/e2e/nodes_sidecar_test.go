package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/pgserver"
)

// fleet is a control plane with its own Envoy, which serves the target "central", and
// a sidecar node, which serves "aside".
type fleet struct {
	*rig
	ca             *authority
	central, aside place
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	db := clientsDatabase(t, pgserver.Newest)
	ca, control := newAuthority(t, "mesh"), freePort(t)
	server := ca.issue("control", "127.0.0.1", "spiffe://example.org/control")
	ports := [2]int{freePort(t), freePort(t)}
	config := fmt.Sprintf("  control: {listen: \"127.0.0.1:%d\", cert: control.crt, key: control.key, client_ca: mesh.crt}\n", control) + `  nodes:
    - {name: sidecar, spiffe: "spiffe://example.org/node/sidecar", role: sidecar}
    - {name: spare, spiffe: "spiffe://example.org/node/spare", role: sidecar}
targets:
` + target("central", ports[0], db, "clients") + target("aside", ports[1], db, "clients", "nodes: [sidecar]") + "policy:\n  dir: policy\n"
	g := newGateway(t, setup{Config: config, Files: map[string]string{"central-password": db.Password, "aside-password": db.Password,
		"control.crt": server.Cert, "control.key": server.Key, "mesh.crt": ca.PEM, "policy/rules.yaml": clientsRules}}).start()
	p := place{Port: ports[0], User: "agent", Password: g.token("clients"), Database: "clients"}
	f := &fleet{rig: &rig{g, db, p}, ca: ca, central: p, aside: p}
	f.aside.Port = ports[1]
	return f
}

// node is an Envoy that the test starts itself.
type node struct {
	dir string
	log *syncBuffer
}

// startNode starts an Envoy as docs/operations.md says: with the printed bootstrap, and the
// environment that is printed beside it.
func (f *fleet) startNode(t *testing.T, name string, ca *authority, cert leaf) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "dgn-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for file, text := range map[string]string{"ca.crt": ca.PEM, "node.crt": cert.Cert, "node.key": cert.Key} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(file string) string { return filepath.Join(dir, file) }
	boot, env, code := f.run("bootstrap", "--node", name, "--ca", at("ca.crt"), "--cert", at("node.crt"), "--key", at("node.key"),
		"--admin-socket", at("admin.sock"), "--spool", at("spool"))
	if code != 0 {
		t.Fatalf("bootstrap: %s", env)
	}
	if err := os.WriteFile(at("boot.json"), []byte(boot), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := envoy.Ensure(context.Background(), tools, envoyVersion())
	if err != nil {
		t.Fatal(err)
	}
	n := &node{dir: dir, log: &syncBuffer{}}
	cmd := exec.Command(binary, "-c", at("boot.json"), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn")
	cmd.Env = append(append(os.Environ(), strings.Fields(env)...), envoy.EnvModules+"="+f.bin, "GOMAXPROCS=4")
	cmd.Stdout, cmd.Stderr = n.log, n.log
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.End(syscall.SIGTERM, 20*time.Second)
		if t.Failed() {
			t.Logf("node %s:\n%s", name, n.log)
		}
	})
	return n
}

func envoyVersion() string {
	if v := os.Getenv("DRAGOMAN_TEST_ENVOY"); v != "" {
		return v
	}
	return envoy.Version
}

// dump is what an Envoy has for configuration, by its admin endpoint.
func dump(t testing.TB, socket string) string {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}}}
	var all bytes.Buffer
	for _, path := range []string{"/config_dump?include_eds", "/listeners?format=json", "/clusters?format=json"} {
		resp, err := client.Get("http://envoy" + path)
		if err != nil {
			return ""
		}
		io.Copy(&all, resp.Body)
		resp.Body.Close()
	}
	return all.String()
}

// serves reports whether a session can be opened.
func (p place) serves() error {
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Second)
	defer stop()
	c, err := pgx.Connect(ctx, p.dsn()+" password="+p.Password)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	return c.Ping(ctx)
}

func TestNodes(t *testing.T) {
	f := newFleet(t)
	side := f.startNode(t, "sidecar", f.ca, f.ca.issue("sidecar", "spiffe://example.org/node/sidecar"))
	waitUntil(t, 60*time.Second, "the sidecar serves", func() bool { return f.aside.serves() == nil })
	if err := f.central.serves(); err != nil {
		t.Fatal(err)
	}
	t.Run("each its own", func(t *testing.T) {
		mine := dump(t, filepath.Join(side.dir, "admin.sock"))
		theirs := dump(t, filepath.Join(f.dir, "data", "run", "envoy.sock"))
		if !strings.Contains(mine, "aside") || strings.Contains(mine, "central") {
			t.Error("the sidecar has not just its own target")
		}
		if !strings.Contains(theirs, "central") || strings.Contains(theirs, "aside") {
			t.Error("the gateway has not just its own target")
		}
		for name, text := range map[string]string{"sidecar": mine, "gateway": theirs} {
			if strings.Contains(text, "\"password\"") || strings.Contains(text, f.aside.Password) {
				t.Errorf("the %s has a credential in its configuration", name)
			}
		}
		if out := f.must("nodes"); !strings.Contains(out, "sidecar") || !strings.Contains(out, "gateway") {
			t.Errorf("nodes:\n%s", out)
		}
	})
	t.Run("policy", func(t *testing.T) {
		c := f.aside.connect(t)
		f.write("policy/rules.yaml", strings.Replace(clientsRules, "rules:\n", "rules:\n  - {name: shut, verdict: block, when: {tables: [public.people]}}\n", 1))
		began := time.Now()
		waitUntil(t, 60*time.Second, "the policy is in force on the sidecar", func() bool { _, err := c.Exec(context.Background(), "SELECT id FROM people"); return err != nil })
		t.Logf("a push reached the open session on the other node after %v", time.Since(began))
		f.write("policy/rules.yaml", clientsRules)
		waitUntil(t, 60*time.Second, "the old policy is back", func() bool { _, err := c.Exec(context.Background(), "SELECT id FROM people"); return err == nil })
	})
	t.Run("revocation", func(t *testing.T) {
		p := f.aside.as(f.tokenFor("agent:aside", "", "clients"))
		c := p.connect(t)
		began := time.Now()
		f.must("token", "revoke", tokenID(t, p.Password))
		took, err := ended(t, c, began)
		wantFatal(t, err, "revoked")
		t.Logf("ended on the other node after %v", took)
	})
	t.Run("held", func(t *testing.T) {
		w := f.heldExec(t, f.aside.connect(t), heldUpdate, "aside", 12)
		if err := f.decide(w.hold.ID, "approve", "user:dana@example.com", "dba"); err != nil {
			t.Fatal(err)
		}
		if err := w.end(t); err != nil || f.value(t, 12) != "aside" {
			t.Error(err)
		}
	})
	t.Run("wrong certificates", func(t *testing.T) { wrongNodes(t, f) })
	t.Run("control plane away", func(t *testing.T) { controlAway(t, f) })
}

// wrongNodes get nothing at all.
func wrongNodes(t *testing.T, f *fleet) {
	other := newAuthority(t, "another")
	nodes := map[string]*node{
		"another authority":       f.startNode(t, "spare", f.ca, other.issue("spare", "spiffe://example.org/node/spare")),
		"another node's name":     f.startNode(t, "sidecar", f.ca, f.ca.issue("spare", "spiffe://example.org/node/spare")),
		"an id that is no node":   f.startNode(t, "sidecar", f.ca, f.ca.issue("x", "spiffe://example.org/node/x")),
		"a certificate but no id": f.startNode(t, "sidecar", f.ca, f.ca.issue("sidecar")),
	}
	time.Sleep(3 * time.Second)
	for name, n := range nodes {
		text := dump(t, filepath.Join(n.dir, "admin.sock"))
		if text == "" {
			t.Errorf("%s: its Envoy does not answer:\n%s", name, n.log)
		}
		if strings.Contains(text, "aside") || strings.Contains(text, "central") || strings.Contains(text, "public.off_limits") {
			t.Errorf("%s: it has configuration", name)
		}
	}
	if err := f.aside.serves(); err != nil {
		t.Errorf("the real sidecar is disturbed: %v", err)
	}
}

// controlAway: without the control plane open sessions go on, recorded; nothing
// new begins, and nothing that must wait for a person. Records arrive when it is back.
func controlAway(t *testing.T, f *fleet) {
	ctx := context.Background()
	c := f.aside.connect(t)
	if _, err := c.Exec(ctx, "SELECT 'before'"); err != nil {
		t.Fatal(err)
	}
	f.cmd.Process.Kill()
	<-f.done
	for i := range 50 {
		if _, err := c.Exec(ctx, fmt.Sprintf("SELECT 'while away %d'", i)); err != nil {
			t.Fatalf("an open session ended: %v", err)
		}
	}
	_, err := c.Exec(ctx, "SELECT * FROM off_limits")
	wantBlocked(t, err, "no-off-limits")
	if _, err := c.Exec(ctx, heldUpdate, pgx.QueryExecModeExec, "away", 13); err == nil {
		t.Error("what must be held ran")
	}
	err = f.aside.serves()
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Severity != "FATAL" {
		t.Errorf("a new session: %v", err)
	} else {
		t.Logf("a new session is told: %s %s", pe.Code, pe.Message)
	}
	f.start()
	waitUntil(t, 60*time.Second, "sessions open again", func() bool { return f.aside.serves() == nil })
	if _, err := c.Exec(ctx, "SELECT 'after'"); err != nil {
		t.Errorf("the open session ended when the control plane came back: %v", err)
	}
	c.Close(ctx)
	id := f.sessionWith(t, "while away 49")
	if out := f.must("sessions", "show", id, "--json"); !strings.Contains(out, `"sidecar"`) {
		t.Errorf("the record does not name the node:\n%s", out)
	}
	out := f.must("sessions", "replay", id, "--format", "text")
	for _, want := range []string{"before", "while away 0", "after", "off_limits"} {
		if !strings.Contains(out, want) {
			t.Errorf("the record lacks %q", want)
		}
	}
	if f.value(t, 13) != "old" {
		t.Error("what was to be held reached the target")
	}
}
