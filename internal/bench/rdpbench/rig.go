package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/rdpclient"
	"dragoman.dev/dragoman/internal/rdpserver"
)

const width, height = 1024, 768

// limit bounds every wait.
const limit = time.Minute

// rig is both kinds of servers and a gateway in front of them.
type rig struct {
	xrdp   *rdpserver.Xrdp
	shown  *rdpserver.Display
	shadow *rdpserver.Server
	up     *e2erig.Up
	envoy  int // its process
	ports  map[string]int
	token  string
}

const configYAML = `targets:
  - {name: desk, protocol: rdp, address: %q, listen: "127.0.0.1:%d", credentials: {user: %s, password: "file:desk.password"}, tls: {upstream: {mode: verify-full, ca: %s}}}
  - {name: shadow, protocol: rdp, address: %q, listen: "127.0.0.1:%d", credentials: {user: %s, password: "file:shadow.password"}, tls: {upstream: {mode: require}}, rdp: {nla: true}}
policy:
  rules:
    - {name: ops, verdict: allow, when: {groups: [ops], kinds: [connect, rdp.chan]}}
    - {name: no-paste, verdict: block, when: {kinds: [rdp.chan], verbs: [write]}}
`

func startRig(ctx context.Context, o options) (*rig, error) {
	r := &rig{ports: map[string]int{"desk": e2erig.FreePort(), "shadow": e2erig.FreePort()}}
	if err := r.start(ctx, o); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, o options) (err error) {
	binary, err := envoy.Ensure(ctx, o.tools, envoy.Version)
	if err != nil {
		return err
	}
	if r.xrdp, err = rdpserver.StartXrdp(ctx); err != nil {
		return err
	}
	if r.shown, err = rdpserver.StartDisplay(width, height); err != nil {
		return err
	}
	if r.shadow, err = rdpserver.StartShadow(ctx, r.shown); err != nil {
		return err
	}
	if r.up, err = e2erig.NewIn(o.bin, limit); err != nil {
		return err
	}
	head, err := r.up.Head(binary, envoy.Version)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(configYAML, r.xrdp.Address(), r.ports["desk"], r.xrdp.User, r.xrdp.Cert, r.shadow.Address(), r.ports["shadow"], r.shadow.User)
	if err := r.up.Write(map[string]string{"dragoman.yaml": head + text, "desk.password": r.xrdp.Password, "shadow.password": r.shadow.Password}); err != nil {
		return err
	}
	if err := r.up.Launch(); err != nil {
		return err
	}
	if r.envoy = proc.Child(r.up.Process().PID(), "envoy"); r.envoy == 0 {
		return errors.New("dragoman up has no child called envoy")
	}
	r.token, err = r.up.Output("token", "create", "--subject", "agent:bench", "--group", "ops", "--ttl", "4h")
	return err
}

func (r *rig) stop() {
	if r.up != nil {
		r.up.End(false, os.Stderr)
	}
	if r.shadow != nil {
		_ = r.shadow.Stop()
	}
	if r.shown != nil {
		r.shown.Stop()
	}
	if r.xrdp != nil {
		_ = r.xrdp.Stop()
	}
}

// dial logs in to a target by a peer.
func (r *rig) dial(ctx context.Context, peer, target string) (*rdpclient.Client, error) {
	o := rdpclient.Options{Width: width, Height: height}
	server := r.xrdp.Server
	if target == "shadow" {
		server = r.shadow
	}
	if peer == direct {
		o.Address, o.User, o.Password, o.NLA = server.Address(), server.User, server.Password, target == "shadow"
	} else {
		o.Address, o.User, o.Password = fmt.Sprintf("127.0.0.1:%d", r.ports[target]), target, r.token[:len(r.token)-1]
	}
	return rdpclient.Dial(ctx, o)
}

// script is a file in the home of xrdp's session.
func (r *rig) script(name, text string) error {
	return os.WriteFile(filepath.Join(r.xrdp.Home(), name), []byte(text), 0o755)
}
