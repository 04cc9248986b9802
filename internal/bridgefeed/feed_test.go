package bridgefeed

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/policy"
)

// TestDocument: what a bridge is told is what the config says, but for credentials and for what is not its own.
func TestDocument(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	yes := true
	cfg := &config.Config{Data: dir, Targets: []config.Target{
		{Name: "a", Protocol: config.ProtocolSSH, Nodes: []string{"edge"}, Addresses: []string{"h:22"}, AllowCleartext: &yes, Limits: config.Limits{IdleTimeout: config.Duration(time.Minute)},
			SSH: config.SSH{KnownHosts: at("known", "hosts"), KeepFiles: &yes}, Credentials: config.Credentials{User: "u", Password: "env:SECRET"}},
		{Name: "b", Protocol: config.ProtocolRDP, Nodes: []string{"edge", "gateway"}, TLS: config.TargetTLS{Client: config.ClientTLS{Cert: at("crt", "cert"), Key: at("key", "private")}}},
		{Name: "c", Protocol: config.ProtocolSSH, Nodes: []string{"gateway"}, SSH: config.SSH{KnownHosts: "/nowhere"}},
		{Name: "d", Protocol: config.ProtocolPostgres, Nodes: []string{"edge"}},
	}}
	cfg.Envoy.Node, cfg.Envoy.Nodes = "gateway", []config.Node{{Name: "edge", Sockets: "/run/x"}}
	raw, err := Of(cfg, "edge", policy.Bundle{Revision: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "SECRET") {
		t.Error("a credential is told")
	}
	d, err := Parse(raw)
	if err != nil || len(d.Targets) != 2 || d.Policy.Revision != "r1" || d.Sockets != "/run/x" {
		t.Fatalf("%+v %v", d, err)
	}
	state := filepath.Join(dir, "state")
	if err := d.Settle(state); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{d.Targets[0].SSH.KnownHosts: "hosts", d.Targets[1].TLS.Client.Key: "private"} {
		if b, err := os.ReadFile(path); err != nil || string(b) != want || filepath.Dir(path) != state {
			t.Errorf("%s: %q %v", path, b, err)
		}
	}
	want := cfg.Targets[0]
	want.Credentials, want.SSH.KnownHosts = config.Credentials{}, d.Targets[0].SSH.KnownHosts
	if !reflect.DeepEqual(d.Targets[0], want) {
		t.Errorf("%+v\n%+v", d.Targets[0], want)
	}
	if _, err := Of(cfg, "gateway", policy.Bundle{}); err == nil {
		t.Error("a file that is not there")
	}
}

// TestHostKeys: the private keys that clients of ssh targets see go to bridges that have such a target.
func TestHostKeys(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("private"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Bridge: config.Bridge{HostKeys: []string{key}}, Targets: []config.Target{
		{Name: "a", Protocol: config.ProtocolSSH, Nodes: []string{"ssh"}}, {Name: "b", Protocol: config.ProtocolRDP, Nodes: []string{"rdp"}},
		{Name: "c", Protocol: config.ProtocolKubernetes, Nodes: []string{"kube"}}, {Name: "d", Protocol: config.ProtocolPostgres, Nodes: []string{"sql"}}}}
	cfg.Identity.SSH.Keys = []config.SSHKey{{Subject: "user:dana"}}
	for node, has := range map[string]int{"ssh": 1, "rdp": 0, "kube": 0, "sql": 0, "idle": 0} {
		raw, err := Of(cfg, node, policy.Bundle{Revision: "r1"})
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(raw)
		if err != nil || len(d.Files) != has || len(d.Bridge.HostKeys) != has || len(d.Keys.Keys) != has {
			t.Errorf("%s is told %s %v", node, raw, err)
		}
	}
}

// TestFollow: a document comes at once and when it has changed, to whom it is for, and again after the control plane was away.
func TestFollow(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	var doc atomic.Value
	doc.Store("1")
	log := slog.New(slog.DiscardHandler)
	s := NewServer(ServerOptions{Log: log, Document: func(string) ([]byte, error) { return []byte(doc.Load().(string)), nil },
		Authenticate: func(_ context.Context, claimed string) (string, error) {
			if claimed != "edge" {
				return "", errors.New("who?")
			}
			return claimed, nil
		}})
	g := grpc.NewServer()
	s.Register(g)
	go g.Serve(l)
	defer g.Stop()
	conn, err := grpc.NewClient("unix://"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	got := make(chan string)
	go Follow(ctx, conn, "edge", log, func(b []byte) error { got <- string(b); return nil })
	if v := <-got; v != "1" {
		t.Fatal(v)
	}
	s.Changed() // nothing new
	doc.Store("2")
	s.Changed()
	if v := <-got; v != "2" {
		t.Fatal(v)
	}
	told := Report{Document: Digest([]byte("2")), Policy: "r1", Targets: 2, Sessions: 3, Refused: strings.Repeat("x", 2*maxWhy)}
	for _, c := range []struct {
		change func()
		want   string
	}{{func() {}, "refused"}, {func() { told.Refused = "" }, "serves"}, {func() { told.Document = "0" }, "pending"}, {func() { told.Draining = true }, "draining"}} {
		c.change()
		if err := Tell(ctx, conn, "edge", told); err != nil {
			t.Fatal(err)
		}
		if st, ok := s.Status("edge"); !ok || st.State != c.want || !st.Connected || st.Sessions != 3 || len(st.Refused) > maxWhy {
			t.Errorf("%+v, want %s", st, c.want)
		}
	}
	if _, ok := s.Status("another"); ok || Tell(ctx, conn, "another", told) == nil {
		t.Error("another is listened to")
	}
	if err := once(ctx, conn, "another", func([]byte) error { t.Error("another is told"); return nil }); err == nil {
		t.Error("another is let in")
	}
}
