package policytest

import (
	"os"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/policy"
)

// The YAML of other pages is policy that loads: lists of masks, and rules and masks.
func TestSnippetsOfOtherPages(t *testing.T) {
	for page, want := range map[string]int{"masking.md": 2, "mcp.md": 1} {
		body, err := os.ReadFile("../../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i, part := range strings.Split(string(body), "```") {
			text, found := strings.CutPrefix(part, "yaml\n")
			if i%2 == 0 || !found {
				continue
			}
			n++
			b, err := folder(t, map[string]string{"rules.yaml": text}).Bundle()
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if ps := policy.Check(b); len(ps) > 0 {
				t.Errorf("%s: %v", page, ps)
			}
		}
		if n != want {
			t.Errorf("%s has %d snippets of policy, not %d", page, n, want)
		}
	}
}
