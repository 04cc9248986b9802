package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

const mcpPolicy = `
policy:
  rules:
    - {name: may-come, verdict: allow, when: {groups: [agents], kinds: [connect]}}
    - {name: refunds-ask, verdict: hold, when: {groups: [agents], tools: [refund]}, approvers: [leads], timeout: 30s}
    - {name: reads, verdict: allow, when: {groups: [agents], tools: ["get_*"]}}
  masks:
    - {name: mail, json: ["$..email"]}
    - {name: pins, fields: [pin]}
`

// TestHTTPMCP: an MCP server's calls are judged one by one, its tools are shown as far as they may be called.
func TestHTTPMCP(t *testing.T) {
	s := newService(t)
	g, url := httpGateway(t, s.addr(), ", http: {mcp: [/mcp]}", mcpPolicy)
	token := g.token("agents")
	call := func(body string, headers ...string) map[string]any {
		t.Helper()
		a := ask(t, token, "POST", url+"/mcp", body, append([]string{"Content-Type", "application/json", "Accept", "application/json, text/event-stream"}, headers...)...)
		text := a.text
		if _, data, ok := strings.Cut(text, "data: "); ok {
			text = strings.TrimSpace(data)
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%d %q: %v", a.StatusCode, a.text, err)
		}
		return m
	}
	text := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	begun := ask(t, token, "POST", url+"/mcp", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`, "Content-Type", "application/json")
	id := begun.Header.Get("Mcp-Session-Id")
	if !strings.Contains(begun.text, `"result"`) || !strings.HasPrefix(id, "s1.") || len(id) < 20 {
		t.Fatal(begun.Header, begun.text)
	}
	mine := g.webSessions()[0]
	// The session is this identity's: the server sees its own id, and nobody else's word for it.
	stranger := g.tokenFor("agent:stranger", "", "agents")
	for _, c := range []struct {
		token, id string
		status    int
	}{{token, id, 202}, {stranger, id, 404}, {token, "s1", 404}, {token, id + "A", 404}} {
		before := s.posts.Load()
		a := ask(t, c.token, "POST", url+"/mcp", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "Content-Type", "application/json", "Mcp-Session-Id", c.id)
		if a.StatusCode != c.status || s.posts.Load()-before != map[int]int64{202: 1}[c.status] {
			t.Errorf("%s: %d %s", c.id, a.StatusCode, a.text)
		}
		if c.status == 202 && s.last().Get("Mcp-Session-Id") != "s1" {
			t.Error(s.last())
		}
	}
	for _, stream := range []string{"", "yes"} {
		if m := text(call(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`, "X-Stream", stream)); !strings.Contains(m, "get_customer") || !strings.Contains(m, "refund") || strings.Contains(m, "drop_all") {
			t.Error(m)
		}
		if m := text(call(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_customer","arguments":{"id":1}}}`, "X-Stream", stream)); !strings.Contains(m, "get_customer") || strings.Contains(m, "ada@") {
			t.Error(m)
		}
	}
	before := s.posts.Load()
	if m := call(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"drop_all","arguments":{}}}`); m["error"] == nil || m["id"] != 4.0 {
		t.Error(m)
	}
	if s.posts.Load() > before+1 {
		t.Error("a blocked call reached the server")
	}
	got := make(chan map[string]any)
	go func() {
		got <- call(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"refund","arguments":{"amount":5}}}`)
	}()
	g.must("approvals", "approve", g.pendingHold(), "--reason", "test", "--as", "user:lea@example.com", "--group", "leads")
	if m := <-got; m["result"] == nil {
		t.Error(m)
	}
	p := call(`{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"refund","arguments":{"amount":6}}}`, "Prefer", "respond-async")
	if e := text(p["error"]); !strings.Contains(e, "hld_") {
		t.Error(p)
	}
	// What the record keeps of a call has no masked argument, neither as an action nor in the body, alone or in a batch.
	const secret = "seven-of-nine"
	one := `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"get_customer","arguments":{"id":1,"pin":"` + secret + `"}}}`
	call(one)
	ask(t, token, "POST", url+"/mcp", "["+one+","+strings.Replace(one, `"id":9`, `"id":10`, 1)+"]", "Content-Type", "application/json", "Accept", "application/json, text/event-stream")
	out := g.replay(mine, "get_customer", "drop_all", "refund", "pin=")
	if strings.Contains(out, secret) {
		t.Error("the record has a masked argument:\n", out)
	}
	if events, entries := g.exports(t, mine, true, []string{"get_customer", "drop_all", "refund"}, []string{secret, "ada@", token}); events < 10 || entries < 10 {
		t.Error(events, entries)
	}
}
