package postgres

import (
	"encoding/json"
	"reflect"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
)

// TestShapeSheet: what a shape's sheet gives is what the whole action would give.
func TestShapeSheet(t *testing.T) {
	shared := sql.Statement{ShapeKey: "k", Action: action.Action{Kind: action.KindSQL, Verbs: []string{"select"},
		Reads: []action.Object{{Schema: "public", Name: "t", Columns: []string{"a"}, Resolved: true}}, Fingerprint: "f"}}
	var s shapeSheet
	for i, text := range []string{`SELECT 'a'`, `SELECT ',"text":"x","params":null'`, "SELECT 'é\n\"\\'", `SELECT '<&>'`} {
		st := shared
		st.Action.Text = text
		j := &judged{st: &st, action: st.Action, d: policy.Decision{Verdict: policy.Allow, Rule: "r", Revision: "1"}}
		sheet := s.sheetFor(j)
		if sheet == nil {
			t.Fatalf("%d: no sheet", i)
		}
		b := append([]byte{}, sheet.head...)
		b = record.AppendParams(append(record.AppendString(b, text), paramsName...), nil)
		b = append(b, sheet.tail...)
		var got record.ActionPayload
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%d: %v\n%s", i, err, b)
		}
		want := j.action
		want.Params = []action.Param{}
		if !reflect.DeepEqual(got.Action, want) || got.Decision.Rule != "r" {
			t.Errorf("%d:\n got %+v\nwant %+v", i, got.Action, want)
		}
	}
	j := &judged{st: &shared, action: shared.Action, moment: true}
	if s.sheetFor(j) != nil {
		t.Error("an action with features of the moment took the shape's record")
	}
}
