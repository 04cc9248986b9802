package policy

import (
	"context"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"dragoman.dev/dragoman/internal/action"
)

const httpRules = `
- {name: read, verdict: allow, when: {groups: [g], methods: [GET], paths: ["/api/users/*", "/files/**"]}}
- {name: refund, verdict: allow, when: {groups: [g], methods: [post], paths: ["/refunds"], body: {currency: EUR, "items/*/id": ["1*", "2*"]}}}
- {name: admin, verdict: block, when: {body: {"**/role": admin}}}
- {name: debug, verdict: block, when: {query: {debug: "*"}}}
- {name: tools, verdict: allow, when: {groups: [g], tools: ["get_*", "issue.list"]}}
- {name: ours, verdict: hold, when: {groups: [g], tools: [create], arguments: {owner: acme}}, approvers: [leads]}
`

func httpEngine(t *testing.T, rules string) *Engine {
	t.Helper()
	return engineOf(t, Source{Dir: folder(t, map[string]string{"rules.yaml": rules})})
}

func httpAction(method, path string, features map[string]any, params ...string) action.Action {
	o := []action.Object{{Schema: "api.example.com", Name: path, Resolved: true}}
	a := action.Action{Kind: action.KindHTTP, Verbs: []string{method}, Features: features, Params: params2(params)}
	if method == "get" {
		a.Reads = o
	} else {
		a.Writes = o
	}
	return a
}

func params2(pairs []string) (out []action.Param) {
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		out = append(out, action.Param{Name: name, Value: value})
	}
	return out
}

func toolAction(tool string, params ...string) action.Action {
	return action.Action{Kind: action.KindMCPTool, Verbs: []string{"call"},
		Functions: []action.Function{{Schema: "github", Name: tool}}, Params: params2(params)}
}

func TestHTTPRules(t *testing.T) {
	e := httpEngine(t, httpRules)
	if !e.NeedsBody() {
		t.Error("a rule names body fields")
	}
	for _, j := range []judgement{
		{name: "get", action: httpAction("get", "/api/users/7", nil), verdict: Allow, rule: "read"},
		{name: "one segment only", action: httpAction("get", "/api/users/7/keys", nil), rule: "default"},
		{name: "two stars", action: httpAction("get", "/files/a/b/c", nil), verdict: Allow, rule: "read"},
		{name: "other method", action: httpAction("delete", "/api/users/7", nil), rule: "default"},
		{name: "debug", action: httpAction("get", "/files/a", nil, "query/Debug=1"), rule: "debug"},
		{name: "refund", action: httpAction("post", "/refunds", nil, "body/currency=EUR", "body/items/0/id=12", "body/items/1/id=2"), verdict: Allow, rule: "refund"},
		{name: "one item is wrong", action: httpAction("post", "/refunds", nil, "body/currency=EUR", "body/items/0/id=12", "body/items/1/id=3"), rule: "default"},
		{name: "twice", action: httpAction("post", "/refunds", nil, "body/currency=EUR", "body/CURRENCY=USD", "body/items/0/id=1"), rule: "default"},
		{name: "no field", action: httpAction("post", "/refunds", nil, "body/items/0/id=12"), rule: "default"},
		{name: "admin", action: httpAction("post", "/refunds", nil, "body/currency=EUR", "body/items/0/id=1", "body/u/Role=admin"), rule: "admin"},
		{name: "unparsed", action: httpAction("post", "/refunds", map[string]any{"unparsed": true}, "body/currency=EUR", "body/items/0/id=1"), rule: "default"},
		{name: "opaque", action: httpAction("get", "/files/a", map[string]any{"opaque_body": true}), rule: "default"},
		{name: "override", action: httpAction("get", "/files/a", map[string]any{"method_override": "DELETE"}), rule: "default"},
		{name: "ambiguous", action: httpAction("get", "/files/a", map[string]any{"ambiguous": "x"}), rule: "default"},
		{name: "slash", action: httpAction("get", "/files/a%2Fb", map[string]any{"encoded_slash": true}), rule: "default"},
		{name: "sql is another kind", action: action.Action{Kind: action.KindSQL, Verbs: []string{"get"}, Reads: []action.Object{table("/api/users/7")}}, rule: "default"},
		{name: "tool", action: toolAction("get_issue", "arguments/n=1"), verdict: Allow, rule: "tools"},
		{name: "tool with a dot", action: toolAction("issue.list"), verdict: Allow, rule: "tools"},
		{name: "other tool", action: toolAction("delete_repo"), rule: "default"},
		{name: "arguments", action: toolAction("create", "arguments/owner=acme"), verdict: Hold, rule: "ours"},
		{name: "other arguments", action: toolAction("create", "arguments/owner=evil"), rule: "default"},
		{name: "initialize", action: action.Action{Kind: action.KindMCP, Verbs: []string{"initialize"}}, verdict: Allow, rule: "mcp"},
		{name: "notification", action: action.Action{Kind: action.KindMCP, Verbs: []string{"notifications/cancelled"}}, verdict: Allow, rule: "mcp"},
		{name: "a resource", action: action.Action{Kind: action.KindMCP, Verbs: []string{"resources/read"}, Reads: []action.Object{{Schema: "github", Name: "file:///etc"}}}, rule: "default"},
	} {
		j.groups = []string{"g"}
		t.Run(j.name, func(t *testing.T) { j.run(t, e) })
	}
	stranger := judgement{action: action.Action{Kind: action.KindMCP, Verbs: []string{"initialize"}}, rule: "default"}
	stranger.run(t, e)
}

// A tool is shown when some call of it may be allowed or held.
func TestListing(t *testing.T) {
	e := httpEngine(t, httpRules+`
- {name: not-prod, verdict: block, when: {tools: [get_env], arguments: {env: prod}}}
- {name: never, verdict: block, when: {tools: [get_keys]}}
- {name: some, verdict: allow, when: {groups: [g], tools: [search], arguments: {index: [a, b]}}}
`)
	for tool, want := range map[string]Verdict{"get_issue": Allow, "create": Hold, "search": Allow, "get_env": Allow, "get_keys": Block, "delete": Block} {
		a := toolAction(tool)
		a.Features = map[string]any{action.FeatureListing: true}
		d := e.Judge(context.Background(), &Input{Identity: who("agent:x", "g"), Target: shop, Action: a}, nil)
		if d.Verdict != want {
			t.Errorf("%s: %+v", tool, d)
		}
		if a.Features = nil; want != Block && (tool == "create" || tool == "search") {
			if d := e.Judge(context.Background(), &Input{Identity: who("agent:x", "g"), Target: shop, Action: a}, nil); d.Verdict != Block {
				t.Errorf("%s is called without arguments: %+v", tool, d)
			}
		}
	}
}

// Bodies matter only to policies that look at them.
func TestNeedsBody(t *testing.T) {
	plain := "- {name: put, verdict: allow, when: {methods: [PUT], query: {v: \"1\"}}}\n"
	for rules, want := range map[string]bool{
		plain: false,
		plain + "- {name: f, verdict: block, when: {features: {upgrade: true}}}\n":    false,
		plain + "- {name: f, verdict: block, when: {features: {body: opaque}}}\n":     true,
		plain + "- {name: f, verdict: block, when: {methods: [PUT], body: {a: b}}}\n": true,
	} {
		e := httpEngine(t, rules)
		if e.NeedsBody() != want {
			t.Errorf("%s\nneeds bodies: %v", rules, e.NeedsBody())
		}
		a := httpAction("put", "/x", map[string]any{"opaque_body": true}, "query/v=1")
		d := e.Judge(context.Background(), &Input{Identity: who("agent:x"), Target: shop, Action: a}, nil)
		if (d.Verdict == Allow) == want {
			t.Errorf("%s\nopaque body: %v", rules, d)
		}
	}
	for src, want := range map[string]bool{
		`x := input.action.verbs`: false, `x := input.action.features.where`: false, `x := input.action.params`: true,
		`x := input.action`: true, `x := input`: true, `x := input.action.features`: true, `x := input.action.features.body`: true,
		`x := input.identity.groups`: false,
	} {
		if got := regoEngine(t, src).NeedsBody(); got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
}

// Rego that calls the library reads what the library reads.
func TestRegoThatUsesTheLibrary(t *testing.T) {
	for _, src := range []string{
		"import data.dragoman.fields\n\nx if fields.touched(\"allow\", [{\"name\": \"arguments/a\", \"values\": [\"b\"]}])", `x := data.dragoman.main.objects`,
		`x := data.dragoman[input.target.name]`, `x := data[input.target.name]`, "x if {\n\tsome k\n\tdata.dragoman[k]\n}", "f(d) := d.dragoman\n\nx := f(data)",
	} {
		c := compiled(t, src)
		if c == nil {
			continue // OPA does not let it (it would be recursive)
		}
		if r := collectRefs(c, nil); !r.params || !r.body || !r.objects {
			t.Errorf("%s: %+v", src, r)
		}
	}
	if r := regoEngine(t, `x := data.dragoman.policy.masks`).refs; r.library {
		t.Error("its own package is taken for the library")
	}
}

func compiled(t *testing.T, src string) *ast.Compiler {
	t.Helper()
	mods, err := ParseModules(map[string]string{"p.rego": "package own.rules\n\n" + src + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCompiler(context.Background(), Store(Bundle{}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Compile(mods); c.Failed() {
		t.Log(c.Errors)
		return nil
	}
	return c
}

// Policies without rules about parameters keep verdicts whatever the parameters are.
func TestFieldsAndTheCache(t *testing.T) {
	if e := httpEngine(t, "- {name: a, verdict: allow, when: {methods: [GET], paths: [\"/**\"]}}\n"); e.refs.params {
		t.Error("parameters are part of the key")
	}
	if e := httpEngine(t, httpRules); !e.refs.params {
		t.Error("parameters are not part of the key")
	}
}

func TestWrongHTTPRules(t *testing.T) {
	for when, want := range map[string]string{
		`{methods: [GET], verbs: [get]}`:         "use one of them",
		`{methods: ["G T"]}`:                     "not a method",
		`{paths: [api]}`:                         "does not begin with /",
		`{paths: ["/a/../b"]}`:                   "dot segment",
		`{paths: ["/a b"]}`:                      "character",
		`{paths: ["/a"], tools: [x]}`:            "two rules",
		`{paths: ["/a"], kinds: [sql]}`:          "http only",
		`{tools: [x], kinds: [http]}`:            "mcp.tool only",
		`{tools: [x], tables: [a.b]}`:            "of SQL",
		`{tools: [x], arguments: {a: []}}`:       "at least one value",
		`{tools: [x], arguments: {a: {b: c}}}`:   "must be a text",
		`{paths: ["/a"], body: {"/a/b": x}}`:     "without a slash",
		`{paths: ["/a"], body: {"$.a": [x, y]}}`: "without a slash",
	} {
		dir := folder(t, map[string]string{"rules.yaml": "- name: x\n  verdict: allow\n  when: " + when + "\n"})
		_, err := (Source{Dir: dir}).Bundle()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", when, err)
		}
	}
}

func TestHTTPMasks(t *testing.T) {
	dir := folder(t, map[string]string{"rules.yaml": `
rules:
  - {name: all, verdict: allow, when: {kinds: [http, mcp.tool]}}
masks:
  - {name: users, json: ["$.users[*].email"], fields: [token], paths: ["/users/**"], opaque: allow}
  - {name: tool, json: ["$..ssn"], tools: ["get_*"]}
  - {name: any, detectors: [card]}
`})
	e := engineOf(t, Source{Dir: dir})
	for want, a := range map[string]action.Action{
		"users any": httpAction("get", "/users/1/x", nil), "any": httpAction("get", "/other", nil),
		"tool any": toolAction("get_user"),
	} {
		d := e.Judge(context.Background(), &Input{Identity: who("agent:x"), Target: shop, Action: a}, nil)
		var names []string
		for _, m := range d.Mask {
			names = append(names, m.Name)
			if m.Name == "users" && (len(m.JSON) != 1 || len(m.Fields) != 1 || m.Opaque != "allow") {
				t.Errorf("%+v", m)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: masks %q", a.Text, got)
		}
	}
	for mask, want := range map[string]string{
		`{name: x, json: ["$.a[?(@.b)]"]}`: "filter", `{name: x, json: ["a.b"]}`: "begin with $", `{name: x, json: ["$[-1]"]}`: "from the end",
		`{name: x, fields: [""]}`: "not a name", `{name: x, json: ["$.a"], opaque: perhaps}`: "opaque", `{name: x}`: "neither columns",
		`{name: x, json: ["$.a"], paths: [a]}`: "begin with /", `{name: x, json: ["$.a"], paths: [/a], tools: [b]}`: "two masks",
	} {
		dir := folder(t, map[string]string{"masks.yaml": "- " + mask + "\n"})
		if _, err := (Source{Dir: dir}).Bundle(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mask, err)
		}
	}
}
