package policy

import (
	"context"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

// TestForwardPaths: rules about forwarded connections name where they lead as HOST:PORT.
func TestForwardPaths(t *testing.T) {
	e := engineOf(t, Source{Dir: folder(t, map[string]string{"rules.yaml": `
- {name: databases, verdict: allow, when: {kinds: [forward], verbs: [connect], paths: ["db*.internal:5432", "[::1]:5432"]}}
- {name: not-that, verdict: block, when: {kinds: [forward], paths: ["db9.internal:*"]}}
`})})
	for where, want := range map[string]Verdict{"db1.internal:5432": Allow, "[::1]:5432": Allow, "db1.internal:22": Block, "db9.internal:5432": Block,
		"x.db1.internal:5432": Block, "db1.internal:5432:22": Block, "127.0.0.1:5432": Block} {
		a := action.Action{Kind: action.KindForward, Verbs: []string{"connect"}, Writes: []action.Object{{Name: where}}, Features: map[string]any{}}
		if d := e.Judge(context.Background(), &Input{Identity: who("agent:x"), Target: shop, Action: a}, nil); d.Verdict != want {
			t.Errorf("%s: %v by %s (%s)", where, d.Verdict, d.Rule, d.Reason)
		}
	}
	for _, wrong := range []string{"/srv/x", "db", "db:", ":22", "DB:22", "db:ssh", "a b:22"} {
		dir := folder(t, map[string]string{"rules.yaml": "- {name: x, verdict: allow, when: {kinds: [forward], paths: [\"" + wrong + "\"]}}\n"})
		if _, err := (Source{Dir: dir}).Bundle(); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
