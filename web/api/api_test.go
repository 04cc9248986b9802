package api

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/internal/record"
)

// TestDecisions: who decides is stated on the socket, proven on the port.
func TestDecisions(t *testing.T) {
	r := newRig(t)
	dana := r.token("dba")
	stated := `{"as":"user:erin@example.com","groups":["dba"],"reason":"fine","digest":"d"}`
	for _, x := range []struct {
		bearer, path, body string
		status             int
	}{
		{"", "approve", stated, 200},
		{"", "approve", `{}`, 400},                              // nobody is stated
		{"", "approve", `{"as":"a b"}`, 400},                    // no subject
		{"", "approve", `{"as":"user:x","nonsense":true}`, 400}, // unknown key
		{dana, "approve", stated, 403},
		{dana, "deny", `{"reason":"no"}`, 200},
		{fixedToken, "approve", "", 403},
	} {
		if status, body := r.call(x.bearer, "POST", "/v1/approvals/hld_1/"+x.path, x.body); status != x.status {
			t.Errorf("%+v: %d %s", x, status, body)
		}
	}
	if len(r.holds.votes) != 2 {
		t.Fatalf("%+v", r.holds.votes)
	}
	a, b := r.holds.votes[0], r.holds.votes[1]
	if a.By.Subject != "user:erin@example.com" || a.By.Method != identity.MethodLocal || a.Via != ViaSocket || !a.Approve || a.Digest != "d" || !strings.HasPrefix(a.By.Issuer, "local:") {
		t.Errorf("%+v", a)
	}
	if b.By.Subject != "user:dana@example.com" || b.By.Method != identity.MethodToken || b.Via != ViaAPI || b.Approve {
		t.Errorf("%+v", b)
	}
	for err, status := range map[error]int{ErrForbidden: 403, ErrConflict: 409, ErrNotFound: 404, errors.New("the disk's secret name"): 500} {
		r.holds.fail = err
		got, body := r.call("", "POST", "/v1/approvals/hld_1/approve", stated)
		if got != status || strings.Contains(body, "disk") {
			t.Errorf("%v: %d %s", err, got, body)
		}
	}
}

func TestTokens(t *testing.T) {
	r := newRig(t)
	status, body := r.call("", "POST", "/v1/tokens", `{"subject":"agent:bot","on_behalf_of":"user:alice@example.com","groups":["g"],"ttl":"10m"}`)
	var made TokenResponse
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != 200 || made.Token == "" || !strings.HasPrefix(made.Issued.By, "local:") {
		t.Fatal(status, body, err)
	}
	if _, list := r.call("", "GET", "/v1/tokens", ""); !strings.Contains(list, made.Issued.Identity.TokenID) || strings.Contains(list, made.Token) {
		t.Error("the list", list)
	}
	for _, bad := range []string{`{`, `{"subject":1}`, `{"subject":"agent:x","ttl":"soon"}`} {
		if status, body := r.call("", "POST", "/v1/tokens", bad); status != 400 {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
	if status, body := r.call("", "POST", "/v1/tokens/revoke", `{"id":"`+made.Issued.Identity.TokenID+`","reason":"test"}`); status != 200 {
		t.Error(status, body)
	}
	if status, _ := r.call("", "POST", "/v1/tokens/revoke", `{}`); status != 400 {
		t.Error(status)
	}
}

// TestFrames: the JSON lines are the frames again.
func TestFrames(t *testing.T) {
	r := newRig(t)
	_, body := r.call("", "GET", "/v1/sessions/"+session+"/frames", "")
	lines := strings.Split(strings.TrimSpace(body), "\n")
	want := frames()
	if len(lines) != len(want) {
		t.Fatal(body)
	}
	for i, line := range lines {
		var f Frame
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		got, err := f.Record()
		if err != nil || got.Kind != want[i].Kind || got.Seq != want[i].Seq || string(got.Payload) != string(want[i].Payload) {
			t.Errorf("%s: %+v %v", line, got, err)
		}
	}
}

// TestStreams: events come as they happen.
func TestStreams(t *testing.T) {
	r := newRig(t)
	read := func(path string) (*bufio.Scanner, func()) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://socket"+path, nil)
		resp, err := r.unix.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return bufio.NewScanner(resp.Body), func() { resp.Body.Close(); cancel() }
	}
	wait := func(s *bufio.Scanner, want string) {
		t.Helper()
		for s.Scan() {
			if strings.Contains(s.Text(), want) {
				return
			}
		}
		t.Fatalf("no %q before the end: %v", want, s.Err())
	}
	s, done := read("/v1/approvals/watch")
	wait(s, `"hld_1"`) // what waits already
	r.holds.watch <- hold.Hold{ID: "hld_2"}
	wait(s, `"hld_2"`)
	done()
	s, done = read("/v1/sessions/" + session + "/tail?history=true")
	wait(s, `"seq":2`)
	r.sessions.more <- record.Frame{Seq: 3, Kind: record.KindNote, Payload: []byte(`{}`)}
	wait(s, `"seq":3`)
	close(r.sessions.more)
	wait(s, "event: end")
	done()
}

func TestSystem(t *testing.T) {
	r := newRig(t)
	if _, body := r.call("", "GET", "/metrics", ""); body != "a 2.5\n" {
		t.Errorf("%q", body)
	}
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/v1/status": 200, "/v1/policy": 200, "/metrics/envoy": 409, "/nowhere": 404, "/v1/sessions/none": 404,
		"/v1/sessions?limit=x": 400, "/v1/sessions?since=x": 400, "/v1/sessions?verdict=x": 400, "/v1/sessions?cursor=x": 400, "/v1/approvals?state=x": 400} {
		if got, body := r.call("", "GET", path, ""); got != status || !strings.HasPrefix(body, "{") {
			t.Errorf("%s: %d %s", path, got, body)
		}
	}
}

// TestOpenAPI: the description has every route and no other, with a summary, and its references resolve.
func TestOpenAPI(t *testing.T) {
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID, Summary string }
		Components struct{ Schemas, Responses map[string]any }
	}
	if err := json.Unmarshal(openapi, &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatal(err)
	}
	described := map[string]bool{}
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for m, o := range methods {
			described[strings.ToUpper(m)+" "+path] = true
			if o.Summary == "" || o.OperationID == "" || ids[o.OperationID] {
				t.Errorf("%s %s: no summary, or its operationId %q is not its own", m, path, o.OperationID)
			}
			ids[o.OperationID] = true
		}
	}
	for _, route := range (&handler{}).routes() {
		if !described[route.Pattern] {
			t.Errorf("%s is not described", route.Pattern)
		}
		delete(described, route.Pattern)
	}
	for p := range described {
		t.Errorf("%s is described and not served", p)
	}
	for _, ref := range strings.Split(string(openapi), `"$ref": "#/components/`)[1:] {
		kind, rest, _ := strings.Cut(ref, "/")
		name, _, _ := strings.Cut(rest, `"`)
		if _, ok := map[string]map[string]any{"schemas": doc.Components.Schemas, "responses": doc.Components.Responses}[kind][name]; !ok {
			t.Errorf("%s/%s is not there", kind, name)
		}
	}
}

// TestTooManyGuesses: who tries tokens is told to stop, and one that is good is taken all the same.
func TestTooManyGuesses(t *testing.T) {
	h := New(Backend{System: fakeSystem{}, Log: slog.New(slog.DiscardHandler), Lockout: lockout.New(lockout.Config{Burst: 2, Refill: time.Hour, MaxStall: time.Millisecond}, time.Now)},
		Bearer{Fixed: []Fixed{{SHA256: sha256.Sum256([]byte("good")), Identity: identity.New("user:a"), Roles: []Role{Reader}}}})
	try := func(bearer string) *httptest.ResponseRecorder {
		req, w := httptest.NewRequest("GET", "/v1/status", nil), httptest.NewRecorder()
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		h.ServeHTTP(w, req)
		return w
	}
	for i, want := range []int{401, 401, 429, 429} {
		if w := try(fmt.Sprint("guess", i)); w.Code != want || want == 429 && (w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "too_many_attempts")) {
			t.Errorf("guess %d: %d %s", i, w.Code, w.Body)
		}
	}
	if w := try("good"); w.Code != 200 {
		t.Errorf("a good token: %d %s", w.Code, w.Body)
	}
	w := try("")
	if w.Code != 401 {
		t.Errorf("no token: %d", w.Code)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}
