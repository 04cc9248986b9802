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

// JSON-RPC is read as such whatever the status and the type say.
func TestMessagesThatSayTheyAreNone(t *testing.T) {
	p := plan(t, mask.Spec{Name: "j", JSON: []string{"$.people[*].ssn"}})
	for _, h := range []content.Head{{Status: 400, Type: "application/json"}, {Status: 200, Type: "text/json"}, {Status: 200, Type: "application/x+json; charset=utf-8"},
		{Status: 500, Type: "text/plain"}, {Status: 200, Type: ""}, {Status: 404, Type: "application/json", Encoding: "gzip"}} {
		for _, body := range []string{
			`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"mallory is not","data":{"people":[{"ssn":"mallory"}]}}}`,
			`[{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"people":[{"ssn":"mallory"}]}}}]`,
			`{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"mallory"}}`,
			`{"jsonrpc":"2.0","id":"server-error","error":{"code":-1,"message":"mallory"}}`,
			`{"jsonrpc":"2.0","id":1,"error":{},"error":{"code":-1,"message":"mallory"}}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"mallory"}}{"jsonrpc":"2.0"}`,
			`{"JSONRPC":"2.0","id":1,"error":{"code":-1,"message":"mallory"}}`,
		} {
			c := NewConversation(Limits{})
			ask(t, c, call, Asked{Plan: p})
			if h.Encoding != "" {
				body = string(pack(t, h.Encoding, body))
			}
			got, _ := reply(c, h, p, body, 9, nil)
			if h.Encoding != "" && got != "" {
				got = unpack(t, h.Encoding, got)
			}
			if strings.Contains(got, "mallory") {
				t.Errorf("%+v: %s", h, got)
			}
		}
		c := NewConversation(Limits{})
		ask(t, c, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, Asked{Allow: func(string) bool { return false }})
		if h.Encoding == "" {
			if got, err := reply(c, h, nil, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"mallory"}]}}`, 9, nil); err != nil || strings.Contains(got, "mallory") {
				t.Errorf("%+v: %s %v", h, got, err)
			}
		}
	}
	text := plan(t, mask.Spec{Name: "t", Detectors: []string{"email"}})
	long := strings.Repeat("lorem ipsum ", 1<<19)
	if got, err := reply(NewConversation(Limits{}), content.Head{Status: 500, Type: "text/plain"}, text, long+"m@secret.example", 1<<16, nil); err != nil || len(got) < len(long) || strings.Contains(got, "secret") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := reply(NewConversation(Limits{}), content.Head{Status: 500, Type: "text/plain"}, text, "["+long, 1<<16, nil); err == nil {
		t.Errorf("%d bytes of what may be a message", len(got))
	}
}

// A conversation knows all masks that it has seen, each once.
func TestMasksOfAConversation(t *testing.T) {
	a, b := mask.Spec{Name: "a", Detectors: []string{"email"}}, mask.Spec{Name: "b", JSON: []string{"$.x"}}
	c := NewConversation(Limits{})
	ask(t, c, call, Asked{Masks: []mask.Spec{a}})
	ask(t, c, strings.Replace(call, `"id":1`, `"id":2`, 1), Asked{Masks: []mask.Spec{b, a}})
	ask(t, c, strings.Replace(call, `"id":1`, `"id":3`, 1), Asked{})
	if m := c.Masks(); len(m) != 2 || m[0].Name != "a" || m[1].Name != "b" {
		t.Errorf("%+v", m)
	}
}

// Servers that do not regard case take these for what they know, and so would not do what was judged.
func TestNamesThatAreOthers(t *testing.T) {
	for _, body := range []string{
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"get\",\"argument\u017F\":{\"all\":true}}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"get\",\"tas\\u212a\":{}}}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"get\",\"arguments\":{\"users\":1,\"u\u017Fers\":2}}}",
	} {
		if p, err := ParsePost([]byte(body), Limits{}); err == nil {
			t.Errorf("%s passes: %+v", body, p)
		}
	}
}
