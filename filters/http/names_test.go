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

// begin sends a request's head and waits until it is decided.
func begin(t *testing.T, tg *target, head *fakeMap, body string) (*stream, *fakeHost) {
	t.Helper()
	h := newHost()
	s := tg.NewStream(h).(*stream)
	s.DecodeHeaders(head, body == "")
	if body != "" {
		s.DecodeData(&fakeBody{b: []byte(body)}, true)
	}
	for s.phase == opening {
		h.take(t)
	}
	return s, h
}

// TestNamesOfAnother: the id of an MCP session or event is good in the mouth of the identity that it was given to, and
// with nothing changed.
func TestNamesOfAnother(t *testing.T) {
	good := mcpHead("POST", "x", [2]string{sessionField, named1.session})
	if s := pass(t, mcpTarget(t), good, mcpPing); good.raw(sessionField) != "s" || s.rpc == nil {
		t.Error(good.list)
	}
	resumed := mcpHead("GET", "x", [2]string{sessionField, named1.session}, [2]string{eventField, named1.event})
	if pass(t, mcpTarget(t), resumed, ""); resumed.raw(sessionField) != "s" || resumed.raw(eventField) != "7" {
		t.Error(resumed.list)
	}
	whole := [2]string{sessionField, named1.session}
	for name, c := range map[string]struct {
		as     []string
		method string
		path   string
		fields [][2]string
	}{
		"another subject":          {[]string{"user:z", "agent:b"}, "POST", "/mcp", [][2]string{whole}},
		"another actor":            {[]string{"user:a", "agent:c"}, "POST", "/mcp", [][2]string{whole}},
		"no actor":                 {[]string{"user:a"}, "POST", "/mcp", [][2]string{whole}},
		"another hears the stream": {[]string{"user:z"}, "GET", "/mcp", [][2]string{whole}},
		"another ends it":          {[]string{"user:z"}, "DELETE", "/mcp", [][2]string{whole}},
		"by another path":          {[]string{"user:z"}, "GET", "/mcp/", [][2]string{whole}},
		"another resumes":          {[]string{"user:z"}, "GET", "/mcp", [][2]string{{eventField, named1.event}}},
		"raw":                      {nil, "POST", "/mcp", [][2]string{{sessionField, "s"}}},
		"raw by another path":      {nil, "GET", "/x", [][2]string{{sessionField, "s"}}},
		"empty":                    {nil, "POST", "/mcp", [][2]string{{sessionField, ""}}},
		"raw event":                {nil, "GET", "/mcp", [][2]string{whole, {eventField, "7"}}},
		"event as a session":       {nil, "GET", "/mcp", [][2]string{{sessionField, named1.event}}},
		"session as an event":      {nil, "GET", "/mcp", [][2]string{whole, {eventField, named1.session}}},
		"longer":                   {nil, "POST", "/mcp", [][2]string{{sessionField, named1.session + "A"}}},
		"another id":               {nil, "POST", "/mcp", [][2]string{{sessionField, "t" + named1.session[1:]}}},
	} {
		tg := mcpTargetOf(t, &fakeAuthz{as: c.as})
		head := mcpHead(c.method, "x", c.fields...)
		head.Set(":path", c.path)
		body := ""
		if c.method == "POST" {
			body = mcpPing
		}
		if s, h := begin(t, tg, head, body); s.phase != refused || len(h.codes) != 1 || h.codes[0] != 404 || h.continued > 0 {
			t.Errorf("%s: %d %v %v", name, s.phase, h.codes, h.replies)
		}
	}
}

// TestNamesGiven: what the client is told is bound, and the same each time; several names are none.
func TestNamesGiven(t *testing.T) {
	tg := mcpTarget(t)
	for _, c := range []struct {
		ids  [][2]string
		want string
	}{{[][2]string{{sessionField, "s"}}, named1.session}, {nil, ""}, {[][2]string{{sessionField, ""}}, ""}, {[][2]string{{sessionField, "s"}, {sessionField, "t"}}, ""}} {
		s := pass(t, tg, mcpHead("POST", "x"), mcpPing)
		head := &fakeMap{list: append([][2]string{{":status", "200"}, {"content-type", "text/event-stream"}}, c.ids...)}
		s.EncodeHeaders(head, false)
		if got := head.raw(sessionField); got != c.want {
			t.Errorf("%v became %q", c.ids, got)
		}
		b := &fakeBody{b: []byte("id: 7\ndata:\n\nid:\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n")}
		s.EncodeData(b, true)
		if !strings.Contains(string(b.b), "id: "+named1.event+"\n") || !strings.Contains(string(b.b), "id: \n") || strings.Contains(string(b.b), "id: 7\n") {
			t.Errorf("%s", b.b)
		}
	}
	// In trailers no name reaches the server, which may take them for its head's.
	h := newHost()
	s := tg.NewStream(h).(*stream)
	s.DecodeHeaders(mcpHead("POST", "x"), false)
	s.DecodeData(&fakeBody{b: []byte(mcpPing)}, false)
	trailers := &fakeTrailers{fakeMap{list: [][2]string{{sessionField, "s"}, {"a", "b"}, {eventField, "7"}}}}
	if st := s.DecodeTrailers(trailers); st != api.Continue || len(trailers.list) != 1 {
		t.Error(st, trailers.list)
	}
}

// tagTarget masks all addresses.
func tagTarget(t *testing.T, authz *fakeAuthz) *target {
	bundle, err := policy.Source{
		Rules: []policy.Rule{{Name: "may", Verdict: "allow", When: policy.When{Groups: []string{"agents"}, Kinds: []string{"http"}}}},
		Masks: []policy.MaskRule{{Name: "m", JSON: []string{"$..ssn"}, Paths: []string{"/x", "/y"}}},
	}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	return newTarget(t, authz, func(c *nodeconfig.HTTP) { c.Policy = bundle })
}

// tagOf is the entity tag that comes with what is at the path.
func tagOf(t *testing.T, tg *target, method, path, tag string) string {
	t.Helper()
	head := getHead(path, "x")
	head.Set(":method", method)
	s, h := begin(t, tg, head, "")
	if s.phase != passing {
		t.Fatal(h.replies)
	}
	res := &fakeMap{list: [][2]string{{":status", "200"}, {"content-type", "application/json"}, {"etag", tag}}}
	s.EncodeHeaders(res, false)
	return res.raw("etag")
}

// TestEntityTags: no tag tells a guess from the truth: none is shown as the target made it, and none but those that were given
// out for the same place to the same identity are ever compared.
func TestEntityTags(t *testing.T) {
	tg := tagTarget(t, &fakeAuthz{})
	const tag = `"1a"`
	mine := tagOf(t, tg, "GET", "/x", tag)
	if !strings.HasPrefix(mine, `W/"dgm.`) || tagOf(t, tg, "HEAD", "/x", tag) != mine || tagOf(t, tg, "GET", "/x", `"1b"`) == mine {
		t.Fatal(mine)
	}
	if got := tagOf(t, tg, "GET", "/open", tag); got != tag { // nothing is masked there
		t.Error(got)
	}
	if got := tagOf(t, tg, "POST", "/x", tag); got != "" { // it may be of what was sent
		t.Error(got)
	}
	other, theirs := tagOf(t, tg, "GET", "/y", tag), tagOf(t, tagTarget(t, &fakeAuthz{as: []string{"user:z"}}), "GET", "/x", tag)
	for _, c := range []struct {
		method, field, value string
		want                 string // what the target is asked; "412": refused
	}{
		{"GET", "if-none-match", mine, tag}, {"GET", "if-none-match", mine[2:], tag}, {"PUT", "if-match", mine, tag},
		{"PUT", "if-match", `"z", ` + mine, tag}, {"GET", "if-none-match", mine + ", " + tag, tag}, {"PUT", "if-match", "*", "*"}, {"PUT", "if-none-match", "*", "*"},
		// A guess.
		{"GET", "if-none-match", tag, ""}, {"GET", "if-none-match", "W/" + tag, ""}, {"HEAD", "if-none-match", `"0", "1", ` + tag, ""}, {"GET", "if-match", tag, "412"},
		{"PUT", "if-match", tag, "412"}, {"DELETE", "if-match", "W/" + tag, "412"}, {"PUT", "if-none-match", tag, "412"}, {"POST", "if-none-match", mine + "," + tag, "412"},
		{"GET", "if-none-match", "1a", ""}, {"GET", "if-match", `"1a`, "412"}, {"GET", "if-none-match", `*, ` + tag, ""},
		// The tag of a document of one's own, or of another one's.
		{"GET", "if-none-match", other, ""}, {"GET", "if-match", other, "412"}, {"GET", "if-none-match", theirs, ""}, {"PUT", "if-match", theirs, "412"},
		// Other services' conditions.
		{"PROPFIND", "if", `(["1a"])`, "412"}, {"PUT", "x-amz-copy-source-if-match", tag, "412"}, {"PUT", "x-amz-copy-source-if-none-match", tag, "412"},
	} {
		head := getHead("/x", "x", [2]string{c.field, c.value})
		head.Set(":method", c.method)
		s, h := begin(t, tg, head, "")
		if c.want == "412" {
			if s.phase != refused || !slices.Equal(h.codes, []int{412}) {
				t.Errorf("%s %s: %s: %v %v", c.method, c.field, c.value, h.codes, head.list)
			}
			continue
		}
		if got := head.raw(c.field); got != c.want || s.phase != passing {
			t.Errorf("%s %s: %s is asked as %q %v", c.method, c.field, c.value, got, h.replies)
		}
		if record := string(s.requestHead()); c.want == tag && (strings.Contains(record, tag) != strings.Contains(c.value, tag) || !strings.Contains(record, "dgm.")) {
			t.Errorf("the record has the target's tag: %s", record)
		}
	}
	// Two fields of a name are one list.
	head := getHead("/x", "x", [2]string{"if-none-match", `"1a"`}, [2]string{"if-none-match", mine})
	if begin(t, tg, head, ""); len(slices.DeleteFunc(slices.Clone(head.list), func(f [2]string) bool { return f[0] != "if-none-match" || f[1] != tag })) != 1 || strings.Count(head.raw("if-none-match"), "1a") != 1 {
		t.Error(head.list)
	}
	// Where nothing is masked nothing changes.
	head = getHead("/open", "x", [2]string{"if-none-match", tag})
	if begin(t, tg, head, ""); head.raw("if-none-match") != tag {
		t.Error(head.list)
	}
}

// Without a key there are no names at all.
func TestNamesNeedAKey(t *testing.T) {
	s := stream{sh: &shared{}}
	if _, ok := s.sh.names.Unbind(binding.Session, named1.session); ok || s.sh.names.Seal("/", `"a"`) != "" || len(s.bindEvent([]byte("7"))) != 0 {
		t.Error("names without a key")
	}
}
