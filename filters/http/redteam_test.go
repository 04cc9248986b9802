package http

import (
	"slices"
	"strings"
	"testing"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters/http/binding"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
)

// mcpTarget masks what one tool gives.
func mcpTarget(t *testing.T) *target { return mcpTargetOf(t, &fakeAuthz{}) }

func mcpTargetOf(t *testing.T, authz *fakeAuthz) *target {
	bundle, err := policy.Source{
		Rules: []policy.Rule{{Name: "may", Verdict: "allow", When: policy.When{Groups: []string{"agents"}, Kinds: []string{"mcp", "mcp.tool", "http"}}}},
		Masks: []policy.MaskRule{{Name: "m", JSON: []string{"$..ssn"}, Tools: []string{"get"}}, {Name: "h", Detectors: []string{"email"}, Paths: []string{"/x"}}},
	}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	return newTarget(t, authz, func(c *nodeconfig.HTTP) { c.MCP, c.Policy = []string{"/mcp"}, bundle })
}

// named1 is how the identity of the tests knows the session "s" and the event "7".
var named1 = func() named {
	who := identityOf()
	b, _ := binding.New(maskKey, append([]string{"t", who.Issuer, who.Subject}, who.Actors...)...)
	return named{b.Bind(binding.Session, "s"), b.Bind(binding.Event, "7")}
}()

// pass sends a request, which must pass.
func pass(t *testing.T, tg *target, head *fakeMap, body string) *stream {
	t.Helper()
	h := newHost()
	s := tg.NewStream(h).(*stream)
	if s.DecodeHeaders(head, body == "") == api.Continue {
		return s
	}
	if body != "" && s.phase != opening && s.DecodeData(&fakeBody{b: []byte(body)}, true) == api.Continue {
		return s
	}
	if s.phase == opening {
		if body != "" {
			s.DecodeData(&fakeBody{b: []byte(body)}, true)
		}
		h.take(t)
	}
	if s.phase != passing {
		t.Fatalf("%s: %v", body, h.replies)
	}
	return s
}

func mcpHead(method, token string, more ...[2]string) *fakeMap {
	m := getHead("/mcp", token, more...)
	m.Set(":method", method)
	if method == "POST" {
		m.Add("content-type", "application/json")
		m.Add("transfer-encoding", "chunked")
	}
	return m
}

// answer is what comes back of it.
func answer(t *testing.T, s *stream, body string) string {
	t.Helper()
	head := &fakeMap{list: [][2]string{{":status", "200"}, {"content-type", "text/event-stream"}}}
	s.EncodeHeaders(head, false)
	b := &fakeBody{b: []byte("data: " + body + "\n\n")}
	s.EncodeData(b, true)
	return string(b.b)
}

const (
	mcpCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get"}}`
	mcpPing = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
	mcpLog  = `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"ssn":"mallory"}}}`
)

// Masks of one tool hold for all that may belong to a call of it: in a batch, on a stream that is resumed, in the answer to an answer.
func TestMasksOfAToolHoldForItsStreams(t *testing.T) {
	tg := mcpTarget(t)
	id := [2]string{sessionField, named1.session}
	for _, batch := range []string{"[" + mcpPing + "," + mcpCall + "]", "[" + mcpCall + "," + mcpPing + "]"} {
		if got := answer(t, pass(t, tg, mcpHead("POST", "x"), batch), mcpLog); strings.Contains(got, "mallory") || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s: %s", batch, got)
		}
	}
	if got := answer(t, pass(t, tg, mcpHead("GET", "x", id), ""), mcpLog); !strings.Contains(got, "mallory") {
		t.Errorf("nothing was called, and %s", got)
	}
	pass(t, tg, mcpHead("POST", "x", id), mcpCall)
	if got := answer(t, pass(t, tg, mcpHead("GET", "x", id, [2]string{eventField, named1.event}), ""), mcpLog); strings.Contains(got, "mallory") {
		t.Errorf("resumed: %s", got)
	}
	if got := answer(t, pass(t, tg, mcpHead("POST", "x", id), `{"jsonrpc":"2.0","id":9,"result":{}}`), mcpLog); strings.Contains(got, "mallory") {
		t.Errorf("the answer to an answer: %s", got)
	}
}

// One who reaches an MCP session with two credentials cannot have the answer to one question taken for that to another.
func TestOneConversationOfAnIdentity(t *testing.T) {
	tg := mcpTarget(t)
	id := [2]string{sessionField, named1.session}
	pass(t, tg, mcpHead("POST", "x", id), mcpCall)
	h := newHost()
	s := tg.NewStream(h).(*stream)
	s.DecodeHeaders(mcpHead("POST", "y", id), false)
	s.DecodeData(&fakeBody{b: []byte(strings.Replace(mcpPing, `"id":2`, `"id":1`, 1))}, true)
	if s.phase == opening {
		h.take(t)
	}
	if s.phase != refused || !strings.Contains(strings.Join(h.replies, ""), "still waits") {
		t.Errorf("%d %v", s.phase, h.replies)
	}
	got := answer(t, pass(t, tg, mcpHead("GET", "y", id), ""), `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"ssn":"mallory"}}}`)
	if strings.Contains(got, "mallory") || !strings.Contains(got, "[redacted]") {
		t.Error(got)
	}
}

// Digests in trailers are of what is not shown.
func TestDigestsInTrailers(t *testing.T) {
	tg := mcpTarget(t)
	s := pass(t, tg, getHead("/x", "x"), "")
	s.EncodeHeaders(&fakeMap{list: [][2]string{{":status", "200"}, {"content-type", "text/plain"}}}, false)
	s.EncodeData(&fakeBody{b: []byte("m@secret.example")}, false)
	trailers := &fakeTrailers{fakeMap{list: [][2]string{{"content-digest", "sha-256=:x:"}, {"repr-digest", "y"}, {"x-mail", "m@secret.example"}, {"x-a", "b"}}}}
	s.EncodeTrailers(trailers)
	if want := [][2]string{{"x-a", "b"}, {"x-mail", "[redacted]"}}; len(trailers.list) != 2 || !slices.Contains(trailers.list, want[0]) || !slices.Contains(trailers.list, want[1]) {
		t.Error(trailers.list)
	}
}

type fakeTrailers struct{ fakeMap }
