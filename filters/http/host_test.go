package http

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/internal/ulid"
)

// fakeMap is a header map without an Envoy.
type fakeMap struct {
	api.HeaderMap
	list [][2]string
}

func (m *fakeMap) Get(k string) (string, bool) {
	for _, h := range m.list {
		if h[0] == k {
			return h[1], true
		}
	}
	return "", false
}
func (m *fakeMap) Set(k, v string) { m.Del(k); m.Add(k, v) }
func (m *fakeMap) Add(k, v string) { m.list = append(m.list, [2]string{k, v}) }
func (m *fakeMap) Del(k string) {
	var kept [][2]string
	for _, h := range m.list {
		if h[0] != k {
			kept = append(kept, h)
		}
	}
	m.list = kept
}
func (m *fakeMap) Range(f func(k, v string) bool) {
	for _, h := range m.list {
		if !f(h[0], h[1]) {
			return
		}
	}
}
func (m *fakeMap) raw(k string) string { v, _ := m.Get(k); return v }
func (m *fakeMap) Scheme() string      { return m.raw(":scheme") }
func (m *fakeMap) Method() string      { return m.raw(":method") }
func (m *fakeMap) Host() string        { return m.raw(":authority") }
func (m *fakeMap) Path() string        { return m.raw(":path") }
func (m *fakeMap) SetMethod(v string)  { m.Set(":method", v) }
func (m *fakeMap) SetHost(v string)    { m.Set(":authority", v) }
func (m *fakeMap) SetPath(v string)    { m.Set(":path", v) }
func (m *fakeMap) Status() (int, bool) { return 200, true }

// fakeHost is a stream whose posted functions run when the test takes them.
type fakeHost struct {
	filters.HTTPStream
	posts     chan func()
	tls       filters.TLS
	replies   []string
	codes     []int
	continued int
}

func (h *fakeHost) Post(f func()) bool                                 { h.posts <- f; return true }
func (h *fakeHost) TLS() filters.TLS                                   { return h.tls }
func (h *fakeHost) ClientAddr() string                                 { return "192.0.2.1:5" }
func (h *fakeHost) Protocol() string                                   { return "HTTP/1.1" }
func (h *fakeHost) BufferLimit(uint64)                                 {}
func (h *fakeHost) DecoderFilterCallbacks() api.DecoderFilterCallbacks { return decoder{h} }
func (h *fakeHost) EncoderFilterCallbacks() api.EncoderFilterCallbacks { return decoder{h} }

// decoder is its callbacks.
type decoder struct{ *fakeHost }

func (decoder) AddData([]byte, bool)                       {}
func (decoder) InjectData([]byte)                          {}
func (decoder) SetUpstreamOverrideHost(string, bool) error { return nil }

func (h *fakeHost) Continue(api.StatusType) { h.continued++ }
func (h *fakeHost) RecoverPanic()           {}
func (h *fakeHost) SendLocalReply(code int, body string, _ map[string][]string, _ int64, _ string) {
	h.codes, h.replies = append(h.codes, code), append(h.replies, body)
}
func (h *fakeHost) take(t testing.TB) {
	t.Helper()
	select {
	case f := <-h.posts:
		f()
	case <-time.After(60 * time.Second):
		t.Fatal("nothing was posted")
	}
}

type fakeBody struct {
	api.BufferInstance
	b []byte
}

func (b *fakeBody) Bytes() []byte      { return b.b }
func (b *fakeBody) Set(p []byte) error { b.b = p; return nil }

type fakeAuthz struct {
	as     []string // who it is, in place of user:a by agent:b
	refuse error
	gate   chan struct{} // when not nil, Open waits for it
}

// maskKey is what all nodes have.
var maskKey = bytes.Repeat([]byte{7}, 32)

func (a *fakeAuthz) Open(_ context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	if a.gate != nil {
		<-a.gate
	}
	who := identityOf("agents")
	if len(a.as) > 0 {
		who.Subject, who.Actors = a.as[0], a.as[1:]
	}
	return check.OpenResponse{Session: ulid.New("ses_", time.Now()), Identity: who,
		Target: policy.Target{Name: req.Target, Protocol: "http"}, Decision: policy.Decision{Verdict: policy.Allow},
		Credentials: check.Credentials{Headers: []check.Header{{Name: "authorization", Value: "Basic secret"}}},
		MaskKey:     maskKey}, a.refuse
}

func (a *fakeAuthz) Hold(ctx context.Context, _ check.HoldRequest) (check.HoldResponse, error) {
	<-ctx.Done()
	return check.HoldResponse{}, ctx.Err()
}

func identityOf(groups ...string) identity.Identity {
	id := identity.New("user:a", "agent:b")
	id.Groups = groups
	return id
}

func newTarget(t testing.TB, authz check.Authorizer, more func(*nodeconfig.HTTP)) *target {
	t.Helper()
	spool, err := record.OpenSpool(t.TempDir(), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(spool.Close)
	rt := session.New(session.Options{Node: "n", Authorizer: authz, Spool: spool})
	bundle, err := policy.Source{Rules: []policy.Rule{{Name: "may", Verdict: "allow", When: policy.When{Groups: []string{"agents"}, Kinds: []string{"http"}}}}}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	cfg := nodeconfig.HTTP{Target: policy.Target{Name: "t", Protocol: "http"}, Policy: bundle, Durability: "write", AllowCleartext: true}
	if more != nil {
		more(&cfg)
	}
	b, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Kind(rt).Configure(b)
	if err != nil {
		t.Fatal(err)
	}
	return h.(*target)
}

func newHost() *fakeHost { return &fakeHost{posts: make(chan func(), 64)} }

func getHead(path, token string, more ...[2]string) *fakeMap {
	m := &fakeMap{list: [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", path}, {"user-agent", "test"}, {"accept", "*/*"}}}
	if token != "" {
		m.Add("authorization", "Bearer "+token)
	}
	m.list = append(m.list, more...)
	return m
}

func TestNothingPassesBeforeTheSession(t *testing.T) {
	authz := &fakeAuthz{gate: make(chan struct{})}
	tg := newTarget(t, authz, nil)
	h := newHost()
	s := tg.NewStream(h)
	head := getHead("/a", "x")
	if st := s.DecodeHeaders(head, false); st != api.HeaderStopIteration {
		t.Fatal(st)
	}
	if st := s.DecodeData(&fakeBody{b: []byte("early")}, true); st != api.DataStopIterationAndWatermark {
		t.Fatal(st)
	}
	if head.raw("authorization") != "Bearer x" || h.continued != 0 {
		t.Fatal("it went on")
	}
	authz.gate <- struct{}{}
	h.take(t)
	if h.continued != 1 || head.raw("authorization") != "Basic secret" {
		t.Fatal(h.continued, head.list, h.replies)
	}
	// The next request finds the session, and passes at once.
	if st := tg.NewStream(newHost()).DecodeHeaders(getHead("/b", "x"), true); st != api.Continue {
		t.Fatal(st)
	}
	// Another credential does not.
	if st := tg.NewStream(newHost()).DecodeHeaders(getHead("/b", "y"), true); st != api.HeaderStopIteration {
		t.Fatal(st)
	}
}

// TestAuthorizationOfTheAgent: its own Authorization passes only when it is not what it proved itself with.
func TestAuthorizationOfTheAgent(t *testing.T) {
	for authorization, want := range map[string]bool{"Bearer x": false, "Bearer y": true, "Basic eDp5": true, "": false} {
		h := newHost()
		s := newTarget(t, &fakeAuthz{}, nil).NewStream(h).(*stream)
		list := [][2]string{{"proxy-authorization", "Bearer x"}}
		if authorization != "" {
			list = append(list, [2]string{"authorization", authorization})
		}
		p, no := s.identify(listOf(getHead("/", "", list...)))
		if no != nil || p.token != "x" || authorization != "" && p.inProxy != want {
			t.Error(authorization, p.inProxy, no)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		authz *fakeAuthz
		head  *fakeMap
		more  func(*nodeconfig.HTTP)
		code  int
		want  string
	}{
		"no credential":   {&fakeAuthz{}, getHead("/", ""), nil, 401, `"unauthenticated"`},
		"two credentials": {&fakeAuthz{}, getHead("/", "a", [2]string{"authorization", "Bearer b"}), nil, 400, `"ambiguous_credential"`},
		"basic":           {&fakeAuthz{}, getHead("/", "", [2]string{"authorization", "Basic eDp5"}), nil, 401, `"unauthenticated"`},
		"no TLS":          {&fakeAuthz{}, getHead("/", "a"), func(c *nodeconfig.HTTP) { c.AllowCleartext = false }, 403, `"tls_required"`},
		"authz says no": {&fakeAuthz{refuse: &check.Refusal{Code: check.CodeUnauthenticated, Message: "no"}}, getHead("/", "a"), nil, 401,
			`"unauthenticated"`},
		"authz is gone": {&fakeAuthz{refuse: context.DeadlineExceeded}, getHead("/", "a"), nil, 503, `"unavailable"`},
		"bad path":      {&fakeAuthz{}, getHead("/..\\x", "a"), nil, 400, `"rule":"http.decode"`},
		"not in policy": {&fakeAuthz{}, getHead("/", "a", [2]string{"x-http-method-override", "DELETE"}), nil, 403, `"blocked"`},
	} {
		h := newHost()
		s := newTarget(t, c.authz, c.more).NewStream(h)
		if st := s.DecodeHeaders(c.head, true); st != api.HeaderStopIteration {
			t.Error(name, st)
		}
		if len(h.codes) == 0 {
			h.take(t)
		}
		if len(h.codes) != 1 || h.codes[0] != c.code || !strings.Contains(h.replies[0], c.want) || h.continued > 0 {
			t.Error(name, h.codes, h.replies)
		}
		s.OnDestroy(api.Normal)
	}
}

// TestCertificate: a SPIFFE ID counts only when the certificate has no other URI name.
func TestCertificate(t *testing.T) {
	const id = "spiffe://example.org/agent"
	for field, want := range map[string]string{
		"Hash=ab;URI=" + id: id, "": "", "Hash=ab": "", "Hash=ab;URI=" + id + ";URI=spiffe://example.org/admin": "",
		"Hash=ab;URI=spiffe://example.org/admin": "", "Hash=a;URI=" + id + ",Hash=b;URI=" + id: "",
	} {
		h := newHost()
		h.tls = filters.TLS{Active: true, URISANs: []string{id}, CertSHA256: "ab"}
		s := newTarget(t, &fakeAuthz{}, func(c *nodeconfig.HTTP) { c.ClientCA = true }).NewStream(h).(*stream)
		head := getHead("/", "")
		if field != "" {
			head.Add("x-forwarded-client-cert", field)
		}
		if got, _ := s.certificate(listOf(head)); got != want {
			t.Errorf("%q: %q", field, got)
		}
	}
}

// TestGone: a session that comes for a stream that is gone is given back.
func TestGone(t *testing.T) {
	authz := &fakeAuthz{gate: make(chan struct{})}
	tg := newTarget(t, authz, nil)
	s := tg.NewStream(newHost()).(*stream)
	s.DecodeHeaders(getHead("/", "x"), true)
	s.OnDestroy(api.Terminate)
	authz.gate <- struct{}{}
	time.Sleep(20 * time.Millisecond)
	if s.sh != nil || s.arrival.span != nil {
		t.Error("it was kept")
	}
}

func TestBodyLog(t *testing.T) {
	l := bodyLog{limit: 5}
	var got []string
	add := func(_ uint64, p ...[]byte) { got = append(got, string(bytes.Join(p, nil))) }
	l.begin(false, true, "")
	l.add(add, 1, []byte("abc"))
	l.add(add, 1, []byte("defg"))
	l.add(add, 1, []byte("h"))
	l.end(add, 1)
	l.end(add, 1)
	want := []string{"Babc", "Bde", `C{"bytes":8,"recorded":5,"sha256":"9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"}`}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Error(got)
	}
}

// BenchmarkExchange is a GET with a short answer, without Envoy's part.
func BenchmarkExchange(b *testing.B) {
	tg := newTarget(b, &fakeAuthz{}, nil)
	h := newHost()
	tg.NewStream(h).DecodeHeaders(getHead("/a.json", "x"), true)
	h.take(b)
	body := []byte(strings.Repeat("x", 130))
	b.ReportAllocs()
	for b.Loop() {
		s := tg.NewStream(h)
		if s.DecodeHeaders(getHead("/a.json", "x"), true) != api.Continue {
			b.Fatal("it was stopped")
		}
		s.EncodeHeaders(&fakeMap{list: [][2]string{{":status", "200"}, {"content-length", "130"}, {"content-type", "application/json"}, {"etag", `"a"`}, {"server", "x"}, {"date", "x"}}}, false)
		if s.EncodeData(&fakeBody{b: body}, true) != api.Continue {
			b.Fatal("the answer was stopped")
		}
		s.OnDestroy(api.Normal)
	}
}
