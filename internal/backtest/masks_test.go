package backtest

import (
	"slices"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
)

// Masks of content are compared for requests and calls, and not for statements.
func TestDifferencesOfContent(t *testing.T) {
	old := newPlan([]mask.Spec{{Name: "a", JSON: []string{"$.a", "$.b"}}, {Name: "f", Fields: []string{"ssn"}, Way: mask.WayPartial}})
	now := newPlan([]mask.Spec{{Name: "a", JSON: []string{"$.b"}}, {Name: "f", Fields: []string{"ssn"}}, {Name: "d", Detectors: []string{"card"}}})
	want := []MaskChange{{"anything like card", "", "redact"}, {"the field ssn", "partial", "redact"}, {"what is at $.a", "redact", ""}}
	if got := differences(&action.Action{Kind: action.KindHTTP, Verbs: []string{"get"}}, old, now); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	sql := action.Action{Kind: action.KindSQL, Verbs: []string{"select"}, Reads: []action.Object{{Schema: "public", Name: "t"}}}
	if got := differences(&sql, old, now); !slices.Equal(got, want[:1]) {
		t.Errorf("%v", got)
	}
}
