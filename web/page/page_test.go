package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/internal/translog"
	"dragoman.dev/dragoman/web/api"
)

// hostile is what an agent or a target may want to have in a page.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[2J\u202e"

// held is a statement that wants to look like another.
const held = "\nDELETE FROM t -- " + hostile + "\n  WHERE a = '&amp;<b>' AND us\u0435r = 'x\u200b' /* \u2066 */\u00a0AND b > 1"

const (
	sessionID  = "ses_01J00000000000000000000000"
	terminalID = "ses_01J00000000000000000000001" // of SSH
	desktopID  = "ses_01J00000000000000000000002" // of RDP
)

// desktopFrames are a desktop of 64 by 64 that is red, and a minute later blue; something hostile is typed meanwhile.
func desktopFrames() *frames {
	at := time.Unix(1_700_000_000, 0)
	picture := func(r, b byte) []byte {
		pix := bytes.Repeat([]byte{b, 0, r, 0}, 64*64)
		return rdpwire.AppendUpdate(nil, rdpwire.Update{Code: rdpwire.UpdateBitmap,
			Data: rdpwire.AppendBitmap(nil, rdpwire.Rect{Right: 63, Bottom: 63, Width: 64, Height: 64, Depth: 32, Data: pix})})
	}
	demand := rdpwire.AppendShare(nil, rdpwire.Share{Kind: rdpwire.ShareDemandActive, Body: rdpwire.AppendDemandActive(nil, rdpwire.Active{ShareID: 1, Sets: rdpwire.ServerSets(64, 64, 32)})})
	size := rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendIndicate, User: 1002, Channel: 1003, Data: demand}))
	keys := rdpwire.AppendFastInput(nil, []rdpwire.Input{{Kind: rdpwire.InputKey, Code: 0x26}, {Kind: rdpwire.InputKey, Code: 0x1f}})
	frame := func(s int, kind record.Kind, payload []byte) record.Frame {
		return record.Frame{Time: at.Add(time.Duration(s) * time.Second), Kind: kind, Action: 1, Payload: payload}
	}
	open := payload(record.Open{Target: policy.Target{Name: "desk", Protocol: "rdp"}})
	return &frames{[]record.Frame{frame(0, record.KindOpen, open), frame(1, record.KindResponse, size), frame(1, record.KindResponse, picture(255, 0)),
		frame(2, record.KindRequest, keys), frame(60, record.KindResponse, picture(0, 255))}}
}

// terminalFrames are a terminal that shows something at its beginning and, after a minute, at its end.
func terminalFrames() *frames {
	at := time.Unix(1_700_000_000, 0)
	frame := func(s int, kind record.Kind, payload []byte) record.Frame {
		return record.Frame{Time: at.Add(time.Duration(s) * time.Second), Kind: kind, Payload: payload}
	}
	pty := ssh.Marshal(struct {
		Term       string
		C, R, W, H uint32
		Modes      string
	}{"xterm", 80, 24, 0, 0, "\x00"})
	return &frames{[]record.Frame{frame(1, record.KindRequest, sshwire.AppendRequest(nil, 2, "pty-req", pty)),
		frame(1, record.KindResponse, sshwire.AppendData(nil, 2, []byte("the first words\r\n"))),
		frame(60, record.KindResponse, sshwire.AppendData(nil, 2, []byte(hostile+" the last words")))}}
}

// backend is one session with hostile values, and one hold.
type backend struct {
	mu              sync.Mutex
	reads           []access.Read
	votes           []api.Vote
	ended           []string
	revoked         []string
	minted          []token.MintRequest
	subjects, tried []string
	release         chan struct{} // ends backtests
	full            bool          // the access log cannot be written
}

func chain() identity.Identity { return identity.New("user:"+hostile, "agent:bot") }

func (b *backend) List(context.Context, audit.Filter) (audit.Page, error) {
	s, _ := b.Get(context.Background(), sessionID)
	return audit.Page{Sessions: []audit.Session{s}, Next: "1:ses_1"}, nil
}

func (b *backend) Get(_ context.Context, id string) (audit.Session, error) {
	if _, more := moreFrames(id); !more && id != sessionID && id != terminalID && id != desktopID {
		return audit.Session{}, fmt.Errorf("%w: no such session", api.ErrNotFound)
	}
	return audit.Session{ID: id, Target: hostile, Actors: chain().Actors, Groups: []string{hostile}, Client: hostile, Application: hostile,
		Live: true, Actions: 1, Blocked: 1}, nil
}

func (b *backend) Actions(context.Context, string, uint64, int) ([]audit.Action, error) {
	return []audit.Action{{Session: sessionID, Ordinal: 1, Verdict: "allow", Rule: hostile, Text: hostile, Status: "ok", Rows: 1, DecidedBy: []string{hostile}, HoldState: "used"}}, nil
}

type frames struct{ left []record.Frame }

func (f *frames) Next() (record.Frame, error) {
	if len(f.left) == 0 {
		return record.Frame{}, io.EOF
	}
	one := f.left[0]
	f.left = f.left[1:]
	return one, nil
}

func (*frames) Close() error { return nil }

func payload(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func wire(messages ...pgproto3.BackendMessage) (out []byte) {
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			panic(err)
		}
	}
	return out
}

func (b *backend) Frames(_ context.Context, id string) (api.Frames, error) {
	switch id {
	case terminalID:
		return terminalFrames(), nil
	case desktopID:
		return desktopFrames(), nil
	}
	if f, ok := moreFrames(id); ok {
		return f, nil
	}
	_, err := b.Get(context.Background(), id)
	act := action.Action{Kind: action.KindSQL, Verbs: []string{"select"}, Text: hostile, Params: []action.Param{{Value: hostile}, {Null: true}},
		Reads: []action.Object{{Schema: "public", Name: hostile, Columns: []string{hostile}}}}
	return &frames{[]record.Frame{
		{Seq: 0, Kind: record.KindOpen, Payload: payload(record.Open{Target: policy.Target{Name: "shop", Protocol: "postgres"}})},
		{Seq: 1, Kind: record.KindAction, Action: 1, Payload: payload(record.ActionPayload{Action: act, Decision: policy.Decision{Verdict: policy.Allow, Rule: hostile}})},
		{Seq: 2, Kind: record.KindRequest, Action: 1, Payload: []byte("Q\x00\x00\x00\x0dselect 1\x00")},
		{Seq: 3, Kind: record.KindResponse, Action: 1, Payload: wire(
			&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte(hostile), DataTypeOID: 25}, {Name: []byte("b"), DataTypeOID: 25}}},
			&pgproto3.DataRow{Values: [][]byte{[]byte(hostile), nil}}, &pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: hostile},
			&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'})},
		{Seq: 4, Kind: record.KindResult, Action: 1, Payload: payload(record.Result{Status: "ok", Message: hostile, Rows: 1})},
	}}, err
}

func (b *backend) Tail(context.Context, string, bool) (api.Frames, error) { return &frames{}, nil }
func (b *backend) End(_ context.Context, id, _ string) error {
	b.ended = append(b.ended, id)
	return nil
}
func (b *backend) Lost(context.Context, string) error   { return nil }
func (b *backend) Delete(context.Context, string) error { return nil }

type holds struct{ *backend }

func (h holds) one() hold.Hold {
	return hold.Hold{ID: "hld_1", Session: sessionID, Target: hostile, Identity: chain(), Digest: "d1", Rule: hostile, Reason: hostile, Approvers: []string{hostile},
		Quorum: 2, State: hold.Pending, Deadline: time.Now().Add(time.Minute), Protocol: "postgres", Estimate: &hold.Estimate{Verb: "delete", Rows: 5, Scans: []hold.Scan{{Table: hostile, How: hostile}}},
		Action:    action.Action{Kind: action.KindSQL, Text: held, Params: []action.Param{{Value: hostile}}},
		Decisions: []hold.Decision{{By: chain(), Approve: true, Reason: hostile}}}
}

func (h holds) List(context.Context, api.HoldFilter) ([]hold.Hold, error) {
	return []hold.Hold{h.one()}, nil
}

func (h holds) Show(_ context.Context, id string) (hold.Hold, error) {
	if id != "hld_1" {
		return hold.Hold{}, fmt.Errorf("%w: no such hold", api.ErrNotFound)
	}
	return h.one(), nil
}

func (h holds) Decide(_ context.Context, v api.Vote) (hold.Hold, error) {
	h.backend.votes = append(h.backend.votes, v)
	return h.one(), nil
}

func (holds) Watch(ctx context.Context) <-chan hold.Hold {
	c := make(chan hold.Hold)
	go func() { <-ctx.Done(); close(c) }()
	return c
}

type reads struct{ *backend }

func (r reads) Record(one access.Read) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return errors.New("the disk is full")
	}
	r.backend.reads = append(r.backend.reads, one)
	return nil
}

func (r reads) List(context.Context, access.Filter) ([]access.Entry, error) {
	return []access.Entry{{By: hostile, Chain: []string{hostile}, Text: hostile, Way: hostile, Sessions: []string{hostile}}}, nil
}

type tokens struct{ *backend }

func (t tokens) Mint(_ context.Context, r token.MintRequest) (string, token.Issued, error) {
	t.backend.minted = append(t.backend.minted, r)
	return "the-new-token", token.Issued{Identity: chain()}, nil
}

func (tokens) List(context.Context, bool, int) ([]token.Issued, error) {
	return []token.Issued{{Identity: chain(), By: hostile}}, nil
}

func (t tokens) Revoke(_ context.Context, id, _, _ string) (identity.Revocation, error) {
	t.backend.revoked = append(t.backend.revoked, id)
	return identity.Revocation{}, nil
}

func (t tokens) RevokeSubject(_ context.Context, subject, _, _ string) (identity.Revocation, error) {
	t.backend.subjects = append(t.backend.subjects, subject)
	return identity.Revocation{}, nil
}

type proofs struct{}

func (proofs) Checkpoint() ([]byte, error) { return nil, nil }
func (proofs) ConsistencyBetween(context.Context, uint64, uint64) (translog.Consistency, error) {
	return translog.Consistency{}, nil
}

type system struct{}

func (system) Status() api.Status {
	return api.Status{Version: hostile, Policy: map[string]string{"rule": hostile}, Nodes: []string{hostile}}
}
func (system) Metrics(context.Context) ([]byte, error)      { return nil, nil }
func (system) EnvoyMetrics(context.Context) ([]byte, error) { return nil, nil }

// nobody knows no identity tokens.
type nobody struct{}

func (nobody) Authenticate(context.Context, identity.Credential) (identity.Proof, error) {
	return identity.Proof{}, errors.New("no")
}

type rig struct {
	t      *testing.T
	back   *backend
	logins *Logins
	url    string
	now    time.Time
}

// roles have a fixed token each: the role's name and "-token-of-the-tests".
var roles = []api.Role{api.Reader, api.Auditor, api.Approver, api.Admin}

func newRig(t *testing.T) *rig { return newRigWith(t, nil) }

// newRigWith has other sessions than the backend's; nil: those.
func newRigWith(t *testing.T, sessions api.Sessions) *rig {
	r := &rig{t: t, back: &backend{release: make(chan struct{})}, now: time.Now()}
	if sessions == nil {
		sessions = r.back
	}
	var bearer api.Bearer
	bearer.Authenticator = nobody{}
	for _, role := range roles {
		bearer.Fixed = append(bearer.Fixed, api.Fixed{SHA256: sha256.Sum256([]byte(string(role) + "-token-of-the-tests")), Identity: identity.New("user:" + string(role)), Roles: []api.Role{role}})
	}
	r.logins = NewLogins(bearer, func() time.Time { return r.now })
	s := httptest.NewServer(New(api.Backend{Tokens: tokens{r.back}, Approvals: holds{r.back}, Sessions: sessions, Reads: reads{r.back}, Proofs: proofs{},
		System: system{}, Logins: r.logins, Log: slog.New(slog.DiscardHandler)}, r.logins, nil, hostileConsole{r.back}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	r.url = s.URL
	return r
}

// browser follows no redirect to see each answer.
func (r *rig) browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (r *rig) signedIn(role api.Role) *http.Client {
	r.t.Helper()
	c := r.browser()
	res := r.post(c, "/login", url.Values{"token": {string(role) + "-token-of-the-tests"}}, "")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/" {
		r.t.Fatalf("signing in: %s", res.Status)
	}
	return c
}

func (r *rig) get(c *http.Client, path string) (*http.Response, string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", r.url+path, nil)
	res, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return res, ""
	}
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

func (r *rig) post(c *http.Client, path string, form url.Values, site string) *http.Response {
	r.t.Helper()
	req, _ := http.NewRequest("POST", r.url+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if site != "" {
		req.Header.Set("Sec-Fetch-Site", site)
	}
	res, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	res.Body.Close()
	return res
}

// postBody posts a form as our own page does, and gives the page that comes.
func (r *rig) postBody(c *http.Client, path string, form url.Values) (*http.Response, string) {
	r.t.Helper()
	req, _ := http.NewRequest("POST", r.url+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (r *rig) csrf(c *http.Client, path string) string {
	r.t.Helper()
	_, body := r.get(c, path)
	m := csrfField.FindStringSubmatch(body)
	if m == nil {
		r.t.Fatalf("%s has no form:\n%s", path, body)
	}
	return m[1]
}

// path fills in a route's pattern.
func path(pattern string) (method, p string) {
	method, p, _ = strings.Cut(pattern, " ")
	id := sessionID
	if strings.Contains(p, "/approvals/") {
		id = "hld_1"
	}
	p = strings.NewReplacer("{$}", "", "{id}", id, "{n}", "1").Replace(p)
	if strings.HasSuffix(p, "/body") || strings.HasSuffix(p, "/exact") {
		p += "?side=response"
	}
	return method, p
}

// TestEveryRoute: nobody sees anything without signing in, each role sees what is its own, and nothing hostile gets into a page as more than text.
func TestEveryRoute(t *testing.T) {
	r := newRig(t)
	s := &server{Guard: api.Guard{}, logins: r.logins}
	open := map[string]bool{"GET /login": true, "POST /login": true, "GET /login/code": true, "GET /login/oidc": true, "GET /login/oidc/callback": true}
	for _, route := range s.routes() {
		method, p := path(route.Pattern)
		if open[route.Pattern] {
			continue
		}
		if route.Roles == nil {
			t.Errorf("%s is open to everybody", route.Pattern)
		}
		var res *http.Response
		if method == "GET" {
			res, _ = r.get(r.browser(), p)
		} else {
			res = r.post(r.browser(), p, url.Values{}, "")
		}
		if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/login") {
			t.Errorf("%s without signing in: %s", route.Pattern, res.Status)
		}
		for _, role := range roles {
			r.visit(route, role, method, p)
		}
	}
}

func (r *rig) visit(route api.Route, role api.Role, method, p string) {
	may := role == api.Admin
	for _, one := range route.Roles {
		may = may || one == role
	}
	c := r.signedIn(role)
	if method == "POST" {
		res := r.post(c, p, url.Values{"csrf": {"guessed"}, "digest": {"d1"}, "decision": {"approve"}, "id": {"tok_1"}}, "same-origin")
		if res.StatusCode != http.StatusForbidden {
			r.t.Errorf("%s as %s with a guessed secret: %s", route.Pattern, role, res.Status)
		}
		return
	}
	res, body := r.get(c, p)
	found := res.StatusCode < 400 || res.StatusCode == http.StatusNotFound && (strings.Contains(route.Pattern, "/backtests/") || strings.HasSuffix(route.Pattern, "/cast") || strings.HasSuffix(route.Pattern, "/movie"))
	if found != may {
		r.t.Errorf("%s as %s: %s", route.Pattern, role, res.Status)
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'") || res.Header.Get("Cache-Control") != "no-store" {
		r.t.Errorf("%s: headers %v", route.Pattern, res.Header)
	}
	for _, bad := range []string{"<script>alert", "<img src=x", "\x1b", "\u202e", "javascript:"} {
		if strings.Contains(body, bad) && !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && res.Header.Get("Content-Disposition") == "" {
			r.t.Errorf("%s as %s: the page has %q", route.Pattern, role, bad)
		}
	}
	if may && strings.Contains(route.Pattern, "{id}") && res.StatusCode == http.StatusOK && !strings.Contains(route.Pattern, "proof") && !strings.HasSuffix(route.Pattern, "/checked") && !strings.HasSuffix(route.Pattern, "/live") && !strings.Contains(p, "?side=") && res.Header.Get("Content-Disposition") == "" && !strings.Contains(body, "&lt;script&gt;alert(1)") {
		r.t.Errorf("%s as %s does not show the statement:\n%s", route.Pattern, role, body)
	}
}

// TestForms: a form counts with its own login's secret and from our own origin only.
func TestForms(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Approver)
	csrf := r.csrf(c, "/approvals/hld_1")
	other := r.csrf(r.signedIn(api.Approver), "/approvals/hld_1")
	form := func(csrf string) url.Values {
		return url.Values{"csrf": {csrf}, "digest": {"d1"}, "decision": {"approve"}, "reason": {"looks right"}}
	}
	for name, res := range map[string]*http.Response{
		"another site":      r.post(c, "/approvals/hld_1", form(csrf), "cross-site"),
		"another login":     r.post(c, "/approvals/hld_1", form(other), "same-origin"),
		"no secret":         r.post(c, "/approvals/hld_1", form(""), "same-origin"),
		"no digest":         r.post(c, "/approvals/hld_1", url.Values{"csrf": {csrf}, "decision": {"approve"}}, "same-origin"),
		"no decision":       r.post(c, "/approvals/hld_1", url.Values{"csrf": {csrf}, "digest": {"d1"}}, "same-origin"),
		"not an admin":      r.post(c, "/sessions/"+sessionID+"/end", form(csrf), "same-origin"),
		"not an admin also": r.post(c, "/tokens/revoke", form(csrf), "same-origin"),
	} {
		if res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	if len(r.back.votes) != 0 || len(r.back.ended) != 0 || len(r.back.revoked) != 0 {
		t.Fatalf("it counted: %+v", r.back)
	}
	if res := r.post(c, "/approvals/hld_1", form(csrf), "same-origin"); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("a good form: %s", res.Status)
	}
	if v := r.back.votes; len(v) != 1 || !v[0].Approve || v[0].By.Subject != "user:approver" || v[0].Digest != "d1" || v[0].Via != Via || v[0].Reason != "looks right" {
		t.Errorf("decided %+v", v)
	}
	admin := r.signedIn(api.Admin)
	csrf = r.csrf(admin, "/tokens")
	r.post(admin, "/sessions/"+sessionID+"/end", url.Values{"csrf": {csrf}}, "same-origin")
	r.post(admin, "/tokens/revoke", url.Values{"csrf": {csrf}, "id": {"tok_1"}}, "same-origin")
	if len(r.back.ended) != 1 || len(r.back.revoked) != 1 {
		t.Errorf("ended %v, revoked %v", r.back.ended, r.back.revoked)
	}
}

// TestSignIn: codes work once and for a minute; logins end; links lead nowhere else.
func TestSignIn(t *testing.T) {
	r := newRig(t)
	for _, bad := range []string{"", "wrong", "Bearer admin-token-of-the-tests"} {
		if res := r.post(r.browser(), "/login", url.Values{"token": {bad}}, ""); res.StatusCode != http.StatusForbidden || len(res.Cookies()) != 0 {
			t.Errorf("token %q: %s %v", bad, res.Status, res.Cookies())
		}
	}
	local := api.Caller{Identity: identity.New("local:root"), Roles: []api.Role{api.Admin}, Via: api.ViaSocket}
	code := r.logins.Code(local)
	c := r.browser()
	res, _ := r.get(c, "/login/code?code="+code)
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		t.Fatalf("a code: %s", res.Status)
	}
	if k := res.Cookies()[0]; !k.HttpOnly || k.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %+v", k)
	}
	if res, _ := r.get(r.browser(), "/login/code?code="+code); res.StatusCode != http.StatusForbidden {
		t.Errorf("a code a second time: %s", res.Status)
	}
	late := r.logins.Code(local)
	r.now = r.now.Add(2 * time.Minute)
	if res, _ := r.get(r.browser(), "/login/code?code="+late); res.StatusCode != http.StatusForbidden {
		t.Errorf("a code after two minutes: %s", res.Status)
	}
	if res, _ := r.get(c, "/status"); res.StatusCode != http.StatusOK {
		t.Errorf("signed in: %s", res.Status)
	}
	r.now = r.now.Add(2 * time.Hour)
	if res, _ := r.get(c, "/status"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("idle for two hours: %s", res.Status)
	}
	c = r.signedIn(api.Reader)
	r.post(c, "/logout", url.Values{"csrf": {r.csrf(c, "/sessions")}}, "same-origin")
	if res, _ := r.get(c, "/sessions"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("signed out: %s", res.Status)
	}
	for next, want := range map[string]string{"/sessions?live=true": "/sessions?live=true", "//evil.example": "/", "https://evil.example/": "/", "/\\evil.example": "/", "javascript:alert(1)": "/", "evil": "/", "/\t/evil": "/"} {
		res := r.post(r.browser(), "/login", url.Values{"token": {"reader-token-of-the-tests"}, "next": {next}}, "")
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("next %q leads to %q", next, got)
		}
	}
}

// TestReadsAreRecorded: what shows a session is recorded before, and not shown when it cannot be.
func TestReadsAreRecorded(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Reader)
	r.get(c, "/sessions")
	r.get(c, "/sessions/"+sessionID)
	r.get(c, "/sessions/"+sessionID+"/actions/1")
	var ways []string
	for _, one := range r.back.reads {
		ways = append(ways, one.Way)
		if one.By.Subject != "user:reader" || one.Via != Via || len(one.Sessions) != 1 {
			t.Errorf("recorded as %+v", one)
		}
	}
	if fmt.Sprint(ways) != "[list show replay]" {
		t.Errorf("recorded %v", ways)
	}
	r.back.full = true
	for _, p := range []string{"/sessions", "/sessions/" + sessionID, "/sessions/" + sessionID + "/actions/1", "/sessions/" + sessionID + "/proof"} {
		if res, body := r.get(c, p); res.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "alert(1)") {
			t.Errorf("%s is shown though it cannot be recorded: %s", p, res.Status)
		}
	}
}

func TestPaths(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Admin)
	for _, p := range []string{"/static/../templates/layout.html", "/static/%2e%2e/page.go", "/templates/layout.html", "/sessions/" + sessionID + "/actions/0",
		"/sessions/" + sessionID + "/actions/2", "/sessions/x", "/approvals/x", "/nothing"} {
		if res, body := r.get(c, p); res.StatusCode == http.StatusOK || strings.Contains(body, "{{") {
			t.Errorf("%s: %s", p, res.Status)
		}
	}
	for _, p := range []string{"/static/page.css", "/static/page.js"} {
		if res, body := r.get(r.browser(), p); res.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: %s", p, res.Status)
		}
	}
}
