package spiffe

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/identity"
)

func TestIdentify(t *testing.T) {
	v, err := New([]TrustDomain{
		{Name: "example.org", Groups: []string{"mesh"}, Paths: []string{"/ns/*/sa/*", "/agent/*"},
			Mappings: []Mapping{{Path: "/ns/*/sa/*", Subject: "k8s:{2}/{4}", Groups: []string{"pods"}}}},
		{Name: "other.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for raw, c := range map[string]struct {
		want   string
		reason identity.Reason
	}{
		"spiffe://example.org/ns/prod/sa/bot":            {"k8s:prod/bot", ""},
		"spiffe://example.org/agent/ci":                  {"spiffe://example.org/agent/ci", ""},
		"spiffe://other.org/x":                           {"spiffe://other.org/x", ""},
		"spiffe://example.org/ns/a/b/sa/bot":             {"", identity.ReasonClaims},
		"spiffe://example.org/admin":                     {"", identity.ReasonClaims},
		"spiffe://other.org":                             {"", identity.ReasonClaims},
		"spiffe://evil.org/ns/prod/sa/bot":               {"", identity.ReasonIssuer},
		"spiffe://example.org.evil.org/agent/ci":         {"", identity.ReasonIssuer},
		"spiffe://Example.org/agent/ci":                  {"", identity.ReasonMalformed},
		"spiffe://example.org/agent/../admin":            {"", identity.ReasonMalformed},
		"spiffe://example.org/agent/%2e%2e":              {"", identity.ReasonMalformed},
		"spiffe://u@example.org/agent/ci":                {"", identity.ReasonMalformed},
		"spiffe://example.org:1/agent/ci":                {"", identity.ReasonMalformed},
		"spiffe://example.org/agent/ci?x":                {"", identity.ReasonMalformed},
		"https://example.org/agent/ci":                   {"", identity.ReasonMalformed},
		"spiffe://example.org/agent/a\x00":               {"", identity.ReasonMalformed},
		"spiffe://other.org/" + strings.Repeat("a", 300): {"", identity.ReasonMalformed},
	} {
		p, err := v.Identify(raw, "AB")
		if p.Identity.Subject != c.want || identity.ReasonOf(err) != c.reason || (err == nil) != (c.reason == "") {
			t.Errorf("%s: %q %v", raw, p.Identity.Subject, err)
		}
		if err == nil && (p.Identity.Validate() != nil || p.Identity.Method != identity.MethodMTLS || p.Identity.TokenID != "cert:ab") {
			t.Errorf("%s: %+v", raw, p.Identity)
		}
	}
	if p, _ := v.Identify("spiffe://example.org/ns/prod/sa/bot", "ab"); !p.Identity.InGroup("mesh") || !p.Identity.InGroup("pods") {
		t.Errorf("%v", p.Identity.Groups)
	}
	if p, err := v.Identify("spiffe://other.org/x", ""); err != nil || p.Identity.TokenID != "spiffe://other.org/x" {
		t.Errorf("without a digest: %q %v", p.Identity.TokenID, err)
	}
}

func TestConfigRefused(t *testing.T) {
	for name, d := range map[string][]TrustDomain{
		"name":     {{Name: "Example Org"}},
		"twice":    {{Name: "a.org"}, {Name: "spiffe://a.org"}},
		"pattern":  {{Name: "a.org", Paths: []string{"ns/*"}}},
		"bracket":  {{Name: "a.org", Paths: []string{"/["}}},
		"template": {{Name: "a.org", Mappings: []Mapping{{Path: "/*", Subject: "k8s:{x}"}}}},
		"empty":    {{Name: "a.org", Mappings: []Mapping{{Path: "/*"}}}},
	} {
		if _, err := New(d); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
