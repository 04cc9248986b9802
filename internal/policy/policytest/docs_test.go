package policytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
)

const docs = "../../docs/policy.md"

type snippet struct {
	line       int
	kind, body string
}

// snippets are the fenced blocks of the policy reference by their info string.
func snippets(t *testing.T) []snippet {
	t.Helper()
	body, err := os.ReadFile("../" + docs)
	if err != nil {
		t.Fatal(err)
	}
	var out []snippet
	var open *snippet
	for i, line := range strings.Split(string(body), "\n") {
		switch {
		case open == nil && strings.HasPrefix(line, "```"):
			open = &snippet{line: i + 1, kind: strings.TrimPrefix(line, "```")}
		case open != nil && line == "```":
			out, open = append(out, *open), nil
		case open != nil:
			open.body += line + "\n"
		}
	}
	if len(out) != 14 {
		t.Fatalf("%d snippets", len(out))
	}
	return out
}

// Every snippet is read by what it is for.
func TestSnippetsOfThePolicyReference(t *testing.T) {
	for _, s := range snippets(t) {
		t.Run(fmt.Sprintf("line %d %s", s.line, s.kind), func(t *testing.T) {
			files := map[string]string{}
			switch s.kind {
			case "yaml rules":
				files["rules.yaml"] = s.body
			case "yaml masks":
				files["masks.yaml"] = s.body
			case "rego policy":
				files["p.rego"] = s.body
			case "yaml tests", "rego test":
				return // run with the rest below
			case "json input":
				strict(t, s.body, &policy.Input{})
				return
			case "json decision":
				strict(t, s.body, &policy.Decision{})
				return
			default:
				t.Fatal("nothing runs this kind of snippet")
			}
			b, err := folder(t, files).Bundle()
			if err != nil {
				t.Fatal(err)
			}
			if ps := policy.Check(b); len(ps) > 0 {
				t.Error(ps)
			}
		})
	}
}

func strict(t *testing.T, body string, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(t, []byte(body)) {
		if !bytes.Contains(again, []byte(`"`+key+`"`)) && key != "hint" {
			t.Errorf("%q is lost", key)
		}
	}
}

func keys(t *testing.T, body []byte) []string {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// The reference's first rules, its masks, its Rego and its tests are one policy, and the tests pass.
func TestTheReferencesOwnTests(t *testing.T) {
	files := map[string]string{"data.yaml": "freeze: false\n"}
	for _, s := range snippets(t) {
		name := map[string]string{"yaml rules": "rules.yaml", "yaml masks": "masks.yaml", "rego policy": "p.rego",
			"yaml tests": "tests.yaml", "rego test": "p_test.rego"}[s.kind]
		if name != "" && files[name] == "" {
			files[name] = s.body
		}
	}
	results, err := Test(context.Background(), folder(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 5 {
		t.Errorf("%d tests", len(results))
	}
	for _, r := range results {
		if !r.Pass {
			t.Errorf("%s:%d %s: %s", r.File, r.Line, r.Name, r.Message)
		}
	}
}

// Every field that there is, is described.
func TestTheReferenceIsComplete(t *testing.T) {
	body, err := os.ReadFile("../" + docs)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	for _, v := range []any{policy.Rule{}, policy.When{}, policy.MaskRule{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%T: %s is not described", v, name)
			}
		}
	}
	for _, v := range []any{policy.Input{}, policy.Target{}, policy.Session{}, policy.Decision{}, identity.Identity{}, action.Action{},
		action.Object{}, action.Function{}, action.Param{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !strings.Contains(text, `"`+name+`"`) {
				t.Errorf("%T: %s is not shown", v, name)
			}
		}
	}
	for _, name := range append(policy.DangerousFeatures(), policy.BuiltinConnect, policy.BuiltinSession, policy.RulePredicate,
		policy.RuleWrite, policy.RuleUnresolved, policy.RuleSideChannel, policy.RuleConflict, policy.RuleDefault, policy.RulePolicyError) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s is not described", name)
		}
	}
}
