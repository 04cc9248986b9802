package policytest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/policy"
)

func TestDemo(t *testing.T) {
	results, err := Test(context.Background(), policy.Source{Dir: "../testdata/demo"})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) < 6 {
		t.Errorf("%d results", len(results))
	}
	for _, r := range results {
		if !r.Pass {
			t.Errorf("%s:%d %s: %s", r.File, r.Line, r.Name, r.Message)
		}
	}
}

func folder(t *testing.T, files map[string]string) policy.Source {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return policy.Source{Dir: dir}
}

const frozen = `package dragoman.policy

verdicts contains {"verdict": "block", "rule": "frozen"} if data.frozen
`

func TestRegoAndCases(t *testing.T) {
	src := folder(t, map[string]string{
		"p.rego":    frozen,
		"data.yaml": "frozen: true\n",
		"p_test.rego": `package dragoman.policy_test

import data.dragoman.policy

test_frozen if {
	some v in policy.verdicts
	v.rule == "frozen"
}

test_thawed if count(policy.verdicts) == 0 with data.frozen as false

test_library if {
	some v in data.dragoman.main.result.verdicts with input as {"identity": {"actors": [], "groups": [], "issuer": ""}, "target": {"name": "t", "labels": {}}, "action": {"kind": "sql", "verbs": ["select"], "reads": [], "writes": [], "functions": [], "features": {}}}
	v.rule == "frozen"
}

test_wrong if {
	print("looking")
	count(policy.verdicts) == 7
}
`,
		"tests.yaml": `- name: all is frozen
  identity: {subject: a}
  target: {name: t}
  action: {verbs: [select]}
  verdict: block
  rule: frozen
  masks: []
- name: not as expected
  verdict: allow
`,
	})
	results, err := Test(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Result{}
	for _, r := range results {
		got[r.Name] = r
	}
	for name, want := range map[string]bool{"test_frozen": true, "test_thawed": true, "test_library": true, "test_wrong": false,
		"all is frozen": true, "not as expected": false} {
		if r, ok := got[name]; !ok || r.Pass != want || r.Line == 0 || !want && r.Message == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if got["test_wrong"].Output != "looking\n" {
		t.Errorf("output %q", got["test_wrong"].Output)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"case key":     {map[string]string{"tests.yaml": "- {name: a, verdict: allow}\n- {name: b, verdict: allow, identity: {grups: [x]}}\n"}, `tests.yaml:2: case 2: unknown field "grups"`},
		"case verdict": {map[string]string{"tests.yaml": "- {name: a, verdict: alow}\n"}, `tests.yaml:1: case 1: verdict "alow"`},
		"not a list":   {map[string]string{"tests.yaml": "a: 1\n"}, "tests.yaml:1: it must be a list"},
		"rego test":    {map[string]string{"x_test.rego": "package x\n\ntest_a if input.identity.grups\n"}, "x_test.rego:3"},
		"syntax":       {map[string]string{"x_test.rego": "package x\n\ntest_a if {\n"}, "x_test.rego:4"},
		"policy":       {map[string]string{"x.rego": "package x\n\na if {\n"}, "x.rego:4"},
	} {
		if _, err := Test(context.Background(), folder(t, c.files)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
