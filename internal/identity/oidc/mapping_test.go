package oidc

import (
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"dragoman.dev/dragoman/internal/identity"
)

func TestConfigRefused(t *testing.T) {
	base := Config{Issuer: "https://a.example", Audiences: []string{"d"}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if _, err := New(base); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"http":               func(c *Config) { c.Issuer, c.AllowHTTP = "http://a.example", true },
		"http loopback":      func(c *Config) { c.Issuer = "http://127.0.0.1:1" },
		"http jwks":          func(c *Config) { c.JWKSURL = "http://a.example/k" },
		"no audience":        func(c *Config) { c.Audiences = nil },
		"empty audience":     func(c *Config) { c.Audiences = []string{""} },
		"HS256":              func(c *Config) { c.Algorithms = []string{"HS256"} },
		"none":               func(c *Config) { c.Algorithms = []string{"none"} },
		"shape":              func(c *Config) { c.Mapping.Shape = "jenkins" },
		"open brace":         func(c *Config) { c.Mapping.Subject = "a{b" },
		"prefix with a mark": func(c *Config) { c.Mapping.SubjectPrefix = "a>" },
		"no issuer":          func(c *Config) { c.Issuer = "" },
	} {
		c := base
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestShapes(t *testing.T) {
	o, clock := newOwnIssuer(t), newSetClock()
	k := o.turn(t, "one")
	kube := func(ns, sa string) map[string]any {
		return map[string]any{"namespace": ns, "serviceaccount": map[string]any{"name": sa, "uid": "u"}, "pod": map[string]any{"name": "p"}}
	}
	for name, c := range map[string]struct {
		m      Mapping
		claims map[string]any
		want   string // "" means refused
		claim  map[string]any
	}{
		"github": {Mapping{Shape: ShapeGitHub}, map[string]any{"sub": "repo:octo/app:ref:refs/heads/main", "repository": "octo/app", "ref": "refs/heads/main",
			"actor": "mona", "ref_protected": "true"}, "github:octo/app:refs/heads/main", map[string]any{"actor": "mona", "ref_protected": "true"}},
		"github for its actor": {Mapping{Shape: ShapeGitHub, OnBehalfOf: "user:{actor}"}, map[string]any{"repository": "octo/app", "ref": "refs/heads/x y'", "actor": "mona"},
			"user:mona>github:octo/app:refs/heads/x%20y%27", nil},
		"github without ref": {Mapping{Shape: ShapeGitHub}, map[string]any{"repository": "octo/app"}, "", nil},
		"gitlab": {Mapping{Shape: ShapeGitLab}, map[string]any{"sub": "project_path:g/p:ref_type:branch:ref:main", "project_path": "g/p", "ref_type": "branch", "ref": "main"},
			"gitlab:g/p:branch/main", nil},
		"kubernetes": {Mapping{Shape: ShapeKubernetes}, map[string]any{"sub": "system:serviceaccount:prod:bot", "aud": []string{"dragoman"}, "kubernetes.io": kube("prod", "bot")},
			"k8s:prod/bot", nil},
		"kubernetes, other sub":  {Mapping{Shape: ShapeKubernetes}, map[string]any{"sub": "system:serviceaccount:prod:admin", "kubernetes.io": kube("prod", "bot")}, "", nil},
		"kubernetes, a user":     {Mapping{Shape: ShapeKubernetes}, map[string]any{"sub": "alice"}, "", nil},
		"email":                  {Mapping{Subject: "email", SubjectPrefix: "user:"}, map[string]any{"email": "a@example.com", "email_verified": true}, "user:a@example.com", nil},
		"email not verified":     {Mapping{Subject: "email", SubjectPrefix: "user:"}, map[string]any{"email": "a@example.com", "email_verified": false}, "", nil},
		"email verified as text": {Mapping{Subject: "email"}, map[string]any{"email": "a@example.com", "email_verified": "true"}, "", nil},
		"act wins":               {Mapping{OnBehalfOf: "user:{owner}", ActorPrefix: "agent:"}, map[string]any{"owner": "x", "act": map[string]any{"sub": "bot"}}, "alice>agent:bot", nil},
		"prefix is not forged":   {Mapping{SubjectPrefix: "ci:"}, map[string]any{"sub": "user:root"}, "ci:user:root", nil},
	} {
		p, err := o.verifier(t, clock, c.m).Verify(t.Context(), signWith(t, k, jose.ES256, o.claims(clock.now(), c.claims)))
		if c.want == "" {
			if identity.ReasonOf(err) != identity.ReasonClaims {
				t.Errorf("%s: %v %v", name, p.Identity.Chain(), err)
			}
			continue
		}
		if err != nil || p.Identity.Chain() != c.want {
			t.Errorf("%s: %q %v", name, p.Identity.Chain(), err)
		}
		for n, v := range c.claim {
			if !reflect.DeepEqual(p.Identity.Claims[n], v) {
				t.Errorf("%s: claim %s is %v", name, n, p.Identity.Claims[n])
			}
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("user:{email}", "a@b")
	f.Fuzz(func(t *testing.T, tpl, value string) {
		m, err := newMapper(Mapping{Subject: tpl, AllowUnverifiedEmail: true})
		if err != nil {
			return
		}
		raw, _ := json.Marshal(value)
		c := map[string]json.RawMessage{"sub": raw, "email": raw}
		if id, err := m.identity(c); err == nil && len(id.Subject) <= identity.MaxName && identity.CheckName(id.Subject) != nil {
			t.Fatalf("%q", id.Subject)
		}
	})
}
