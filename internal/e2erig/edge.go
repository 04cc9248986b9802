package e2erig

import (
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/testca"
)

// Edge is a node "edge" of a gateway, with an Envoy and a bridge of its own, as docs/operations.md says.
type Edge struct {
	up      *Up
	control string
	dir     string // below the gateway's
}

// Bridge is what `dragoman nodes` says of its bridge.
type Bridge struct {
	State    string
	Targets  int
	Sessions int
}

// NewEdge prepares a node, before the configuration is written.
func (u *Up) NewEdge() (*Edge, error) {
	mesh, err := testca.New("mesh") // by which a control plane and its nodes know each other
	if err != nil {
		return nil, err
	}
	e := &Edge{up: u, control: fmt.Sprintf("127.0.0.1:%d", FreePort()), dir: filepath.Join(u.Dir, "edge")}
	cert, key, err := mesh.Issue(pkix.Name{CommonName: "control"}, "spiffe://example.org/control", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	nodeCert, nodeKey, err := mesh.Issue(pkix.Name{CommonName: "edge"}, "spiffe://example.org/node/edge", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	return e, u.Write(map[string]string{"control.crt": cert, "control.key": key, "mesh.crt": mesh.PEM(),
		"edge/ca.crt": mesh.PEM(), "edge/node.crt": nodeCert, "edge/node.key": nodeKey})
}

// In is a Head with the node in it.
func (e *Edge) In(head string) string {
	return strings.TrimSuffix(head, "}\n") + fmt.Sprintf(", control: {listen: %q, cert: control.crt, key: control.key, client_ca: mesh.crt}, "+
		"nodes: [{name: edge, spiffe: \"spiffe://example.org/node/edge\", sockets: %s}]}\n", e.control, filepath.Join(e.dir, "run"))
}

// Start runs the node's processes until the test ends, and waits until its bridge serves. binary is Envoy's.
func (e *Edge) Start(t *testing.T, binary string) {
	t.Helper()
	at := func(file string) string { return filepath.Join(e.dir, file) }
	boot, env, code, err := e.up.Run("bootstrap", "--node", "edge", "--ca", at("ca.crt"), "--cert", at("node.crt"), "--key", at("node.key"),
		"--admin-socket", at("admin.sock"), "--spool", at("spool"))
	if err != nil || code != 0 {
		t.Fatalf("bootstrap: %v %s", err, env)
	}
	if err := os.WriteFile(at("boot.json"), []byte(boot), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := strings.Fields(env)
	for i, v := range vars { // where the module is, each machine says for itself
		if name, at, _ := strings.Cut(v, "="); strings.HasPrefix(at, "/folder/of/") {
			vars[i] = name + "=" + e.up.Bin
		}
	}
	e.run(t, append(vars, "GOMAXPROCS=4"), binary, "-c", at("boot.json"), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn")
	e.run(t, vars, filepath.Join(e.up.Bin, "dragoman"), "bridge", "--state", at("state"))
	if err := e.up.Await("the edge's bridge serves", func() bool { return e.Bridge(t).State == "serves" }); err != nil {
		t.Fatal(err)
	}
}

func (e *Edge) run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(e.dir, filepath.Base(name)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), log, log
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.End(syscall.SIGTERM, e.up.Limit)
		if b, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), b)
		}
	})
}

// Bridge asks `dragoman nodes` about it.
func (e *Edge) Bridge(t *testing.T) Bridge {
	t.Helper()
	var nodes []struct {
		Name   string
		Bridge Bridge
	}
	if err := json.Unmarshal([]byte(e.up.Must(t, "nodes", "--json")), &nodes); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Name == "edge" {
			return n.Bridge
		}
	}
	return Bridge{}
}

// Lacks fails the test when a file of the node has a text: what stays with the control plane.
func (e *Edge) Lacks(t *testing.T, secret string) {
	t.Helper()
	if secret == "" {
		t.Fatal("nothing to look for")
	}
	err := filepath.WalkDir(e.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			if errors.Is(err, os.ErrNotExist) { // meanwhile
				err = nil
			}
			return err
		}
		if b, _ := os.ReadFile(path); strings.Contains(string(b), secret) {
			t.Errorf("%s has it", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
