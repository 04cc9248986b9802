//go:build rdp

package rdpe2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/rdpserver"
)

const repo = "../../.."

// limit bounds every wait for a condition.
const limit = 120 * time.Second

// rig is a gateway in front of xrdp, as several targets, and of a shadow server. All tests share it.
type rig struct {
	*e2erig.Up
	xrdp   *rdpserver.Xrdp
	shown  *rdpserver.Display // what the shadow server shows
	shadow *rdpserver.Server
	screen *rdpserver.Display // the client's
	ports  map[string]int
	edge   *e2erig.Edge
	envoy  string // its binary
}

var shared *rig

func TestMain(m *testing.M) {
	var err error
	code := 1
	if shared, err = newRig(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "rdpe2e:", err)
	} else {
		code = m.Run()
	}
	shared.stop(code != 0)
	os.Exit(code)
}

const rules = `rules:
  - {name: held, verdict: hold, when: {groups: [held], kinds: [connect]}, approvers: [leads], reason: people decide who comes in}
  - {name: open, verdict: allow, when: {groups: [ops, lookers, held], kinds: [connect]}}
  - {name: look, verdict: allow, when: {groups: [lookers], kinds: [rdp.chan], tables: [channel.desktop]}}
  - {name: no-paste, verdict: block, when: {kinds: [rdp.chan], verbs: [write], targets: [copyout]}, reason: nothing is pasted there}
  - {name: ops, verdict: allow, when: {groups: [ops, held], kinds: [rdp.chan]}}
masks:
  - {name: pii, detectors: [email], targets: [clear], opaque: allow}
`

func newRig(ctx context.Context) (*rig, error) {
	up, err := e2erig.New(limit)
	r := &rig{Up: up, ports: map[string]int{}}
	if err != nil {
		return r, err
	}
	if r.screen, err = rdpserver.StartDisplay(1024, 768); err != nil {
		return r, err
	}
	if r.shown, err = rdpserver.StartDisplay(640, 480); err != nil {
		return r, err
	}
	if _, err := r.shown.Run(ctx, "", "xsetroot", "-solid", "#206040"); err != nil {
		return r, err
	}
	if r.shadow, err = rdpserver.StartShadow(ctx, r.shown); err != nil {
		return r, err
	}
	if r.xrdp, err = rdpserver.StartXrdp(ctx); err != nil {
		return r, err
	}
	return r, r.start(ctx)
}

// targets are those of the config: xrdp by default, with keys and clipboard in several ways.
func (r *rig) targets() string {
	var b strings.Builder
	add := func(name string, s *rdpserver.Server, tls, rdp string, more ...string) {
		r.ports[name] = e2erig.FreePort()
		fmt.Fprintf(&b, "  - {name: %s, protocol: rdp, address: %q, listen: \"127.0.0.1:%d\", credentials: {user: %s, password: \"file:%s\"}, tls: {upstream: %s}, rdp: %s%s}\n",
			name, s.Address(), r.ports[name], s.User, name+".password", tls, rdp, strings.Join(more, ""))
	}
	verified := fmt.Sprintf("{mode: verify-full, ca: %s}", r.xrdp.Cert)
	add("desk", r.xrdp.Server, verified, "{}")
	add("clear", r.xrdp.Server, verified, "{keyboard: clear, clipboard: true}")
	add("copyout", r.xrdp.Server, verified, "{clipboard: true}")
	add("shadow", r.shadow, "{mode: require}", "{nla: true}")
	add("wrong", r.shadow, "{mode: require}", "{}")
	add("stranger", r.xrdp.Server, "{mode: verify-full, ca: other.crt}", "{}")
	add("aside", r.shadow, "{mode: require}", "{nla: true}", ", nodes: [edge]")
	b.WriteString(withPage())
	return b.String()
}

// start writes the configuration and runs `dragoman up`.
func (r *rig) start(ctx context.Context) error {
	var err error
	if r.envoy, err = envoy.Ensure(ctx, filepath.Join(repo, ".tools"), envoy.Version); err != nil {
		return err
	}
	head, err := r.Head(r.envoy, envoy.Version)
	if err != nil {
		return err
	}
	if r.edge, err = r.NewEdge(); err != nil {
		return err
	}
	files := map[string]string{"policy/rules.yaml": rules, "dragoman.yaml": r.edge.In(head) + "targets:\n" + r.targets() + "policy: {dir: policy}\n"}
	for name := range r.ports {
		files[name+".password"] = r.xrdp.Password
	}
	files["shadow.password"], files["aside.password"], files["wrong.password"] = r.shadow.Password, r.shadow.Password, "not-it"
	other, err := os.ReadFile("testdata/other.crt")
	if err != nil {
		return err
	}
	files["other.crt"] = string(other)
	if err := r.Write(files); err != nil {
		return err
	}
	return r.Launch()
}

func (r *rig) stop(failed bool) {
	if r.Up != nil {
		r.End(failed, os.Stderr)
	}
	if r.xrdp != nil {
		if failed {
			fmt.Fprintln(os.Stderr, r.xrdp.Logs())
		}
		r.xrdp.Stop()
	}
	if r.shadow != nil {
		r.shadow.Stop()
	}
	for _, d := range []*rdpserver.Display{r.screen, r.shown} {
		if d != nil {
			d.Stop()
		}
	}
}

// run runs the command line.
func (r *rig) run(args ...string) (string, error) { return r.Output(args...) }

func (r *rig) must(t *testing.T, args ...string) string {
	t.Helper()
	return r.Must(t, args...)
}

func (r *rig) token(t *testing.T, subject string, groups ...string) string {
	t.Helper()
	return r.Token(t, subject, "user:alice@example.com", groups...)
}

// await waits for a condition.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		if is() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it did not come: %s", what)
		}
	}
}

// session is one that the command line lists.
type session struct {
	ID      string `json:"id"`
	Sealed  bool   `json:"sealed"`
	Blocked int    `json:"blocked"`
}

// session is the newest one of a subject; its zero value, when there is none.
func (r *rig) session(t *testing.T, subject string) session {
	t.Helper()
	var list struct{ Sessions []session }
	out := r.must(t, "sessions", "list", "--identity", subject, "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(list.Sessions) == 0 {
		return session{}
	}
	return list.Sessions[0]
}

// last is the newest session of a subject, once it has ended.
func (r *rig) last(t *testing.T, subject string) string {
	t.Helper()
	var s session
	await(t, "the session of "+subject+" ends", func() bool { s = r.session(t, subject); return s.Sealed })
	return s.ID
}
