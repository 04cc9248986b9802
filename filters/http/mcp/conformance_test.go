package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/filters/http/mcp"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/mcpserver"
)

const tools = "../../../.tools"

// gateway is the least that can be built of this package: it refuses, filters and masks, and asks no policy.
type gateway struct {
	t             *testing.T
	target        string
	plan          *mask.Plan
	allow         func(tool string) bool
	mu            sync.Mutex
	conversations map[string]*mcp.Conversation
}

func (g *gateway) conversation(id string) *mcp.Conversation {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.conversations[id]
	if c == nil || id == "" {
		c = mcp.NewConversation(mcp.Limits{})
	}
	g.conversations[id] = c
	return c
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c := g.conversation(r.Header.Get("Mcp-Session-Id"))
	if r.Method == http.MethodPost && !g.ask(w, c, body) {
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, g.target, bytes.NewReader(body))
	if err != nil {
		g.t.Error(err)
		return
	}
	req.Header = r.Header.Clone()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return // the client has gone
	}
	defer res.Body.Close()
	if id := res.Header.Get("Mcp-Session-Id"); id != "" {
		g.mu.Lock()
		g.conversations[id] = c
		g.mu.Unlock()
	}
	g.answer(w, c, res)
}

// ask notes what is asked, or answers itself.
func (g *gateway) ask(w http.ResponseWriter, c *mcp.Conversation, body []byte) bool {
	post, err := mcp.ParsePost(body, mcp.Limits{})
	var bad *mcp.Error
	for i := 0; err == nil && i < len(post.Messages); i++ {
		m := &post.Messages[i]
		if m.Tool() != "" && !g.allow(m.Tool()) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(mcp.Refuse(m.ID, mcp.Problem{Code: "blocked", Rule: "default", Reason: "no rule allows the tool", Hint: "do without"}))
			return false
		}
		err = c.Ask(m, mcp.Asked{Plan: g.plan, Allow: g.allow})
	}
	if errors.As(err, &bad) {
		w.WriteHeader(http.StatusBadRequest)
		w.Write(bad.Body())
		return false
	}
	return true
}

func (g *gateway) answer(w http.ResponseWriter, c *mcp.Conversation, res *http.Response) {
	reply, err := c.Reply(content.Head{Method: res.Request.Method, Status: res.StatusCode, Type: res.Header.Get("Content-Type")}, g.plan, nil)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer reply.Abort()
	var list header.List
	for k, v := range res.Header {
		list = append(list, header.Field{Name: strings.ToLower(k), Value: v[0]})
	}
	for _, f := range header.Response(list) {
		w.Header().Set(f.Name, f.Value)
	}
	w.WriteHeader(res.StatusCode)
	out, buf := []byte(nil), make([]byte, 4096)
	http.NewResponseController(w).Flush()
	for {
		n, end := res.Body.Read(buf)
		out, err = reply.Write(out[:0], buf[:n])
		if err == nil && end != nil {
			out, err = reply.Close(out)
		}
		if err != nil {
			g.t.Errorf("refused: %v", err)
			return
		}
		w.Write(out)
		if end != nil {
			return
		}
		http.NewResponseController(w).Flush()
	}
}

func behind(t *testing.T, target string, plan *mask.Plan, allow func(string) bool) string {
	t.Helper()
	s := httptest.NewServer(&gateway{t: t, target: target, plan: plan, allow: allow, conversations: map[string]*mcp.Conversation{}})
	t.Cleanup(s.Close)
	return s.URL + "/mcp"
}

func compile(t *testing.T, specs ...mask.Spec) *mask.Plan {
	t.Helper()
	p, err := mask.Compile(specs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The official suite passes through this package as it does without it, also while masks look at everything.
func TestConformance(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	s, err := mcpserver.Start(ctx, tools)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	plan := compile(t, mask.Spec{Name: "p", JSON: []string{"$.people[*].ssn"}, Opaque: mask.OpaqueAllow},
		mask.Spec{Name: "t", Detectors: []string{"card", "email"}, Opaque: mask.OpaqueAllow})
	url := behind(t, s.URL, plan, func(string) bool { return true })
	for _, suite := range []string{"active", "pending"} {
		direct, err := mcpserver.Conformance(ctx, tools, s.URL, suite)
		if err != nil {
			t.Fatal(err)
		}
		through, err := mcpserver.Conformance(ctx, tools, url, suite)
		if err != nil {
			t.Fatal(err)
		}
		passed := 0
		for i := range direct {
			if i >= len(through) || direct[i] != through[i] {
				t.Errorf("%s: direct %+v, through %+v", suite, direct[i], through[min(i, len(through)-1)])
			}
			passed += direct[i].Passed
		}
		t.Logf("%s: %d scenarios, %d checks passed", suite, len(direct), passed)
	}
}

// The SDK's client sees what it may: fewer tools, masked results, errors with data.
func TestClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	plan := compile(t, mask.Spec{Name: "p", JSON: []string{"$.people[*].ssn"}, Opaque: mask.OpaqueAllow}, mask.Spec{Name: "t", Detectors: []string{"card", "email"}})
	for _, args := range [][]string{{"--pages"}, {"--json"}} {
		s, err := mcpserver.Start(ctx, tools, args...)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop()
		url := behind(t, s.URL, plan, func(tool string) bool { return tool != "delete_person" })
		for _, c := range []struct {
			do, name  string
			arguments any
			has       []string
			hasNot    []string
		}{
			{"tools", "", nil, []string{"get_people", "test_simple_text", "json_schema_2020_12_tool"}, []string{"delete_person"}},
			{"call", "get_people", nil, []string{"Alice", "Bob"}, []string{"219-09-8731", "078-05-1120", "4111111111111111", "alice@"}},
			{"call", "describe_person", map[string]int{"id": 2}, []string{"Bob <[redacted]>, card [redacted]"}, []string{"bob@", "5500"}},
			{"call", "delete_person", map[string]int{"id": 2}, []string{`"code":-32003`, `"rule":"default"`, `"hint":"do without"`}, []string{"deleted"}},
			{"call", "test_tool_with_logging", nil, []string{"executed successfully"}, nil},
			{"prompt", "test_simple_prompt", nil, []string{"simple prompt"}, nil},
		} {
			out, err := mcpserver.Client(ctx, tools, url, nil, c.do, c.name, c.arguments)
			if err != nil || !json.Valid(out) {
				t.Fatalf("%s %s: %s %v", c.do, c.name, out, err)
			}
			for _, s := range c.has {
				if !strings.Contains(string(out), s) {
					t.Errorf("%v %s %s: %s is not in %s", args, c.do, c.name, s, out)
				}
			}
			for _, s := range c.hasNot {
				if strings.Contains(string(out), s) {
					t.Errorf("%v %s %s: %s is in %s", args, c.do, c.name, s, out)
				}
			}
		}
	}
}
