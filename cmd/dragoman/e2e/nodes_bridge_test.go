package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/sshserver"
)

// edge is a control plane, and a node "edge" whose Envoy and bridge serve the target web1.
type edge struct {
	*fleet
	ssh     *sshRig
	dir     string
	control string
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	sshd, err := sshserver.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sshd.Stop() })
	dir, err := os.MkdirTemp("", "dge-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ca := newAuthority(t, "mesh")
	server := ca.issue("control", "127.0.0.1", "spiffe://example.org/control")
	e := &edge{dir: dir, control: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	port := freePort(t)
	g := newGateway(t, setup{Config: fmt.Sprintf(`  control: {listen: "%s", cert: control.crt, key: control.key, client_ca: mesh.crt}
  nodes:
    - {name: edge, spiffe: "spiffe://example.org/node/edge", sockets: %s/run}
    - {name: spare, spiffe: "spiffe://example.org/node/spare"}
targets:
  - name: web1
    protocol: ssh
    nodes: [edge]
    address: %s
    listen: 127.0.0.1:%d
    credentials: {user: %s, key: "file:%s"}
    ssh: {known_hosts: known}
policy: {dir: policy}
`, e.control, dir, sshd.Address(), port, sshd.User, sshd.Key), Files: map[string]string{"control.crt": server.Cert, "control.key": server.Key, "mesh.crt": ca.PEM,
		"known": "[" + strings.Replace(sshd.Address(), ":", "]:", 1) + " " + sshd.HostKey + "\n", "policy/rules.yaml": sshRules}})
	g.write("dragoman.yaml", strings.Replace(mustRead(t, g.config), "drain_time: 1s", "drain_time: 60s", 1))
	g.start()
	e.fleet = &fleet{rig: &rig{gateway: g}, ca: ca}
	e.ssh = &sshRig{gateway: g, sshd: sshd, port: port, keys: filepath.Join(dir, "edge", "state", "keys")}
	return e
}

// process is a `dragoman bridge`.
type process struct {
	*child.Child
	out *syncBuffer
}

// startBridge runs the bridge of a node with a certificate; its state is in the folder of that name.
func (e *edge) startBridge(t *testing.T, node, state string, cert leaf) *process {
	t.Helper()
	at := func(file string) string { return filepath.Join(e.dir, state, file) }
	if err := os.MkdirAll(at(""), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"ca.crt": e.ca.PEM, "node.crt": cert.Cert, "node.key": cert.Key} {
		if err := os.WriteFile(at(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &process{out: &syncBuffer{}}
	cmd := exec.Command(filepath.Join(e.bin, "dragoman"), "bridge", "--node", node, "--control", e.control, "--ca", at("ca.crt"), "--cert", at("node.crt"), "--key", at("node.key"),
		"--state", at("state"))
	cmd.Stdout, cmd.Stderr = p.out, p.out
	var err error
	if p.Child, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.End(syscall.SIGTERM, 20*time.Second)
		if t.Failed() {
			t.Logf("bridge of %s:\n%s", node, p.out)
		}
	})
	return p
}

// TestBridgeNode: a bridge on another node is told its targets and the policy, and what it records arrives.
func TestBridgeNode(t *testing.T) {
	e := newEdge(t)
	cert := e.ca.issue("edge", "spiffe://example.org/node/edge")
	e.startNode(t, "edge", e.ca, cert)
	bridge := e.startBridge(t, "edge", "edge", cert)
	token := e.token("ops")
	waitUntil(t, 60*time.Second, "the bridge serves", func() bool { return e.ssh.try(token, "echo first") == nil })
	c := e.ssh.dial(token)
	if out, err := run(c, "echo on the edge"); err != nil || out != "on the edge\n" {
		t.Fatalf("%q %v", out, err)
	}
	if _, err := run(c, "rm x"); err == nil {
		t.Error("what is blocked ran")
	}
	t.Run("policy", func(t *testing.T) {
		e.write("policy/rules.yaml", strings.Replace(sshRules, "commands: [rm]", "commands: [rm, uname]", 1))
		waitUntil(t, 60*time.Second, "the policy is in force", func() bool { _, err := run(c, "uname"); return err != nil })
		e.write("policy/rules.yaml", sshRules)
		waitUntil(t, 60*time.Second, "the old policy is back", func() bool { _, err := run(c, "uname"); return err == nil })
	})
	t.Run("secrets stay home", func(t *testing.T) {
		key, err := os.ReadFile(e.ssh.sshd.Key)
		if err != nil {
			t.Fatal(err)
		}
		secret := strings.Split(strings.TrimSpace(string(key)), "\n")[2]
		if err := filepath.WalkDir(e.dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if strings.Contains(string(b), secret) {
				t.Errorf("%s has the target's key", path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("wrong certificates", func(t *testing.T) {
		for name, leaf := range map[string]leaf{"another node": e.ca.issue("spare", "spiffe://example.org/node/spare"), "another authority": newAuthority(t, "another").issue("edge", "spiffe://example.org/node/edge")} {
			p := e.startBridge(t, "edge", strings.ReplaceAll(name, " ", "-"), leaf)
			waitUntil(t, 60*time.Second, "the bridge is refused", func() bool { return strings.Contains(p.out.String(), "the control plane is away") })
			p.End(syscall.SIGTERM, 20*time.Second)
			if strings.Contains(p.out.String(), "ready") {
				t.Errorf("%s is told something", name)
			}
		}
	})
	t.Run("control plane away", func(t *testing.T) {
		e.cmd.Process.Kill()
		<-e.done
		if out, err := run(c, "echo while away"); err != nil || out != "while away\n" {
			t.Errorf("an open session: %q %v", out, err)
		}
		if _, err := run(c, "rm x"); err == nil {
			t.Error("what is blocked ran")
		}
		if err := e.ssh.try(token, "echo new"); err == nil {
			t.Error("a session opened without the control plane")
		}
		e.start()
		waitUntil(t, 60*time.Second, "sessions open again", func() bool { return e.ssh.try(token, "echo back") == nil })
	})
	c.Close()
	bridge = e.drains(t, bridge, cert)
	c = e.ssh.dial(token)
	if out, err := run(c, "echo at last"); err != nil {
		t.Fatalf("%q %v", out, err)
	}
	bridge.End(syscall.SIGKILL, 20*time.Second)
	e.startBridge(t, "edge", "edge", cert)
	waitUntil(t, 60*time.Second, "sessions open again", func() bool { return e.ssh.try(token, "echo again") == nil })
	for _, words := range []string{"on the edge", "while away", "at last", "nothing is removed here"} {
		e.sessionWith(t, words)
	}
	waitUntil(t, 60*time.Second, "all sessions have ended, those of the killed bridge too", func() bool { return !strings.Contains(e.must("sessions", "list", "--live"), "ses_") })
	if out := e.must("sessions", "show", e.sessionWith(t, "at last"), "--json"); !strings.Contains(out, `"edge"`) {
		t.Errorf("the record does not name the node:\n%s", out)
	}
}

// bridge is what `dragoman nodes` knows of the edge's.
func (e *edge) bridge(t *testing.T) (b struct {
	State     string
	Targets   int
	Sessions  int
	Connected bool
}) {
	t.Helper()
	var nodes []struct {
		Name   string
		Bridge json.RawMessage
	}
	if err := json.Unmarshal([]byte(e.must("nodes", "--json")), &nodes); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Name == "edge" {
			if err := json.Unmarshal(n.Bridge, &b); err != nil {
				t.Fatal(err)
			}
		} else if n.Bridge != nil {
			t.Errorf("%s has a bridge: %s", n.Name, n.Bridge)
		}
	}
	return b
}

// drains ends a bridge with SIGTERM, under a command that runs: that goes on to its end, others are not let in, and all that was
// recorded is shipped before the process ends. It gives the next bridge.
func (e *edge) drains(t *testing.T, bridge *process, cert leaf) *process {
	token := e.token("ops")
	waitUntil(t, 60*time.Second, "the bridge serves", func() bool { b := e.bridge(t); return b.State == "serves" && b.Targets == 1 })
	c := e.ssh.dial(token)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := &syncBuffer{}
	s.Stdout = out
	if err := s.Start("echo draining begins; cat"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, 60*time.Second, "the command runs", func() bool { return strings.Contains(out.String(), "begins") })
	waitUntil(t, 60*time.Second, "its session is counted", func() bool { return e.bridge(t).Sessions == 1 })
	if err := syscall.Kill(bridge.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, 60*time.Second, "the bridge drains", func() bool { return e.bridge(t).State == "draining" })
	if err := e.ssh.try(token, "echo late"); err == nil {
		t.Error("a session opened while the bridge drains")
	}
	fmt.Fprintln(in, "to the end")
	in.Close()
	if err := s.Wait(); err != nil || !strings.Contains(out.String(), "to the end") {
		t.Errorf("the command that ran: %v %q", err, out)
	}
	c.Close()
	select {
	case <-bridge.Done():
	case <-time.After(50 * time.Second): // before the drain time is over
		t.Error("the bridge does not end with its last session")
	}
	if left, err := filepath.Glob(filepath.Join(e.dir, "edge", "state", "spool", "ses_*")); err != nil || len(left) > 0 {
		t.Errorf("not shipped: %v %v", left, err)
	}
	waitUntil(t, 60*time.Second, "the bridge is away", func() bool { return e.bridge(t).State == "away" })
	if out := e.must("nodes"); !strings.Contains(out, "away") {
		t.Error(out)
	}
	next := e.startBridge(t, "edge", "edge", cert)
	waitUntil(t, 60*time.Second, "the next one serves", func() bool { return e.bridge(t).State == "serves" && e.ssh.try(token, "echo next") == nil })
	e.sessionWith(t, "draining begins")
	return next
}

func run(c *ssh.Client, command string) (string, error) {
	s, err := c.NewSession()
	if err != nil {
		return "", err
	}
	defer s.Close()
	out, err := s.Output(command)
	return string(out), err
}
