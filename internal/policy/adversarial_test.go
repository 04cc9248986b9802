package policy

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
)

// Policies that go wrong must block, and say nothing of why to the agent.
func TestPoliciesThatGoWrong(t *testing.T) {
	allow := `verdicts contains {"verdict": "allow", "rule": "all"}` + "\n"
	for name, src := range map[string]string{
		"junk verdict":           allow + `verdicts contains {"verdict": "blokc", "rule": "x"}`,
		"no verdict":             allow + `verdicts contains {"rule": "x"}`,
		"no rule":                allow + `verdicts contains {"verdict": "allow"}`,
		"empty rule":             allow + `verdicts contains {"verdict": "allow", "rule": ""}`,
		"string":                 allow + `verdicts contains "allow"`,
		"number":                 allow + `verdicts contains 1`,
		"null":                   allow + `verdicts contains null`,
		"empty object":           allow + `verdicts contains {}`,
		"unknown field":          allow + `verdicts contains {"verdict": "allow", "rule": "x", "verbs": ["select"]}`,
		"wrong type":             allow + `verdicts contains {"verdict": "allow", "rule": "x", "features_allowed": "all"}`,
		"verdict is a list":      allow + `verdicts contains {"verdict": ["allow"], "rule": "x"}`,
		"hold without approvers": allow + `verdicts contains {"verdict": "hold", "rule": "x"}`,
		"hold, odd approvers":    allow + `verdicts contains {"verdict": "hold", "rule": "x", "approvers": [1]}`,
		"hold, odd timeout":      allow + `verdicts contains {"verdict": "hold", "rule": "x", "approvers": ["a"], "timeout": "soon"}`,
		"hold, negative":         allow + `verdicts contains {"verdict": "hold", "rule": "x", "approvers": ["a"], "quorum": -1}`,
		"covers is junk":         allow + `verdicts contains {"verdict": "allow", "rule": "x", "covers": 1}`,
		"covers is odd":          allow + `verdicts contains {"verdict": "allow", "rule": "x", "covers": {"reads": ["public.t"]}}`,
		"mask is junk":           allow + `masks contains "email"`,
		"mask without name":      allow + `masks contains {"columns": ["*.*.ssn"]}`,
		"mask of unknown way":    allow + `masks contains {"name": "m", "columns": ["*.*.ssn"], "way": "sometimes"}`,
		"mask of bad glob":       allow + `masks contains {"name": "m", "columns": ["a.b.c.d"]}`,
		"mask, unknown detector": allow + `masks contains {"name": "m", "detectors": ["soul"]}`,
		"conflict":               allow + "f := 1 if true\nf := 2 if input.action.kind == \"sql\"\n" + `verdicts contains {"verdict": "allow", "rule": "x"} if f == 1`,
		"builtin error":          allow + `verdicts contains {"verdict": "block", "rule": "x"} if to_number(input.action.kind) == 1`,
		"division by zero":       allow + `verdicts contains {"verdict": "block", "rule": "x"} if 1 / count(input.action.reads) == 1`,
		"loops long": allow + `verdicts contains {"verdict": "block", "rule": "x"} if {
			some a in numbers.range(1, 3000)
			some b in numbers.range(1, 3000)
			a * b == -1
		}`,
		"long range": allow + `verdicts contains {"verdict": "block", "rule": "x"} if count(numbers.range(1, 100000000)) == 1`,
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			b := Bundle{Modules: map[string]string{"p.rego": "package dragoman.policy\n\n" + src}}
			e, err := Compile(context.Background(), b, WithLog(slog.New(slog.NewTextHandler(&log, nil))))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				begin := time.Now()
				d := e.Judge(context.Background(), &Input{Identity: who("agent:x"), Target: shop,
					Action: action.Action{Kind: "sql", Verbs: []string{"select"}}}, nil)
				if d.Verdict != Block || d.Rule != RulePolicyError || len(d.Mask) != 0 {
					t.Fatalf("got %+v", d)
				}
				if strings.Contains(d.Reason+d.Hint, "rego") || strings.Contains(d.Reason, ":") {
					t.Errorf("reason tells too much: %s", d.Reason)
				}
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("took %s", took)
				}
			}
			if !strings.Contains(log.String(), "policy could not be evaluated") {
				t.Errorf("nothing in the log: %s", log.String())
			}
		})
	}
}

func TestNoPolicyBlocks(t *testing.T) {
	in := &Input{Identity: who("a"), Target: shop, Action: action.Action{Kind: "sql", Verbs: []string{"select"}}}
	var none *Engine
	if d := none.Judge(context.Background(), in, nil); d.Verdict != Block || d.Rule != RuleNoPolicy {
		t.Errorf("nil engine: %+v", d)
	}
	var h Handle
	if d := h.Session(in.Identity, in.Target, in.Session).Judge(context.Background(), &in.Action, nil); d.Verdict != Block {
		t.Errorf("zero handle: %+v", d)
	}
	e, err := Compile(context.Background(), Bundle{})
	if err != nil {
		t.Fatal(err)
	}
	if d := e.Judge(context.Background(), in, nil); d.Verdict != Block || d.Rule != RuleDefault {
		t.Errorf("empty bundle: %+v", d)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if d := e.Judge(ctx, &Input{Action: action.Action{Kind: "other"}}, nil); d.Verdict != Block {
		t.Errorf("cancelled: %+v", d)
	}
}

// What must not compile.
func TestRefusedModules(t *testing.T) {
	for name, c := range map[string]struct{ src, want string }{
		"syntax":          {"package dragoman.policy\n\nverdicts contains {", "p.rego:3"},
		"library package": {"package dragoman.main\n\nresult := 1", "belongs to the built-in library"},
		"library parent":  {"package dragoman\n\nmain.result := 1", "belongs to the built-in library"},
		"http.send":       {"package dragoman.policy\n\nx := http.send({\"url\": \"http://a\"})", "undefined function http.send"},
		"lookup":          {"package dragoman.policy\n\nx := net.lookup_ip_addr(\"a\")", "undefined function net.lookup_ip_addr"},
		"runtime":         {"package dragoman.policy\n\nx := opa.runtime()", "undefined function opa.runtime"},
		"complete rule":   {"package dragoman.policy\n\nverdicts := {1}", "conflicting rules"},
		"misspelt input":  {"package dragoman.policy\n\nx if {\n\t\"dba\" in input.identity.grups\n}", "p.rego:4"},
		"wrong type":      {"package dragoman.policy\n\nx if input.action.kind == 1", "match error"},
		"unused":          {"package dragoman.policy\n\nx if {\n\ty := 1\n}", "p.rego:4"},
		"old syntax":      {"package dragoman.policy\n\nx { true }", "p.rego:3"},
		"recursion":       {"package dragoman.policy\n\nx if y\n\ny if x", "recursive"},
		"data conflict":   {"package dragoman.rules\n\nx := 1", "belongs to the built-in library"},
	} {
		t.Run(name, func(t *testing.T) {
			ps := Check(Bundle{Modules: map[string]string{"p.rego": c.src}})
			if len(ps) == 0 {
				t.Fatal("accepted")
			}
			if all := (&ps[0]).Error(); !strings.Contains(all, c.want) {
				t.Errorf("got %s, want %s", all, c.want)
			}
			if ps[0].File == "" || ps[0].Line == 0 {
				t.Errorf("no place: %+v", ps[0])
			}
		})
	}
}

func TestHintNamesTheNearest(t *testing.T) {
	ps := Check(Bundle{Modules: map[string]string{"p.rego": "package dragoman.policy\n\nx if {\n\t\"dba\" in input.identity.grups\n}"}})
	if len(ps) != 1 || ps[0].Hint != `did you mean "groups"?` {
		t.Fatalf("%+v", ps)
	}
}
