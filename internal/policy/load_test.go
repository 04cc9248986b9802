package policy

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/sql"
)

// folder writes files and returns their folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadNamesTheLine(t *testing.T) {
	for name, c := range map[string]struct {
		file, body string
		want       string
	}{
		"unknown key":      {"rules.yaml", "- name: a\n  verdict: allow\n  when: {}\n  grups: [x]\n", `rules.yaml:4: unknown key "grups"`},
		"unknown in when":  {"rules.yaml", "rules:\n- name: a\n  verdict: allow\n  when:\n    verb: [x]\n", `rules.yaml:5: unknown key "verb"`},
		"unknown at top":   {"rules.yaml", "rulez: []\n", `rules.yaml:1: unknown key "rulez"`},
		"verdict":          {"rules.yaml", "- name: a\n  verdict: allow\n- name: b\n  verdict: alow\n", `rules.yaml:3: rule 2 (b): verdict "alow"`},
		"no verdict":       {"rules.yaml", "- name: a\n", `rules.yaml:1: rule 1 (a): verdict ""`},
		"no name":          {"rules.yaml", "- verdict: allow\n", "a rule needs a name"},
		"two documents":    {"rules.yaml", "- {name: a, verdict: allow}\n---\n- {name: b, verdict: block}\n", "more than one YAML document"},
		"twice":            {"rules.yaml", "- {name: a, verdict: allow}\n- {name: a, verdict: block}\n", `rules.yaml:2: rule 2: the name "a" is taken`},
		"hold":             {"rules.yaml", "- {name: a, verdict: hold}\n", "a hold needs approvers"},
		"approvers":        {"rules.yaml", "- {name: a, verdict: allow, approvers: [x]}\n", "are for verdict hold only"},
		"feature":          {"rules.yaml", "- {name: a, verdict: allow, features_allowed: [wings]}\n", `features_allowed: "wings"`},
		"feature of block": {"rules.yaml", "- {name: a, verdict: block, features_allowed: [dynamic]}\n", "features_allowed is for"},
		"upper case":       {"rules.yaml", "- {name: a, verdict: allow, when: {verbs: [SELECT]}}\n", `verb "SELECT" must be in lower case`},
		"table":            {"rules.yaml", "- {name: a, verdict: allow, when: {tables: [a.b.c]}}\n", `tables: "a.b.c" has more than 2 parts`},
		"empty part":       {"rules.yaml", "- {name: a, verdict: allow, when: {columns: [a..c]}}\n", `"a..c" has an empty part`},
		"timeout":          {"rules.yaml", "- name: a\n  verdict: hold\n  approvers: [x]\n  timeout: soon\n", "rules.yaml:4"},
		"off":              {"rules.yaml", "off: [sesion]\n", `"sesion" is not a built-in group`},
		"syntax":           {"rules.yaml", "- name: [\n", "rules.yaml:"},
		"mask way":         {"masks.yaml", "- name: a\n  columns: [x.y]\n  way: hide\n", "masks.yaml:1: mask 1 (a):"},
		"mask key":         {"masks.yaml", "- name: a\n  columns: [x.y]\n  keep: 1\n", `masks.yaml:3: unknown key "keep"`},
		"mask detector":    {"masks.yaml", "- {name: a, detectors: [soul]}\n", "soul"},
		"mask of nothing":  {"masks.yaml", "- {name: a}\n", "masks.yaml:1"},
		"reserved":         {"data.yaml", "dragoman: {rules: []}\n", `data.yaml: the key "dragoman" is reserved`},
		"data json":        {"data.json", "[1]", "data.json: not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Source{Dir: folder(t, map[string]string{c.file: c.body})}.Bundle()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if ps := Problems(err); len(ps) == 0 || ps[0].Message == "" {
				t.Errorf("problems: %+v", ps)
			}
		})
	}
}

func TestLoadReadsTheFolder(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.rego":           "package dragoman.policy\n\nverdicts contains {\"verdict\": \"block\", \"rule\": \"frozen\"} if data.team.frozen",
		"a_test.rego":      "package nonsense {",
		"sub/b.rego":       "package helpers\n\nx := 1",
		"data.yaml":        "limit: 5\n",
		"team/data.json":   "{\"frozen\": true}",
		"rules.yaml":       "rules: [{name: folder, verdict: allow}]\noff: [session]\nmasks: [{name: m, columns: [a.b]}]\n",
		"masks.yaml":       "[{name: n, detectors: [email]}]",
		"README.md":        "not read",
		".git/x.rego":      "package broken {",
		"..data/data.json": "[]",
	})
	s := Source{Dir: dir, Rules: []Rule{allow("config", When{})}}
	b, err := s.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Modules) != 2 || b.Modules["a.rego"] == "" || b.Modules["sub/b.rego"] == "" {
		t.Errorf("modules: %v", b.Modules)
	}
	e := engineOf(t, s)
	judgement{"data of a folder", nil, sqlAction("select", nil, nil), nil, Block, "frozen"}.run(t, e)
	again, err := s.Bundle()
	if err != nil || again.Revision != b.Revision || len(b.Revision) != 64 {
		t.Errorf("revision %s, then %s (%v)", b.Revision, again.Revision, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data.yaml"), []byte("limit: 6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.Bundle(); err != nil || changed.Revision == b.Revision {
		t.Errorf("the revision did not change (%v)", err)
	}
	if _, err := (Source{Dir: filepath.Join(dir, "missing")}).Bundle(); err == nil {
		t.Error("a folder that is not there was read")
	}
}

// A bundle travels as JSON and judges the same on the other side.
func TestBundleTravels(t *testing.T) {
	b, err := Source{Dir: "testdata/demo"}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var there Bundle
	if err := json.Unmarshal(body, &there); err != nil {
		t.Fatal(err)
	}
	e, err := Compile(context.Background(), there)
	if err != nil {
		t.Fatal(err)
	}
	if e.Revision() != b.Revision {
		t.Error("another revision")
	}
	judgement{"held", []string{"dba"}, sqlAction("delete", nil, objs(table("orders")), "where"), nil, Hold, "dba-change"}.run(t, e)
	d := e.Judge(context.Background(), &Input{Identity: who("a", "dba"), Target: shop,
		Action: sqlAction("delete", nil, objs(table("orders")), "where")}, &sql.Statement{})
	if d.Timeout.Minutes() != 5 || d.Quorum != 1 || len(d.Mask) != 2 || d.Mask[0].Way != "partial" {
		t.Errorf("%+v", d)
	}
}

// A bundle that was not made by this version's loader does not come into force.
func TestOddBundlesAreRefused(t *testing.T) {
	for name, data := range map[string]any{
		"not an object": 1, "empty": map[string]any{},
		"no index":  map[string]any{"rules": []any{}, "masks": []any{}, "off": []any{}},
		"mask":      encodeWith("masks", []any{map[string]any{"out": map[string]any{"name": "m", "way": "x"}}}),
		"mask junk": encodeWith("masks", []any{1}),
		"groups":    encodeWith("by_group", []any{}),
	} {
		if ps := Check(Bundle{Data: map[string]any{"dragoman": data}}); len(ps) == 0 {
			t.Errorf("%s: accepted", name)
		}
	}
	if ps := Check(Bundle{Data: map[string]any{"dragoman": encode(nil, nil, nil)}}); len(ps) != 0 {
		t.Error(ps)
	}
}

func encodeWith(key string, value any) map[string]any {
	m := encode(nil, nil, nil)
	m[key] = value
	return m
}

// Whatever is in rules.yaml: an error or a policy, no panic; and what is accepted compiles.
func FuzzRules(f *testing.F) {
	demo, err := os.ReadFile("testdata/demo/rules.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(demo))
	f.Add("- {name: a, verdict: hold, approvers: [x], timeout: 5m, when: {tables: [\"a.*\"], features: {copy: out}}}")
	f.Add("off: [session]\nmasks: [{name: m, columns: [\"\\\"a.b\\\".c\"]}]")
	f.Add("- &a {name: x, verdict: allow, when: {labels: {<<: *a}}}")
	f.Fuzz(func(t *testing.T, text string) {
		l := loader{modules: map[string]string{}, data: map[string]any{}}
		l.readRules("rules.yaml", []byte(text))
		if len(l.problems) > 0 {
			return
		}
		b := Bundle{Data: map[string]any{"dragoman": encode(l.rules, l.masks, l.off)}}
		if _, err := revision(b); err != nil {
			t.Skip() // features that JSON cannot hold, such as NaN
		}
		if ps := Check(b); len(ps) > 0 {
			t.Error(ps)
		}
	})
}
