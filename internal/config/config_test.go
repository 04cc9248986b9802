package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

const minimal = `
targets:
  - name: shop
    address: 127.0.0.1:5432
    listen: 127.0.0.1:15432
    credentials: {user: app, password: env:PW}
policy: {dir: policy}
`

func TestDefaults(t *testing.T) {
	c, err := Parse([]byte(minimal), "/etc/dragoman/dragoman.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ what, got, want string }{
		{"data", c.Data, "/etc/dragoman/data"},
		{"socket", c.Admin.Socket, "/etc/dragoman/data/admin.sock"},
		{"key", c.Identity.Issuer.Keys, "/etc/dragoman/data/keys/token"},
		{"policy", c.Policy.Dir, "/etc/dragoman/policy"},
		{"durability", c.Targets[0].Audit.Durability, "write"},
		{"node", c.Targets[0].Nodes[0], "gateway"},
		{"protocol", c.Targets[0].Protocol, "postgres"},
		{"tls", c.Targets[0].TLS.Upstream.Mode, "disable"},
	} {
		if x.got != x.want {
			t.Errorf("%s is %q, want %q", x.what, x.got, x.want)
		}
	}
	if !*c.Targets[0].AllowCleartext || !*c.Targets[0].Audit.Comment || !*c.Identity.EndSessionsAtExpiry {
		t.Error("a default that should be true is false")
	}
	if c.Identity.Issuer.MaxTTL.Std() != 12*time.Hour {
		t.Error("max_ttl", c.Identity.Issuer.MaxTTL.Std())
	}
}

// TestFindings: each case is a whole file's wrongness and the findings, in order.
func TestFindings(t *testing.T) {
	target := func(more string) string {
		return "targets:\n  - name: shop\n    address: db:5432\n    credentials: {user: app, password: env:PW}\n" + more + "policy: {dir: p}\n"
	}
	for name, x := range map[string]struct {
		in   string
		want []string
	}{
		"unknown key": {target("    lisen: 127.0.0.1:1\n"), []string{`f.yaml:5: targets[0].lisen: unknown key; did you mean "listen"?`}},
		"unknown far": {"bananas: 1\n" + minimal, []string{`f.yaml:1: bananas: unknown key; valid here: admin, approvals, audit, bridge, data`}},
		"no target":   {"policy: {dir: p}\n", []string{"f.yaml: targets: no target"}},
		"no policy":   {strings.Replace(minimal, "policy: {dir: policy}", "", 1), []string{"policy: no policy"}},
		"empty":       {"", []string{"no target", "no policy"}},
		"type":        {target("    listen: [1]\n"), []string{"f.yaml:5: cannot unmarshal !!seq into string"}},
		"duplicate":   {target("    listen: 127.0.0.1:1\n    listen: 127.0.0.1:2\n"), []string{`mapping key "listen" already defined at line 5`}},
		"duration":    {target("    listen: 127.0.0.1:1\n    limits: {hold_timeout: 5}\n"), []string{`f.yaml:6: "5" is not a duration`}},
		"size":        {target("    listen: 127.0.0.1:1\n    limits: {max_statement: 5 apples}\n"), []string{`f.yaml:6: "5 apples" is not a size`}},
		"not yaml":    {"a: [", []string{"f.yaml:1: "}},
		"two docs":    {minimal + "---\na: 1\n", []string{"more than one YAML document"}},
		"several": {"targets:\n  - name: Shop!\n    listen: 0.0.0.0:99999\n    credentials: {password: hunter2}\npolicy: {dir: p}\n", []string{
			"f.yaml:2: targets[0].name", "f.yaml:2: targets[0]: address is missing", "f.yaml:3: targets[0].listen",
			"f.yaml:4: targets[0].credentials.password: secrets are not written into this file", "f.yaml:4: targets[0].credentials: user is missing"}},
		"cleartext":    {target("    listen: 0.0.0.0:5432\n"), []string{"f.yaml:5: targets[0].listen: 0.0.0.0:5432 is not a loopback address"}},
		"cleartext ok": {target("    listen: 0.0.0.0:5432\n    allow_cleartext: true\n"), nil},
		"tls ok":       {target("    listen: 0.0.0.0:5432\n    tls: {client: {cert: a, key: b}}\n"), nil},
		"half a pair":  {target("    listen: 0.0.0.0:5432\n    tls: {client: {cert: a}}\n"), []string{"cert and key belong together"}},
		"required":     {target("    listen: 0.0.0.0:5432\n    tls: {client: {cert: a, key: b, required: true}}\n"), []string{"needs client_ca"}},
		"verify-full":  {target("    listen: 127.0.0.1:1\n    tls: {upstream: {mode: verify-full}}\n"), []string{"verify-full needs ca"}},
		"replication":  {target("    listen: 127.0.0.1:1\n    allow_replication: true\n"), []string{"replication is always refused"}},
		"binding":      {target("    listen: 127.0.0.1:1\n    tls: {upstream: {mode: require, channel_binding: maybe}}\n"), []string{`"maybe" is not one of prefer, require, disable`}},
		"unencrypted":  {target("    listen: 127.0.0.1:1\n    tls: {upstream: {channel_binding: require}}\n"), []string{"require needs TLS"}},
		"mode":         {target("    listen: 127.0.0.1:1\n    tls: {upstream: {mode: prefer}}\n"), []string{`"prefer" is not one of disable, require, verify-full`}},
		"sni":          {target("    listen: 127.0.0.1:1\n    sni: [a.b]\n"), []string{"needs tls.client.cert"}},
		"node":         {target("    listen: 127.0.0.1:1\n    nodes: [other]\n"), []string{`unknown node "other"; known: gateway`}},
		"vault":        {strings.Replace(minimal, "env:PW", "vault:a/b#c", 1), []string{"there is no vault.address"}},
		"vault form":   {strings.Replace(minimal, "env:PW", "vault:abc", 1), []string{"is not vault:MOUNT/PATH#KEY", "no vault.address"}},
		"admin": {minimal + "admin: {listen: 0.0.0.0:8443}\n", []string{
			"is not a loopback address"}},
		"page": {minimal + "admin: {listen: '127.0.0.1:1', url: 'ftp://x', oidc: {issuer: 'https://i', client_id: c, client_secret: plain}}\n", []string{
			`"ftp://x" is not like https`, "is not one of identity.oidc", "secrets are not written", "nobody would have a role"}},
		"admin literal": {minimal + "admin: {listen: 127.0.0.1:8443, tokens: [{token: abc, roles: [king]}]}\n", []string{
			"secrets are not written", "subject is missing", `"king" is not one of`}},
		"nodes": {minimal + "envoy: {nodes: [{name: a, spiffe: x}]}\n", []string{"need envoy.control.listen", "is not a SPIFFE ID"}},
		"oidc": {minimal + "identity: {oidc: [{issuer: 'http://x.example'}]}\n", []string{
			"must be https", "audiences is missing"}},
		"ttl":       {minimal + "identity: {issuer: {default_ttl: 2h, max_ttl: 1h}}\n", []string{"is longer than max_ttl"}},
		"collision": {"targets:\n" + two("127.0.0.1:1", "127.0.0.1:1") + "policy: {dir: p}\n", []string{"target a listens on 127.0.0.1:1 as well"}},
		"overlap":   {"targets:\n" + two("127.0.0.1:1", "0.0.0.0:1") + "policy: {dir: p}\n", []string{"not a loopback", "overlaps with 127.0.0.1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(x.in), "f.yaml")
			if len(x.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var found Errors
			if !errors.As(err, &found) {
				t.Fatalf("got %v", err)
			}
			if len(found) != len(x.want) {
				t.Fatalf("%d findings, want %d:\n%v", len(found), len(x.want), err)
			}
			for i, w := range x.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("finding %d: want %q in\n%v", i, w, err)
				}
			}
		})
	}
}

func two(a, b string) string {
	one := "  - {name: %s, address: 'db:1', listen: '%s', credentials: {user: u}}\n"
	return fmt.Sprintf(one, "a", a) + fmt.Sprintf(one, "b", b)
}

func TestSharedPort(t *testing.T) {
	shared := func(sni string) string {
		s := "targets:\n"
		for i, n := range strings.Split(sni, "|") {
			s += fmt.Sprintf("  - {name: t%d, address: 'db:1', listen: '0.0.0.0:1', sni: [%s], tls: {client: {cert: a, key: b}}, credentials: {user: u}}\n", i, n)
		}
		return s + "policy: {dir: p}\n"
	}
	if _, err := Parse([]byte(shared("a.x|b.x|")), "f.yaml"); err != nil {
		t.Error("by server name:", err)
	}
	if _, err := Parse([]byte(shared("a.x|A.X")), "f.yaml"); err == nil {
		t.Error("one server name for two targets was accepted")
	}
}

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret("hunter2")
	y, _ := yaml.Marshal(map[string]any{"a": s})
	j, _ := s.MarshalJSON()
	text, _ := s.MarshalText()
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S Secret }{s})
	all := fmt.Sprintf("%v %s %q %x %#v %+v %d", s, s, s, s, s, struct{ S Secret }{s}, s) + string(y) + string(j) + string(text) + log.String()
	if strings.Contains(all, "hunter2") || strings.Contains(all, "68756e74657232") {
		t.Fatal(all)
	}
	if s.Reveal() != "hunter2" {
		t.Fatal("lost")
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DRAGOMAN_TEST_SECRET", "from env")
	s := (&Config{}).Secrets()
	for ref, want := range map[Ref]string{
		"": "", "plain": "plain", "env:DRAGOMAN_TEST_SECRET": "from env", Ref("file:" + filepath.Join(dir, "pw")): "from file",
	} {
		v, err := s.Resolve(t.Context(), ref)
		if err != nil || v.Reveal() != want {
			t.Errorf("%s: %q, %v", ref, v.Reveal(), err)
		}
	}
	for _, ref := range []Ref{"env:DRAGOMAN_TEST_NOT_SET", Ref("file:" + dir + "/none"), "vault:a/b#c"} {
		if _, err := s.Resolve(t.Context(), ref); err == nil {
			t.Errorf("%s resolved", ref)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("targets: [{<<: {name: x}}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1<<12 {
			_, _ = Parse(b, "f.yaml")
		}
	})
}
