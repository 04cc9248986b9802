package record

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
)

// FuzzAppendAction: what is written without reflection reads as what encoding/json writes.
func FuzzAppendAction(f *testing.F) {
	f.Add("sql", "select 1", "a rule", "because <&>", "ü \x00\xff", 3, true)
	f.Add("", "", "", "", "", 0, false)
	f.Fuzz(func(t *testing.T, kind, text, rule, reason, odd string, n int, yes bool) {
		p := ActionPayload{
			Action: action.Action{Kind: kind, Verbs: []string{text, odd}, Reads: []action.Object{{Schema: odd, Name: text, Resolved: yes}},
				Writes: []action.Object{}, Functions: []action.Function{{Schema: rule, Name: odd, Volatility: text, Opaque: yes}},
				Features: map[string]any{odd: yes, rule: n, text: odd, "f": 1.5, "list": []string{odd}}, Text: text,
				Params: []action.Param{{Value: odd, Name: rule, Null: yes, Encoding: kind}, {}}, Fingerprint: odd},
			Decision: policy.Decision{Verdict: policy.Verdict(n & 3), Rule: rule, Reason: reason, Hint: odd, Quorum: n, Timeout: time.Duration(n),
				ShapeFor: time.Duration(-n), ShapePool: yes, Revision: odd},
		}
		if yes {
			p.Decision.Approvers = []string{odd}
			p.Decision.Mask = []mask.Spec{{Name: odd, JSON: []string{"$.a"}}}
		} else {
			p.Action.Reads, p.Action.Params, p.Action.Features, p.Action.Verbs = nil, nil, nil, nil
		}
		got, err := AppendAction(nil, &p.Action, &p.Decision)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s\nwant %s", got, want)
		}
	})
}
