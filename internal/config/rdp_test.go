package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestRDPTargets(t *testing.T) {
	const good = "address: 'h:3389', credentials: {user: u, password: 'env:P'}, tls: {upstream: {mode: require}}"
	parse := func(target string) (*Config, error) {
		return Parse([]byte("targets: [{name: desk, protocol: rdp, listen: '0.0.0.0:3389', "+target+"}]\npolicy: {dir: policy}\n"), filepath.Join(t.TempDir(), "dragoman.yaml"))
	}
	c, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Targets[0].RDP; got != (RDP{Keyboard: KeysMasked}) {
		t.Errorf("defaults: %+v", got)
	}
	for _, more := range []string{", rdp: {nla: true, clipboard: true, keyboard: none}", ", rdp: {keyboard: clear}"} {
		if _, err := parse(good + more); err != nil {
			t.Error(more, err)
		}
	}
	for bad, want := range map[string]string{
		good + ", rdp: {keyboard: loud}":                                                                              "keyboard",
		good + ", rdp: {drives: true}":                                                                                "drives",
		good + ", sni: [a.example.com]":                                                                               "LOGIN@TARGET",
		good + ", ssh: {exec_only: true}":                                                                             "is for targets of protocol ssh",
		"address: 'h:3389', credentials: {user: u, password: 'env:P'}":                                                "RDP is spoken within TLS",
		"address: 'h:3389', credentials: {user: u}, tls: {upstream: {mode: require}}":                                 "password is missing",
		"address: 'h:3389', credentials: {password: 'env:P'}, tls: {upstream: {mode: require}}":                       "user is missing",
		"address: 'h:3389', credentials: {user: u, password: plain}, tls: {upstream: {mode: require}}":                "secrets are not written",
		"address: 'h:3389', credentials: {user: u, password: 'env:P', database: d}, tls: {upstream: {mode: require}}": "no database",
		"address: 'h:3389', credentials: {user: u, password: 'env:P'}, tls: {upstream: {mode: verify-full}}":          "needs ca",
	} {
		if _, err := parse(bad); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
			t.Errorf("%s: %v, want %q", bad, err, want)
		}
	}
	_, err = Parse([]byte("targets: [{name: db, address: 'h:80', listen: '127.0.0.1:1', credentials: {user: u}, rdp: {nla: true}}]\npolicy: {dir: p}\n"), "x.yaml")
	if err == nil || !strings.Contains(err.Error(), "is for targets of protocol rdp") {
		t.Error(err)
	}
}
