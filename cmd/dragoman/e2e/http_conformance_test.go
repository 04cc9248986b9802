package e2e

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/mcpserver"
)

const conformancePolicy = `
policy:
  rules:
    - {name: all, verdict: allow, when: {groups: [agents], kinds: [mcp.tool, mcp]}}
    - {name: never, verdict: block, when: {tools: [delete_person]}}
  masks:
    - {name: ssn, json: ["$.people[*].ssn"], opaque: allow}
    - {name: cards, detectors: [card, email], opaque: allow}
`

// authorised is an address at which everything is sent on with a token: the suite cannot send one.
func authorised(t *testing.T, to, token string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

// TestMCPConformance: the official suite passes through the gateway as it does direct, while masks look at everything; and
// the SDK's client sees what it may.
func TestMCPConformance(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	s, err := mcpserver.Start(ctx, tools)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	address := strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/mcp")
	g, gateway := httpGateway(t, address, ", http: {mcp: [/mcp]}", conformancePolicy)
	through := authorised(t, gateway, g.token("agents")) + "/mcp"
	for _, suite := range []string{"active", "pending"} {
		direct, err := mcpserver.Conformance(ctx, tools, s.URL, suite)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mcpserver.Conformance(ctx, tools, through, suite)
		if err != nil {
			t.Fatal(err)
		}
		passed := 0
		for i, want := range direct {
			passed += want.Passed
			if i >= len(got) || got[i] != want {
				t.Errorf("%s: direct %+v, through the gateway %+v", suite, want, got[min(i, len(got)-1)])
			}
		}
		t.Logf("%s: %d scenarios, %d checks passed", suite, len(direct), passed)
	}
	for _, c := range []struct{ do, name, has, hasNot string }{
		{"tools", "", "get_people", "delete_person"}, {"call", "get_people", "Alice", "219-09-8731"},
		{"call", "describe_person", "Alice <[redacted]>", "alice@"}, {"call", "delete_person", `"code":-32003`, "deleted"},
	} {
		out, err := mcpserver.Client(ctx, tools, gateway+"/mcp", map[string]string{"Authorization": "Bearer " + g.token("agents")}, c.do, c.name, map[string]int{"id": 1})
		if err != nil || !json.Valid(out) || !strings.Contains(string(out), c.has) || strings.Contains(string(out), c.hasNot) {
			t.Errorf("%s %s: %s %v", c.do, c.name, out, err)
		}
	}
}
