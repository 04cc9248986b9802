package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDraft(t *testing.T) {
	dir := t.TempDir()
	rule := func(name string) string { return "- {name: " + name + ", verdict: allow}\n" }
	for f, text := range map[string]string{"rules.yaml": rule("one"), "p.rego": "package a.b\n", "p_test.rego": "package a.b_test\n"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plain, err := Source{Dir: dir}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	changed, err := Source{Dir: dir, Draft: map[string]string{"rules.yaml": rule("two"), "more/x.rego": "package c\n", "p.rego": ""}}.Bundle()
	if err != nil || changed.Revision == plain.Revision || changed.Modules["more/x.rego"] == "" || changed.Modules["p.rego"] != "" {
		t.Errorf("%+v %v", changed, err)
	}
	if same, err := (Source{Dir: dir, Draft: map[string]string{"rules.yaml": rule("one")}}).Bundle(); err != nil || same.Revision != plain.Revision {
		t.Errorf("a draft that changes nothing: %v", err)
	}
	if _, err := (Source{Dir: dir, Draft: map[string]string{"rules.yaml": "- {nme: x}"}}).Bundle(); err == nil || !strings.Contains(err.Error(), "rules.yaml") {
		t.Errorf("a broken draft: %v", err)
	}
	if only, err := (Source{Draft: map[string]string{"masks.yaml": "[]", "rules.yaml": rule("x")}}).Bundle(); err != nil || only.Revision == "" {
		t.Errorf("without a folder: %v", err)
	}
	files, err := Source{Dir: dir}.Files()
	if err != nil || len(files) != 2 || files["rules.yaml"] != rule("one") {
		t.Errorf("%v %v", files, err)
	}
}
