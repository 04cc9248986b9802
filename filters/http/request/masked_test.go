package request

import (
	"encoding/json"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
)

func TestMasked(t *testing.T) {
	plan, err := mask.Compile([]mask.Spec{{Name: "f", Fields: []string{"ssn", "token"}}, {Name: "t", Detectors: []string{"email"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(head("POST", "/users/mallory@secret.example?ssn=219&q=mallory%40secret.example&n=1"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a := r.Action(ReadBody("application/json", []byte(`{"user":{"SSN":"219","mail":"mallory@secret.example","n":1}}`), Limits{}))
	before, _ := json.Marshal(a)
	out, n := Masked(plan, a)
	b, _ := json.Marshal(out)
	for _, secret := range []string{"mallory", "219"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s is in %s", secret, b)
		}
	}
	if after, _ := json.Marshal(a); string(after) != string(before) || n == 0 || !strings.Contains(string(b), `"name":"body/user/n"`) {
		t.Errorf("%d, %s became %s", n, before, after)
	}
	call := action.Action{Kind: action.KindMCPTool, Text: `get(token="hunter2", to="mallory@secret.example")`, Params: []action.Param{{Name: "arguments/token", Value: "hunter2"}}}
	if out, _ := Masked(plan, call); strings.Contains(out.Text, "hunter2") || strings.Contains(out.Text, "mallory") {
		t.Error(out.Text)
	}
	if _, n := Masked(nil, a); n != 0 {
		t.Error("no plan masks something")
	}
}
