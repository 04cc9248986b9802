package page

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
)

const (
	webID   = "ses_01J00000000000000000000003" // of HTTP
	kubeID  = "ses_01J00000000000000000000004" // of Kubernetes
	tableID = "ses_01J00000000000000000000005" // of PostgreSQL, with values of all sorts
)

// story makes frames of exchanges, one action after the other.
type story struct {
	list    []record.Frame
	ordinal uint64
}

func newStory(protocol string) *story {
	s := &story{}
	s.add(record.KindOpen, payload(record.Open{Target: policy.Target{Name: "api", Protocol: protocol}, Identity: identity.New("user:alice", "agent:bot")}))
	return s
}

func (s *story) add(kind record.Kind, b []byte) {
	n := len(s.list)
	s.list = append(s.list, record.Frame{Seq: uint64(n), Time: time.Unix(1_700_000_000+int64(n), 0).UTC(), Kind: kind, Action: s.ordinal, Payload: b})
}

func (s *story) act(a action.Action, masks ...mask.Spec) {
	s.ordinal++
	s.add(record.KindAction, payload(record.ActionPayload{Action: a, Decision: policy.Decision{Verdict: policy.Allow, Rule: "r", Mask: masks}}))
}

func each(list ...string) func(func(string, string)) {
	return func(yield func(string, string)) {
		for i := 0; i+1 < len(list); i += 2 {
			yield(list[i], list[i+1])
		}
	}
}

// exchange is a request and its answer, with bodies.
func (s *story) exchange(start, asked, status, answered string, fields ...string) {
	s.add(record.KindRequest, exchange.AppendHead(nil, start, each("host", "api", "authorization", exchange.Hidden, "x-note", hostile)))
	if asked != "" {
		s.add(record.KindRequest, exchange.AppendBody(nil, []byte(asked)))
	}
	s.add(record.KindResponse, exchange.AppendHead(nil, status, each(fields...)))
	for i := 0; i < len(answered); i += 100_000 {
		s.add(record.KindResponse, exchange.AppendBody(nil, []byte(answered[i:min(len(answered), i+100_000)])))
	}
}

func (s *story) result(r record.Result) { s.add(record.KindResult, payload(r)) }

// long is a body that is shown in pieces.
var long = strings.Repeat("0123456789abcdef", 10_000) + "the end"

func webFrames() *frames {
	s := newStory("http")
	s.act(action.Action{Kind: action.KindHTTP, Text: "GET /customers"}, mask.Spec{Name: "m", JSON: []string{"$.iban"}})
	s.exchange("GET /customers HTTP/1.1", "", "HTTP/1.1 200 OK", `{"name":"`+strings.ReplaceAll(hostileText, `"`, `\"`)+`","iban":"[redacted]","n":1.50}`, "content-type", "application/json")
	s.add(record.KindResponse, exchange.AppendTrailers(nil, each("x-checked", "yes")))
	s.result(record.Result{Status: "ok", Code: "200", Masked: 1})
	s.act(action.Action{Kind: action.KindHTTP, Text: "GET /long"})
	s.exchange("GET /long HTTP/1.1", "", "HTTP/1.1 200 OK", long, "content-type", "text/plain")
	s.add(record.KindResponse, exchange.AppendCut(nil, exchange.Cut{Bytes: 9_000_000, Recorded: int64(len(long)), SHA256: "5e1f"}))
	s.result(record.Result{Status: "ok", Code: "200"})
	s.act(action.Action{Kind: action.KindHTTP, Text: "GET /events"})
	s.exchange("GET /events HTTP/1.1", "", "HTTP/1.1 200 OK", "event: tick\ndata: {\"n\":1}\n\nevent: tick\ndata: "+strings.ReplaceAll(hostile, "\n", "")+"\n\n", "content-type", "text/event-stream")
	s.act(action.Action{Kind: action.KindHTTP, Text: "GET /socket"})
	s.add(record.KindRequest, exchange.AppendHead(nil, "GET /socket HTTP/1.1", each("upgrade", "websocket")))
	s.add(record.KindResponse, exchange.AppendHead(nil, "HTTP/1.1 101 Switching Protocols", each("upgrade", "websocket")))
	s.add(record.KindRequest, exchange.AppendBody(nil, []byte("\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e")))
	s.add(record.KindResponse, exchange.AppendBody(nil, []byte("\x81\x06<b>hi!")))
	s.act(action.Action{Kind: action.KindMCPTool, Text: "tools/call read_file"})
	s.exchange("POST /mcp HTTP/1.1", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/etc/motd"}}}`, "HTTP/1.1 200 OK",
		"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"good day\"}]}}\n\n", "content-type", "text/event-stream")
	s.act(action.Action{Kind: action.KindHTTP, Text: "POST /shop.Orders/Place"})
	s.exchange("POST /shop.Orders/Place HTTP/2", "\x00\x00\x00\x00\x07\x0a\x05apple", "HTTP/2 200 OK", "\x00\x00\x00\x00\x02\x08\x2a", "content-type", "application/grpc")
	s.add(record.KindResponse, exchange.AppendTrailers(nil, each("grpc-status", "0")))
	return &frames{s.list}
}

// hostileText is hostile as JSON can have it.
var hostileText = strings.ReplaceAll(hostile, "\x1b", `\u001b`)

func kubeFrames() *frames {
	s := newStory("kubernetes")
	s.act(action.Action{Kind: action.KindKube, Text: "GET /api/v1/namespaces/dev/secrets/db?timeout=5s"}, mask.Spec{Name: "m", JSON: []string{"$.data.*"}, Way: mask.WayBase64})
	s.add(record.KindRequest, exchange.AppendHead(nil, "GET /api/v1/namespaces/dev/secrets/db HTTP/2", each("impersonate-user", "agent:bot", "impersonate-extra-chain", hostile)))
	s.add(record.KindResponse, exchange.AppendHead(nil, "HTTP/2 200 OK", each("content-type", "application/json")))
	s.add(record.KindResponse, exchange.AppendBody(nil, []byte(`{"kind":"Secret","metadata":{"name":"db","namespace":"dev"},"data":{"password":"W3JlZGFjdGVkXQ=="}}`)))
	s.result(record.Result{Status: "ok", Code: "200", Masked: 1})
	s.act(action.Action{Kind: action.KindKube, Text: "GET /apis/apps/v1/deployments?watch=true"})
	s.exchange("GET /apis/apps/v1/deployments?watch=true HTTP/2", "", "HTTP/2 200 OK",
		`{"type":"ADDED","object":{"kind":"Deployment","metadata":{"namespace":"dev","name":"web"}}}`+"\n"+`{"type":"DELETED","object":{"kind":"Deployment","metadata":{"namespace":"dev","name":"old"}}}`+"\n", "content-type", "application/json")
	return &frames{s.list}
}

func tableFrames() *frames {
	s := newStory("postgres")
	s.act(action.Action{Kind: action.KindSQL, Text: "SELECT"}, mask.Spec{Name: "m", Columns: []string{"c.ssn"}}, mask.Spec{Name: "d", Detectors: []string{"email"}, Way: mask.WayPartial})
	row := func(v ...[]byte) *pgproto3.DataRow { return &pgproto3.DataRow{Values: v} }
	s.add(record.KindResponse, wire(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("ssn"), DataTypeOID: 23}, {Name: []byte("v"), DataTypeOID: 25}, {Name: []byte("raw"), DataTypeOID: 17, Format: 1}}},
		row([]byte("0"), nil, []byte{0, 1, 0xff}), row(nil, []byte{}, nil), row([]byte("0"), []byte("NULL"), nil), row([]byte("0"), []byte(hostile+"\u2066\x00tab\t"), nil),
		row([]byte("0"), []byte("a***@example.com"), nil), row([]byte("0"), []byte(strings.Repeat("x", 100_000)), nil),
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 6")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	s.result(record.Result{Status: "ok", Rows: 6, Masked: 6, MaskedColumns: "1"})
	return &frames{s.list}
}

// moreFrames are the sessions of this file.
func moreFrames(id string) (api.Frames, bool) {
	switch id {
	case webID:
		return webFrames(), true
	case kubeID:
		return kubeFrames(), true
	case tableID:
		return tableFrames(), true
	}
	_, given, ok := verifiable(id)
	if id == brokenID {
		return &brokenFrames{frames{given}}, true
	}
	return &frames{given}, ok
}

// TestExchanges: each kind of exchange is shown as it was, and what is hostile in it is text.
func TestExchanges(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Reader)
	for p, want := range map[string][]string{
		webID + "/actions/1": {"GET /customers HTTP/1.1", "[hidden]", `<mark title="masked">&#34;[redacted]&#34;</mark>`, `<span class="h-name">&#34;n&#34;</span>: <span class="h-number">1.50</span>`, "x-checked", "1 values masked", "Exact text", `\u001b[2J\u202e`, "&lt;script&gt;alert(1)"},
		webID + "/actions/2": {"truncated in the record: 160007 of 9000000 bytes", "<code>5e1f</code>", "body?side=response&amp;from=65536"},
		webID + "/actions/3": {"<summary>event: tick</summary>", `<span class="h-name">&#34;n&#34;</span>: <span class="h-number">1</span>`, "&lt;script&gt;alert(1)"},
		webID + "/actions/4": {"agent → target", "text, 5 bytes", "hello", "target → agent", "&lt;b&gt;hi!"},
		webID + "/actions/5": {"Tool <code>read_file</code>", "/etc/motd", "good day"},
		webID + "/actions/6": {"POST /shop.Orders/Place", "message 1, 2 bytes", "1: 42", "grpc-status"},
		kubeID + "/actions/1": {"<strong>get</strong> <code>secrets</code>", "core/v1", "<code>dev</code> / <code>db</code>", "impersonate-user", "agent:bot", "The object as YAML", "password: W3JlZGFjdGVkXQ==",
			`<mark title="masked">&#34;W3JlZGFjdGVkXQ==&#34;</mark>`, "<code>200</code>", "&amp;target=api&amp;text=exec"},
		kubeID + "/actions/2":  {"<strong>watch</strong> <code>deployments</code>", "apps/v1", "1 ADDED Deployment dev/web", "2 DELETED Deployment dev/old"},
		tableID + "/actions/1": {"ssn <mark>masked</mark>", `<td class="masked"><mark title="masked">0</mark></td>`, "<td><i>NULL</i></td>", "<td><i>empty</i></td>", "<td>NULL</td>", `\u2066\x00tab`, `<mark title="masked">a***@example.com</mark>`, "100000 bytes in all", `\x0001ff`},
	} {
		res, body := r.get(c, "/sessions/"+p)
		for _, w := range want {
			if res.StatusCode != 200 || !strings.Contains(body, w) {
				t.Errorf("%s: %s; it has no %q:\n%s", p, res.Status, w, body)
			}
		}
		for _, bad := range []string{"<script>alert", "<img src=x", "\x1b", "\u202e", "\u2066", "<b>hi"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", p, bad)
			}
		}
	}
}

// TestBodies: a long body comes in pieces, which are all of it, and as it is; reading them is recorded.
func TestBodies(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Reader)
	all := ""
	for next := int64(0); ; {
		res, body := r.get(c, fmt.Sprintf("/sessions/%s/actions/2/body?side=response&from=%d", webID, next))
		if res.StatusCode != 200 {
			t.Fatal(res.Status)
		}
		text, _, _ := strings.Cut(strings.TrimPrefix(body, `<pre tabindex="0">`), "</pre>")
		all += text
		if !strings.Contains(body, "data-more") {
			break
		}
		next += maxPiece
	}
	if all != long {
		t.Errorf("the pieces have %d bytes, the body %d", len(all), len(long))
	}
	res, body := r.get(c, "/sessions/"+webID+"/actions/2/exact?side=response")
	if sha256.Sum256([]byte(body)) != sha256.Sum256([]byte(long)) || res.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("exact: %d bytes, %v", len(body), res.Header)
	}
	if n := len(r.back.reads); n != 4 || r.back.reads[0].Way != "replay" || r.back.reads[3].Way != "export" {
		t.Errorf("recorded %+v", r.back.reads)
	}
	for _, bad := range []string{"/actions/2/body", "/actions/2/body?side=both", "/actions/x/exact?side=response", "/actions/2/body?side=response&from=-1"} {
		if res, _ := r.get(c, "/sessions/"+webID+bad); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", bad, res.Status)
		}
	}
}

// TestEveryReadOfARecordIsRecorded: of all routes, those that give anything of a session record that, before they do; when it cannot
// be recorded they give nothing. A route that is new and gives something is found here.
func TestEveryReadOfARecordIsRecorded(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Admin)
	for _, route := range (&server{}).routes() {
		method, p := path(route.Pattern)
		if method != "GET" || !strings.HasPrefix(p, "/sessions") {
			continue
		}
		for _, id := range []string{sessionID, terminalID, desktopID, webID} {
			p := strings.Replace(p, sessionID, id, 1)
			before := len(r.back.reads)
			res, _ := r.get(c, p)
			if n := len(r.back.reads) - before; n != 1 {
				t.Errorf("%s: %s, and %d reads are recorded", p, res.Status, n)
			}
			r.back.full = true
			if res, body := r.get(c, p); res.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "alert(1)") || strings.Contains(body, "png") {
				t.Errorf("%s is given though it cannot be recorded: %s", p, res.Status)
			}
			r.back.full = false
		}
	}
}
