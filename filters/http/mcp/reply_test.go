package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/internal/mask"
)

func plan(t testing.TB, specs ...mask.Spec) *mask.Plan {
	t.Helper()
	p, err := mask.Compile(specs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ask(t testing.TB, c *Conversation, body string, a Asked) {
	t.Helper()
	p, err := ParsePost([]byte(body), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Messages {
		if err := c.Ask(&p.Messages[i], a); err != nil {
			t.Fatal(err)
		}
	}
}

func reply(c *Conversation, h content.Head, p *mask.Plan, body string, piece int, observe func(Outcome)) (string, error) {
	r, err := c.Reply(h, p, observe)
	if err != nil {
		return "", err
	}
	defer r.Abort()
	var out []byte
	for b := []byte(body); len(b) > 0; {
		n := min(piece, len(b))
		if out, err = r.Write(out, bytes.Clone(b[:n])); err != nil {
			return string(out), err
		}
		b = b[n:]
	}
	out, err = r.Close(out)
	return string(out), err
}

var jsonHead, eventsHead = content.Head{Status: 200, Type: "application/json"}, content.Head{Status: 200, Type: "text/event-stream; charset=utf-8"}

// each runs a response as JSON, and as events, in several pieces, coded and not.
func each(t *testing.T, question, answer string, a Asked, do func(t *testing.T, got string, o Outcome)) {
	t.Helper()
	for _, piece := range []int{1, 7, 1 << 20} {
		for _, coded := range []string{"", "gzip", "br"} {
			for _, events := range []bool{false, true} {
				c := NewConversation(Limits{})
				ask(t, c, question, a)
				h, body := jsonHead, answer
				if events {
					h, body = eventsHead, "id: 1\ndata:\n\nevent: message\nid: 2\ndata: "+answer+"\n\n"
				}
				if h.Encoding = coded; coded != "" {
					body = string(pack(t, coded, body))
				}
				var last Outcome
				out, err := reply(c, h, a.Plan, body, piece, func(o Outcome) { o.Raw = bytes.Clone(o.Raw); last = o })
				if err != nil {
					t.Fatal(err)
				}
				if coded != "" {
					out = unpack(t, coded, out)
				}
				if events {
					out = strings.TrimSuffix(strings.TrimPrefix(out, "id: 1\ndata: \n\nevent: message\nid: 2\ndata: "), "\n\n")
				}
				if string(last.Raw) != out {
					t.Fatalf("%s was seen, %s came out", last.Raw, out)
				}
				do(t, out, last)
			}
		}
	}
}

func pack(t *testing.T, name, body string) []byte {
	t.Helper()
	e, err := coding.NewEncoder([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := e.Write(nil, []byte(body))
	b, _ = e.Close(b)
	return b
}

func unpack(t *testing.T, name, body string) string {
	t.Helper()
	var out []byte
	sink := func(b []byte) error { out = append(out, b...); return nil }
	d := coding.NewDecoder([]string{name}, 0)
	defer d.Abort()
	if err := errors.Join(d.Write([]byte(body), sink), d.Close(sink)); err != nil {
		t.Fatal(err)
	}
	return string(out)
}

const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get"}}`

func TestToolsAreLeftOut(t *testing.T) {
	question := `{"jsonrpc":"2.0","id":"l","method":"tools/list","params":{"cursor":"c"}}`
	answer := `{"jsonrpc":"2.0","id":"l","result":{"tools":[{"name":"get","x":1},{"name":"del\u0065te"},{"name":"put","inputSchema":{"type":"object"}}],"nextCursor":"d"}}`
	allow := func(name string) bool { return name != "delete" }
	each(t, question, answer, Asked{Allow: allow}, func(t *testing.T, got string, o Outcome) {
		if got != `{"jsonrpc":"2.0","id":"l","result":{"tools":[{"name":"get","x":1},{"name":"put","inputSchema":{"type":"object"}}],"nextCursor":"d"}}` || o.Hidden != 1 {
			t.Errorf("%s", got)
		}
	})
	each(t, question, answer, Asked{}, func(t *testing.T, got string, o Outcome) {
		if !strings.Contains(got, `"tools":[]`) || o.Hidden != 3 {
			t.Errorf("nobody says which are allowed, and %s", got)
		}
	})
	each(t, question, answer, Asked{Allow: func(string) bool { return true }}, func(t *testing.T, got string, o Outcome) {
		if got != answer {
			t.Errorf("untouched, and yet %s", got)
		}
	})
}

func TestResultsAreMasked(t *testing.T) {
	paths := mask.Spec{Name: "j", JSON: []string{"$.users[*].email", "$.ssn"}}
	open := paths
	open.Opaque = mask.OpaqueAllow
	text := mask.Spec{Name: "t", Detectors: []string{"email", "card"}}
	for _, c := range []struct {
		name, result, want string
		specs              []mask.Spec
	}{
		{"structured", `{"content":[],"structuredContent":{"users":[{"email":"mallory","id":1}],"ssn":7}}`,
			`{"content":[],"structuredContent":{"users":[{"email":"[redacted]","id":1}],"ssn":0}}`, []mask.Spec{paths}},
		{"JSON in a text", `{"content":[{"type":"text","text":"{\"users\":[{\"email\":\"mallory\"}]}"}]}`,
			`{"content":[{"type":"text","text":"{\"users\":[{\"email\":\"[redacted]\"}]}"}]}`, []mask.Spec{paths}},
		{"text that is not JSON", `{"content":[{"type":"text","text":"mallory is 7"}],"isError":true}`,
			`{"content":[{"type":"text","text":"[redacted]"}],"isError":true}`, []mask.Spec{paths}},
		{"text that may pass", `{"content":[{"type":"text","text":"all is well"}]}`, "", []mask.Spec{open}},
		{"detectors", `{"content":[{"type":"text","text":"write to mallory@secret.example"},{"type":"text","text":"<b>&"}],"_meta":{"by":"mallory@secret.example"}}`,
			`{"content":[{"type":"text","text":"write to [redacted]"},{"type":"text","text":"<b>&"}],"_meta":{"by":"[redacted]"}}`, []mask.Spec{text}},
		{"image", `{"content":[{"type":"image","data":"bWFsbG9yeQ==","mimeType":"image/png"}]}`,
			`{"content":[{"type":"text","text":"[redacted: content that cannot be looked into]"}]}`, []mask.Spec{text}},
		{"resource", `{"content":[{"type":"resource","resource":{"uri":"a://b","text":"{\"ssn\":\"mallory\"}"}},{"type":"resource","resource":{"uri":"a://c","blob":"bWFsbG9yeQ=="}}]}`,
			`{"content":[{"type":"resource","resource":{"uri":"a://b","text":"{\"ssn\":\"[redacted]\"}"}},{"type":"resource","resource":{"uri":"a://c","blob":""}}]}`, []mask.Spec{paths}},
		{"link", `{"content":[{"type":"resource_link","uri":"mailto:mallory@secret.example","name":"x"}]}`,
			`{"content":[{"type":"resource_link","uri":"mailto:[redacted]","name":"x"}]}`, []mask.Spec{text}},
		{"unknown block", `{"content":[{"type":"hologram","beam":"mallory"}]}`,
			`{"content":[{"type":"text","text":"[redacted: content that cannot be looked into]"}]}`, []mask.Spec{paths}},
		{"nothing to mask", `{"content":[{"type":"text","text":"é \u00e9 < 1.50"}],"structuredContent":{"n":1.50}}`, "", []mask.Spec{text}},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := `{"jsonrpc":"2.0","id":1,"result":` + c.result + `}`
			want := answer
			if c.want != "" {
				want = `{"jsonrpc":"2.0","id":1,"result":` + c.want + `}`
			}
			each(t, call, answer, Asked{Plan: plan(t, c.specs...)}, func(t *testing.T, got string, o Outcome) {
				if got != want || (o.Masked > 0) != (c.want != "") || o.Tool != "get" {
					t.Errorf("%s\nwant %s (%+v)", got, want, o)
				}
			})
		})
	}
}

func TestOtherMessages(t *testing.T) {
	paths, text := mask.Spec{Name: "j", JSON: []string{"$..ssn"}}, mask.Spec{Name: "t", Detectors: []string{"email"}}
	for name, c := range map[string]struct{ question, body, want string }{
		"an error":          {call, `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"mallory is not there","data":{"ssn":"mallory"}}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"` + hiddenFault + `","data":{"ssn":"[redacted]"}}}`},
		"a notification":    {call, `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"ssn":"mallory","to":"mallory@secret.example"}}}`, `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"ssn":"[redacted]","to":"[redacted]"}}}`},
		"a request":         {call, `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"mallory@secret.example?"}}`, `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"[redacted]"}}`},
		"a log line":        {call, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"mallory is 7"}}`, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"[redacted]"}}`},
		"progress":          {call, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"message":"at mallory"}}`, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"message":"[redacted]"}}`},
		"sampling":          {call, `{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[{"type":"text","text":"{\"ssn\":\"mallory\"}"}]}],"systemPrompt":"mallory"}}`, `{"jsonrpc":"2.0","id":5,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[{"type":"text","text":"{\"ssn\":\"[redacted]\"}"}]}],"systemPrompt":"[redacted]"}}`},
		"completion":        {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{}}`, `{"jsonrpc":"2.0","id":1,"result":{"completion":{"values":["mallory"]}}}`, `{"jsonrpc":"2.0","id":1,"result":{"completion":{"values":[]}}}`},
		"a value as a name": {call, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"m@secret.example":1,"_meta":{"m@secret.example":2}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"[redacted]":1,"_meta":{"[redacted]":2}}}`},
		"an odd name":       {call, `{"jsonrpc":"2.0","method":"x","params":{"ssn":"mallory","n":[1]}}`, `{"jsonrpc":"2.0","method":"x","params":{"ssn":"[redacted]","n":[1]}}`},
		"a resource":        {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x:y"}}`, `{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"x:y","text":"[{\"ssn\":\"mallory\"}]"}]}}`, `{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"x:y","text":"[{\"ssn\":\"[redacted]\"}]"}]}}`},
		"a prompt":          {`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p"}}`, `{"jsonrpc":"2.0","id":1,"result":{"messages":[{"role":"user","content":{"type":"text","text":"mallory"}}]}}`, `{"jsonrpc":"2.0","id":1,"result":{"messages":[{"role":"user","content":{"type":"text","text":"[redacted]"}}]}}`},
		"unasked":           {call, `{"jsonrpc":"2.0","id":"1","result":{"content":[{"type":"text","text":"mallory"}]}}`, string(unasked(`"1"`))},
		"a batch":           {call, `[{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"ssn":1}}},{"jsonrpc":"2.0","method":"a"}]`, `[{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"ssn":0}}},{"jsonrpc":"2.0","method":"a"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			c2, p := NewConversation(Limits{}), plan(t, paths, text)
			ask(t, c2, c.question, Asked{Plan: p})
			got, err := reply(c2, jsonHead, p, c.body, 3, nil)
			if err != nil || got != c.want {
				t.Errorf("%s %v\nwant %s", got, err, c.want)
			}
		})
	}
}

// Messages that two readers could read in two ways, and bodies that are none, do not pass.
func TestBrokenServers(t *testing.T) {
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"content":[]},"result":{"content":[]}}`, `{"jsonrpc":"2.0","id":1,"id":2,"result":{}}`,
		`{"jsonrpc":"2.0","id":1,"Result":{}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"Content":[]}}`, `{"id":1,"result":{}}`,
		`{"jsonrpc":"2.0","id":1,"result":[]}`, `{"jsonrpc":"2.0","id":1,"result":{"content":{}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":["mallory"]}}`,
		`{"jsonrpc":"2.0","id":1.0,"result":{}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a","text":"mallory"}]}}`,
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":{"a":"mallory"}}]}}`, `mallory`, `{"email":"mallory"}`, `{"jsonrpc":"2.0","id":null,"result":{}}`,
		`{"jsonrpc":"2.0","id":1,"result":{}} mallory`, `{"jsonrpc":"2.0","id":1,"method":"x","result":{"a":"mallory"}}`,
	} {
		for _, h := range []content.Head{jsonHead, eventsHead} {
			c, p, in := NewConversation(Limits{}), plan(t, mask.Spec{Name: "j", JSON: []string{"$..email"}}), body
			ask(t, c, call, Asked{Plan: p})
			if h.Type != jsonHead.Type {
				in = "data: " + body + "\n\n"
			}
			if out, err := reply(c, h, p, in, 5, nil); err == nil || strings.Contains(out, "mallory") {
				t.Errorf("%s: %q, %v", body, out, err)
			}
		}
	}
}

// An answer may come on another stream, once.
func TestResumed(t *testing.T) {
	c, p := NewConversation(Limits{}), plan(t, mask.Spec{Name: "j", JSON: []string{"$.ssn"}})
	ask(t, c, call, Asked{Plan: p})
	if err := c.Ask(&Message{Kind: Request, ID: "1", Method: "ping"}, Asked{}); err == nil {
		t.Error("an id is used twice")
	}
	cut, err := reply(c, eventsHead, p, "id: 1\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"res", 4, nil)
	if err != nil || cut != "id: 1\ndata: \n\n" {
		t.Errorf("%q %v", cut, err)
	}
	body := "id: 2\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"structuredContent\":{\"ssn\":\"mallory\"}}}\n\n"
	got, err := reply(c, eventsHead, nil, body, 9, nil)
	if err != nil || !strings.Contains(got, `"ssn":"[redacted]"`) {
		t.Errorf("%q %v", got, err)
	}
	if got, _ = reply(c, eventsHead, nil, body, 9, nil); strings.Contains(got, "mallory") || !strings.Contains(got, "not known here") {
		t.Errorf("the second answer: %q", got)
	}
	c = NewConversation(Limits{Pending: 2})
	for _, id := range []ID{"1", "2", "3"} {
		if err := c.Ask(&Message{Kind: Request, ID: id}, Asked{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := c.answered("1"); ok {
		t.Error("more wait than may")
	}
}

func TestConversations(t *testing.T) {
	c := NewConversations(Limits{})
	first := c.Of("")
	c.Keep("a", first)
	second := c.Of("b")
	if c.Of("a") != first || second == first || c.Of("") == first || c.Of("b") != second {
		t.Error("conversations are mixed up")
	}
	c.Keep("b", first)
	if c.Of("b") == first {
		t.Error("a conversation was taken over")
	}
	if c.End("a"); c.Of("a") == first {
		t.Error("a conversation goes on that was ended")
	}
	mine := c.Of("me/1")
	for i := range 5000 {
		c.Of("other/" + strconv.Itoa(i))
	}
	if c.Of("me/1") != mine || len(c.byOwner["other"]) > maxOwned {
		t.Error("one can push out the conversations of another")
	}
	for i := range 3 * maxOwners {
		c.Of(strconv.Itoa(i) + "/x")
	}
	if len(c.byOwner) > maxOwners+1 || len(c.owners) > 2*maxOwners+1 {
		t.Errorf("%d owners are kept", len(c.byOwner))
	}
	for method, want := range map[string]string{"GET": VerbListen, "DELETE": VerbEnd, "PUT": ""} {
		if a, ok := Transport("s", method); ok != (want != "") || ok && (a.Kind != "mcp" || a.Verbs[0] != want) {
			t.Errorf("%s: %+v", method, a)
		}
	}
}

// Other bodies, such as errors of a proxy, are masked as any content.
func TestOtherBodies(t *testing.T) {
	c, p := NewConversation(Limits{}), plan(t, mask.Spec{Name: "t", Detectors: []string{"email"}})
	for _, h := range []content.Head{{Status: 502, Type: "text/html"}, {Status: 401, Type: "application/json"}, {Status: 200, Type: "text/plain"}} {
		got, err := reply(c, h, p, `["mallory@secret.example"]`, 3, nil)
		if err != nil || got != `["[redacted]"]` {
			t.Errorf("%+v: %q %v", h, got, err)
		}
	}
	if got, err := reply(c, content.Head{Status: 202}, p, "", 1, nil); err != nil || got != "" {
		t.Errorf("%q %v", got, err)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"ssn\":1}"}],"structuredContent":{"ssn":2}}}`,
		`{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"get"},{"name":"x"}]}}`, `{"jsonrpc":"2.0","method":"m","params":{"a":"b@c.example"}}`} {
		f.Add(s, 3, false)
		f.Add("data: "+s+"\n\n", 2, true)
	}
	p := plan(f, mask.Spec{Name: "j", JSON: []string{"$..ssn"}}, mask.Spec{Name: "t", Detectors: []string{"email"}})
	f.Fuzz(func(t *testing.T, body string, piece int, events bool) {
		h := jsonHead
		if events {
			h = eventsHead
		}
		run := func(piece int) (string, error) {
			c := NewConversation(Limits{})
			ask(t, c, `[`+call+`,{"jsonrpc":"2.0","id":2,"method":"tools/list"}]`, Asked{Plan: p, Allow: func(s string) bool { return s == "get" }})
			return reply(c, h, p, body, piece, nil)
		}
		whole, err1 := run(len(body) + 1)
		parts, err2 := run(1 + (piece & 15))
		if (err1 == nil) != (err2 == nil) || err1 == nil && whole != parts {
			t.Fatalf("in pieces it differs: %q %v, %q %v", whole, err1, parts, err2)
		}
		if err1 == nil && !events && whole != "" && !json.Valid([]byte(whole)) {
			t.Fatalf("%q became %q", body, whole)
		}
	})
}
