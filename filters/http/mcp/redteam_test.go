package mcp

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/internal/mask"
)

// Values that a mask names do not come out beside the places that the protocol has for them.
func TestValuesInOddPlaces(t *testing.T) {
	paths, text := mask.Spec{Name: "j", JSON: []string{"$.people[*].ssn"}, Opaque: mask.OpaqueAllow}, mask.Spec{Name: "t", Detectors: []string{"email"}, Opaque: mask.OpaqueAllow}
	people := `{"people":[{"ssn":"mallory","to":"mallory@secret.example"}]}`
	task := `{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{"taskId":"t"}}`
	for name, c := range map[string]struct{ question, body string }{
		"what a result has besides":   {call, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"_meta":` + people + `}}`},
		"what a block has besides":    {call, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x","_meta":` + people + `}]}}`},
		"an older result":             {call, `{"jsonrpc":"2.0","id":1,"result":{"toolResult":` + people + `}}`},
		"a task's result":             {task, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":` + people + `}}`},
		"a resource's own members":    {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x:y"}}`, `{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"x:y","json":` + people + `}]}}`},
		"a log's object":              {call, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":` + people + `}}`},
		"a tool's result in sampling": {call, `{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[{"type":"tool_result","toolUseId":"u","content":[],"structuredContent":` + people + `}]}]}}`},
		"a tool's use in sampling":    {call, `{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{"messages":[{"role":"assistant","content":{"type":"tool_use","id":"u","name":"n","input":` + people + `}}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			c2, p := NewConversation(Limits{}), plan(t, paths, text)
			ask(t, c2, c.question, Asked{Plan: p})
			got, err := reply(c2, jsonHead, p, c.body, 7, nil)
			if err != nil || strings.Contains(got, "mallory") || !strings.Contains(got, "[redacted]") {
				t.Errorf("%s %v", got, err)
			}
		})
	}
}

// What follows a message is not let through with it.
func TestTrailingBytes(t *testing.T) {
	for _, tail := range []string{"]", "}", "]mallory", "}mallory", " ] mallory", "{}", "1"} {
		for _, h := range []content.Head{jsonHead, eventsHead} {
			c := NewConversation(Limits{})
			ask(t, c, call, Asked{})
			body := `{"jsonrpc":"2.0","id":1,"result":{}}` + tail
			if h.Type != jsonHead.Type {
				body = "data: " + body + "\n\n"
			}
			if got, err := reply(c, h, nil, body, 5, nil); err == nil {
				t.Errorf("%q passes as %q", body, got)
			}
		}
	}
}

// The detectors see all of an event, not its data alone.
func TestEventFields(t *testing.T) {
	c, p := NewConversation(Limits{}), plan(t, mask.Spec{Name: "t", Detectors: []string{"email"}})
	body := "event: a@secret.example\nid: b@secret.example\nretry: c@secret.example\n: d@secret.example\ndata:\n\n"
	if got, err := reply(c, eventsHead, p, body, 3, nil); err != nil || strings.Contains(got, "secret") || strings.Count(got, "[redacted]") != 4 {
		t.Errorf("%q %v", got, err)
	}
}
