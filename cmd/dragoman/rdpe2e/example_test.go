//go:build rdp

package rdpe2e

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/e2erig"
)

// TestExample: the configuration and the policy of examples/rdp do what they say, for one who works and one who looks.
func TestExample(t *testing.T) {
	port := e2erig.FreePort()
	up, err := e2erig.New(limit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { up.End(t.Failed(), os.Stderr) }()
	r := &rig{Up: up, xrdp: shared.xrdp, screen: shared.screen, ports: map[string]int{"desk": port}}
	files, err := e2erig.Example(filepath.Join(repo, "examples", "rdp"), "127.0.0.1:3389", r.xrdp.Address(), "127.0.0.1:13389", fmt.Sprintf("127.0.0.1:%d", port),
		"user: operator", "user: "+r.xrdp.User, "desk.pem", r.xrdp.Cert)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := envoy.Ensure(context.Background(), filepath.Join(repo, ".tools"), envoy.Version)
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.Head(binary, envoy.Version)
	if err != nil {
		t.Fatal(err)
	}
	files["dragoman.yaml"], files["desk-password"] = head+files["dragoman.yaml"], r.xrdp.Password
	if err := r.Write(files); err != nil {
		t.Fatal(err)
	}
	if err := r.Launch(); err != nil {
		t.Fatal(err)
	}
	if out, err := r.run("policy", "check", filepath.Join(repo, "examples", "rdp", "policy")); err != nil {
		t.Error(out, err)
	}
	c := r.connect(t, "desk", r.token(t, "agent:operator", "operators"))
	r.desktop(t, c)
	r.types(t, "echo worked > example")
	await(t, "what the operator typed", func() bool { return r.wrote("example") == "worked\n" })
	c.close()
	c = r.connect(t, "desk", r.token(t, "agent:trainee", "trainees"))
	r.desktop(t, c)
	var before image.Image = r.still(t)
	r.types(t, "echo looked > example")
	if off := different(before, r.still(t), tolerance); off > 0 {
		t.Errorf("%d pixels changed by what a trainee typed", off)
	}
	c.close()
	if text := r.must(t, "sessions", "replay", r.last(t, "agent:operator")); !strings.Contains(text, "typed: ") {
		t.Errorf("the operator's replay:\n%s", text)
	}
	if text := r.wrote("example"); text != "worked\n" {
		t.Errorf("it says %q", text)
	}
}

// wrote is what a file in the desktop's home has.
func (r *rig) wrote(name string) string {
	b, _ := os.ReadFile(filepath.Join(r.xrdp.Home(), name))
	return string(b)
}
