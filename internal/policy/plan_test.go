package policy

import (
	"testing"

	"dragoman.dev/dragoman/internal/mask"
)

// TestPlan: a decision whose masks cannot be applied blocks, whatever it was; plans are kept.
func TestPlan(t *testing.T) {
	var plans mask.Plans
	last := mask.Last{Plans: &plans}
	for _, from := range []Planner{&plans, &last} {
		good := Decision{Verdict: Allow, Rule: "r", Mask: []mask.Spec{{Name: "m", Columns: []string{"t.c"}}}}
		a, err := good.Plan(from, nil)
		b, err2 := good.Plan(from, nil)
		if err != nil || err2 != nil || a == nil || a != b || good.Verdict != Allow {
			t.Error(a, b, err, err2, good)
		}
		bad := Decision{Verdict: Allow, Rule: "r", Revision: "7", Mask: []mask.Spec{{Name: "m", Columns: []string{"t.c"}, Way: "nonsense"}}}
		if p, err := bad.Plan(from, nil); err == nil || p != nil || bad.Verdict != Block || bad.Rule != "mask-plan" || bad.Revision != "7" {
			t.Error(p, err, bad)
		}
		if again, _ := good.Plan(from, nil); again != a {
			t.Error("a bad plan took the place of a good one")
		}
		none := Decision{Verdict: Allow}
		if p, err := none.Plan(from, nil); p != nil || err != nil || none.Verdict != Allow {
			t.Error(p, err, none)
		}
	}
}
