package mysql

import (
	"os"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

// FuzzAnalyze: whatever the text, the analysis ends, says something of every statement, and what it sends has no comment left
// that a server could run.
func FuzzAnalyze(f *testing.F) {
	for _, name := range []string{"comments", "expressions", "lexing", "writes", "prepared", "statements"} {
		text, err := os.ReadFile("../../../filters/mysql/testdata/bypass/" + name + ".sql")
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range strings.Split(string(text), ";\n") {
			f.Add(s)
		}
	}
	e := env(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		b := analyze(text, e)
		for _, st := range b.Statements {
			a := &st.Action
			if a.Kind != action.KindSQL || a.Verbs == nil || a.Reads == nil || a.Writes == nil || a.Functions == nil || a.Features == nil {
				t.Fatalf("%q: %+v", text, a)
			}
			if st.Start < 0 || st.End < st.Start || st.End > len(b.Text) {
				t.Fatalf("%q: span %d to %d of %d", text, st.Start, st.End, len(b.Text))
			}
			if st.Action.Has(action.FeatureUnparsed) {
				return
			}
		}
		again, err := Normalize(b.Text, e.Mode)
		if err != nil || again != b.Text {
			t.Fatalf("%q is sent as %q, which has comments: %q %v", text, b.Text, again, err)
		}
	})
}
