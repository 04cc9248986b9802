package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const reference = "../../docs/configuration.md"

// TestReferenceSnippets parses every snippet of the reference; what a snippet
// leaves out of the required keys is filled in.
func TestReferenceSnippets(t *testing.T) {
	b, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	if len(snippets) < 8 {
		t.Fatalf("only %d snippets", len(snippets))
	}
	for _, s := range snippets {
		text := s[1]
		var keys map[string]any
		if err := yaml.Unmarshal([]byte(text), &keys); err != nil {
			t.Errorf("%v in\n%s", err, text)
			continue
		}
		for key, fill := range map[string]string{
			"targets": "targets: [{name: x, address: 'db:1', listen: '127.0.0.1:1', credentials: {user: u}}]\n", "policy": "policy: {dir: p}\n"} {
			if _, ok := keys[key]; !ok {
				text += fill
			}
		}
		if _, err := Parse([]byte(text), "snippet.yaml"); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}

// TestReferenceIsComplete: every key of the file is in the reference.
func TestReferenceIsComplete(t *testing.T) {
	b, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	seen := map[reflect.Type]bool{}
	walk = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct || seen[ty] || !strings.HasSuffix(ty.PkgPath(), "internal/config") {
			return // rules and masks are in the policy reference
		}
		seen[ty] = true
		for key, field := range fieldsOf(ty) {
			if !regexp.MustCompile("[`.]" + key + "[`:]").Match(b) {
				t.Errorf("%s.%s is not in the reference", ty.Name(), key)
			}
			walk(field)
		}
	}
	walk(reflect.TypeFor[Config]())
}
