package mcp

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

func TestParsePost(t *testing.T) {
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","arguments":{"n":7,"o":{"p":["a",true,null]}}}}`: "",
		` [{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"}] `:                "",
		`{"jsonrpc":"2.0","id":3,"result":{}}`:                          "",
		`{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"x"}}`: "",
		``:   "not JSON",
		`{`:  "not JSON",
		`[]`: "empty",
		`1`:  "object",
		`{"jsonrpc":"1.0","id":1,"method":"ping"}`:                                                                          "2.0",
		`{"id":1,"method":"ping"}`:                                                                                          "2.0",
		`{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`:                                                    "twice",
		`{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}`:                                                    "twice",
		`{"jsonrpc":"2.0","id":1,"\u006dethod":"ping","method":"tools/call"}`:                                               "twice",
		`{"jsonrpc":"2.0","id":1,"METHOD":"ping"}`:                                                                          "does not know",
		`{"jsonrpc":"2.0","id":1,"method":"ping","extra":1}`:                                                                "does not know",
		`{"jsonrpc":"2.0","id":1.0,"method":"ping"}`:                                                                        "id must",
		`{"jsonrpc":"2.0","id":1e2,"method":"ping"}`:                                                                        "id must",
		`{"jsonrpc":"2.0","id":-0,"method":"ping"}`:                                                                         "id must",
		`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`:                                                           "id must",
		`{"jsonrpc":"2.0","id":{},"method":"ping"}`:                                                                         "id must",
		`{"jsonrpc":"2.0","id":[1],"method":"ping"}`:                                                                        "id must",
		`{"jsonrpc":"2.0","id":null,"method":"ping"}`:                                                                       "may not be null",
		`{"jsonrpc":"2.0","id":1,"method":7}`:                                                                               "method is malformed",
		`{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}`:                                                             "params must be an object",
		`{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`:                                                              "method is malformed",
		`{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`:                                                                   "neither",
		`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}`:                                                     "must be a request",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call"}`:                                                                    "needs params",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}`:                                                        "name of a tool",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}`:                                   "twice",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"b","name":7}}`:                                     "twice",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"b","Arguments":{}}}`:                               "in case only",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"b","task":{"ttl":1}}}`:                             "as a task",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"b","arguments":[1]}}`:                              "must be an object",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"b","arguments":{"a":1,"A":2}}}`:                    "twice",
		`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":1,"method":"ping"}]`:                               "twice",
		`[{"jsonrpc":"2.0","id":"1","method":"ping"},{"jsonrpc":"2.0","id":"\u0031","method":"ping"}]`:                      "twice",
		`[[{"jsonrpc":"2.0","id":1,"method":"ping"}]]`:                                                                      "object",
		`{"jsonrpc":"2.0","id":1,"method":"ping"} {}`:                                                                       "not JSON",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xC0\x80\"}":                                                            "not JSON",
		`{"jsonrpc":"2.0","id":1,"method":"ping","params":` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 101): "too many",
	} {
		p, err := ParsePost([]byte(body), Limits{})
		var e *Error
		switch {
		case want == "" && (err != nil || len(p.Messages) == 0):
			t.Errorf("%s: %v", body, err)
		case want != "" && (!errors.As(err, &e) || !strings.Contains(e.Message, want)):
			t.Errorf("%s: %v, want %q", body, err, want)
		case want != "" && !json.Valid(e.Body()):
			t.Errorf("%s", e.Body())
		}
	}
}

func TestAction(t *testing.T) {
	p, err := ParsePost([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_user","arguments":{"id":7,"opt":{"a/b":"x","list":["q"]}},"_meta":{"k":1}}}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a, ok := p.Messages[0].Action("crm", 0)
	want := action.Action{Kind: "mcp.tool", Verbs: []string{"call"}, Reads: []action.Object{}, Writes: []action.Object{},
		Functions: []action.Function{{Schema: "crm", Name: "get_user"}}, Features: map[string]any{},
		Text:        `get_user(id="7", opt/a~1b="x", opt/list/0="q")`,
		Params:      []action.Param{{Name: "arguments/id", Value: "7"}, {Name: "arguments/opt/a~1b", Value: "x"}, {Name: "arguments/opt/list/0", Value: "q"}},
		Fingerprint: "mcp crm get_user(id,opt)"}
	if !ok || !reflect.DeepEqual(a, want) {
		t.Errorf("%+v", a)
	}
	p, err = ParsePost([]byte(`[{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}},{"jsonrpc":"2.0","id":9,"result":{}}]`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ = p.Messages[0].Action("crm", 2)
	if a.Kind != "mcp" || a.Verbs[0] != "resources/read" || a.Reads[0].Name != "file:///etc/passwd" || a.Features["batch"] != 2 || a.Params[0].Name != "params/uri" {
		t.Errorf("%+v", a)
	}
	if _, ok := p.Messages[1].Action("crm", 2); ok {
		t.Error("a response is judged")
	}
}

func TestRefuse(t *testing.T) {
	got := string(Refuse(`"a"`, Problem{Code: "held", Rule: "r", Reason: "somebody has to agree", Hint: "wait", Hold: "hld_1"}))
	want := `{"jsonrpc":"2.0","id":"a","error":{"code":-32003,"message":"somebody has to agree","data":{"code":"held","rule":"r","hint":"wait","hold":"hld_1"}}}`
	if got != want {
		t.Error(got)
	}
}

func FuzzPost(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","arguments":{"n":7}}}`))
	f.Add([]byte(`[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","id":null,"error":{}}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := ParsePost(body, Limits{})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || !json.Valid(e.Body()) {
				t.Fatal(err)
			}
			return
		}
		for i := range p.Messages {
			m := &p.Messages[i]
			// Any other reader, here encoding/json, sees the same method and tool.
			var other struct {
				Method string          `json:"method"`
				ID     json.RawMessage `json:"id"`
				Params struct {
					Name string `json:"name"`
				} `json:"params"`
			}
			if err := json.Unmarshal(m.Raw, &other); err != nil && m.Tool() != "" || other.Method != m.Method || m.Tool() != "" && other.Params.Name != m.Tool() {
				t.Fatalf("%s: %q %q, encoding/json has %+v (%v)", m.Raw, m.Method, m.Tool(), other, err)
			}
			m.Action("s", len(p.Messages))
		}
	})
}
