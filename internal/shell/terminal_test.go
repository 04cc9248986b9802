package shell

import (
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

// TestOnTerminal: a pager is a way to a shell, and there is one only on a terminal.
func TestOnTerminal(t *testing.T) {
	for line, want := range map[string]bool{"git log": true, "git status": false, "ls; git diff": true, "journalctl -u x": true, "cat /srv/x": false, "git commit": true} {
		a := Analyse(action.KindExec, line)
		if a.Has(action.FeatureOpaque) {
			t.Errorf("%q is opaque without a terminal", line)
		}
		OnTerminal(&a)
		if a.Has(action.FeatureOpaque) != want {
			t.Errorf("%q: %v", line, a.Features)
		}
	}
}
