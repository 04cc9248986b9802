package notice

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/policy"
)

func TestLine(t *testing.T) {
	d := policy.Decision{Rule: "no \"ddl\"\n<b>", Hint: "ask for a migration"}
	n := Of(Denied, &d, "hld_x", "https://d.example")
	for _, text := range []string{n.Line(), "words: dragoman: {x}\n" + n.Line(), n.Line() + " (SQLSTATE 42501)"} {
		if got, ok := Parse(text); !ok || got != n {
			t.Errorf("%q: %+v", text, got)
		}
	}
	if strings.Contains(n.Line(), "\n") || n.URL != "https://d.example/approvals/hld_x" {
		t.Errorf("%s", n.Line())
	}
	if got, ok := Parse(n.Within(60)); !ok || got.Hold != "hld_x" || got.Instead != "" || n.Within(10) != "" {
		t.Errorf("%+v %v", got, ok)
	}
	if _, ok := Parse("dragoman: {}"); ok {
		t.Error("a notice without a code")
	}
}
