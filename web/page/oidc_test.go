package page

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/oidc"
	"dragoman.dev/dragoman/web/api"
)

// groups has the provider tell, in the ID token, in which groups its users are.
type groups struct {
	*storage.Storage
	in func(user string) []string
}

// SetUserinfoFromRequest implements op.CanSetUserinfoFromRequest.
func (g groups) SetUserinfoFromRequest(ctx context.Context, info *zitadel.UserInfo, token op.IDTokenRequest, scopes []string) error {
	if list := g.in(token.GetSubject()); list != nil {
		info.AppendClaims("groups", list)
	}
	return g.Storage.SetUserinfoFromRequest(ctx, info, token, scopes)
}

// provider runs a real OpenID provider with a login page, on loopback.
func provider(t *testing.T, redirect string, in func(user string) []string) (issuer string) {
	t.Helper()
	storage.RegisterClients(storage.WebClient("dragoman", "a-client-secret", redirect))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer = "http://" + l.Addr().String()
	store := groups{storage.NewStorage(storage.NewUserStore(issuer)), in}
	var key [32]byte
	rand.Read(key[:])
	p, err := op.NewProvider(&op.Config{CryptoKey: key, CryptoKeyId: "k", CodeMethodS256: true}, store, op.StaticIssuer(issuer), op.WithAllowInsecure(),
		op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	back := op.AuthCallbackURL(p)
	mux.HandleFunc("GET /login/username", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<form method="post"><input name="id" value="%s"></form>`, r.FormValue("authRequestID"))
	})
	mux.Handle("POST /login/username", op.NewIssuerInterceptor(p.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := store.CheckUsernamePassword(r.FormValue("username"), r.FormValue("password"), r.FormValue("id")); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, back(r.Context(), r.FormValue("id")), http.StatusFound)
	}))
	mux.Handle("/", p)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return issuer
}

// TestProvider signs in at a real provider, as a browser does it.
func TestProvider(t *testing.T) {
	var handler http.Handler
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer page.Close()
	var in atomic.Pointer[[]string] // the groups of id1
	issuer := provider(t, page.URL+"/login/oidc/callback", func(user string) []string {
		if list := in.Load(); list != nil && user == "id1" {
			return *list
		}
		return nil
	})
	verifier, err := oidc.New(oidc.Config{Issuer: issuer, Audiences: []string{"dragoman"}, AllowHTTP: true, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Mapping: oidc.Mapping{SubjectPrefix: "user:"}})
	if err != nil {
		t.Fatal(err)
	}
	auth, err := identity.NewAuthenticator([]identity.Verifier{verifier}, nil, noRevocations{})
	if err != nil {
		t.Fatal(err)
	}
	back := &backend{}
	logins := NewLogins(api.Bearer{Authenticator: auth, Grants: []api.Grant{{Subjects: []string{"user:id2"}, Roles: []api.Role{api.Auditor}},
		{Groups: []string{"on-call"}, Roles: []api.Role{api.Approver}}}}, time.Now)
	client, err := oidc.NewClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	handler = New(api.Backend{Tokens: tokens{back}, Approvals: holds{back}, Sessions: back, Reads: reads{back}, Proofs: proofs{}, System: system{},
		Log: slog.New(slog.DiscardHandler)}, logins, &OIDC{Name: "the provider", Issuer: issuer, ClientID: "dragoman", Client: client,
		ClientSecret: func(context.Context) (string, error) { return "a-client-secret", nil }, RedirectURL: page.URL + "/login/oidc/callback"}, hostileConsole{back})

	c, back1 := signInAt(t, page.URL, issuer, "test-user2")
	if back1.status != http.StatusOK || !strings.Contains(back1.body, `url=/sessions?live=true`) {
		t.Fatalf("signed in: %d\n%s", back1.status, back1.body)
	}
	if res := fetch(t, c, "GET", page.URL+"/sessions", nil); res.status != http.StatusOK || !strings.Contains(res.body, "user:id2") {
		t.Errorf("sessions: %d\n%s", res.status, res.body)
	}
	// The answer counts once, and for the browser that asked.
	for name, other := range map[string]*http.Client{"again": c, "another browser": newBrowser()} {
		if res := fetch(t, other, "GET", back1.from, nil); res.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, res.status)
		}
	}
	u, _ := url.Parse(back1.from)
	q := u.Query()
	q.Set("state", "guessed")
	u.RawQuery = q.Encode()
	mid := newBrowser()
	fetch(t, mid, "GET", page.URL+"/login/oidc", nil)
	if res := fetch(t, mid, "GET", u.String(), nil); res.status != http.StatusForbidden {
		t.Errorf("with another state: %d", res.status)
	}
	begun := fetch(t, newBrowser(), "GET", page.URL+"/login/oidc?next=https://evil.example/", nil)
	for _, want := range []string{"code_challenge=", "code_challenge_method=S256", "nonce=", "state="} {
		if !strings.Contains(begun.to, want) || strings.Contains(begun.to, "evil.example") {
			t.Errorf("the provider is asked without %s: %s", want, begun.to)
		}
	}
	signsInAnew(t, page.URL, issuer)
	// Known to the provider, and without a role here.
	name := "test-user@" + strings.Split(strings.Split(issuer, "://")[1], ":")[0]
	if _, res := signInAt(t, page.URL, issuer, name); res.status != http.StatusForbidden || !strings.Contains(res.body, "has no role here") {
		t.Errorf("without a role: %d\n%s", res.status, res.body)
	}
	in.Store(&[]string{"on-call-guests"})
	if _, res := signInAt(t, page.URL, issuer, name); res.status != http.StatusForbidden {
		t.Errorf("with another group: %d\n%s", res.status, res.body)
	}
	// The group that the provider tells gives the role, and no other.
	in.Store(&[]string{"on-call"})
	c, back1 = signInAt(t, page.URL, issuer, name)
	if back1.status != http.StatusOK {
		t.Fatalf("with a group: %d\n%s", back1.status, back1.body)
	}
	for path, want := range map[string]int{"/approvals": http.StatusOK, "/tokens": http.StatusForbidden} {
		if res := fetch(t, c, "GET", page.URL+path, nil); res.status != want {
			t.Errorf("an approver at %s: %d, not %d", path, res.status, want)
		}
	}
}

type fetched struct {
	status     int
	body, from string
	to         string // where it is sent to
}

func newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func fetch(t *testing.T, c *http.Client, method, link string, form url.Values) fetched {
	t.Helper()
	req, err := http.NewRequest(method, link, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	f := fetched{status: res.StatusCode, body: string(body), from: link}
	if to, err := res.Location(); err == nil {
		f.to = to.String()
	}
	return f
}

// signInAt goes to the provider, gives name and password there, and comes back.
func signInAt(t *testing.T, page, issuer, name string) (*http.Client, fetched) {
	t.Helper()
	c := newBrowser()
	return c, signInWith(t, c, page, issuer, name, "/sessions?live=true")
}

func signInWith(t *testing.T, c *http.Client, page, issuer, name, next string) fetched {
	t.Helper()
	f := fetch(t, c, "GET", page+"/login/oidc?next="+url.QueryEscape(next), nil)
	for f.to != "" && !strings.HasPrefix(f.to, page) {
		f = fetch(t, c, "GET", f.to, nil)
	}
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(f.body)
	if id == nil {
		t.Fatalf("the provider shows no login page: %d\n%s", f.status, f.body)
	}
	f = fetch(t, c, "POST", issuer+"/login/username", url.Values{"username": {name}, "password": {"verysecure"}, "id": {id[1]}})
	for f.to != "" && !strings.HasPrefix(f.to, page) {
		f = fetch(t, c, "GET", f.to, nil)
	}
	if f.to == "" {
		t.Fatalf("the provider does not send the browser back: %d\n%s", f.status, f.body)
	}
	return fetch(t, c, "GET", f.to, nil)
}

type noRevocations struct{}

func (noRevocations) Check(context.Context, identity.Proof) error         { return nil }
func (noRevocations) Subscribe(func(identity.Revocation)) (cancel func()) { return func() {} }

// signsInAnew: a login that somebody has planted is not the one that a sign-in leads to, a sign-in leads to our own pages only, and ends when
// its person says so.
func signsInAnew(t *testing.T, page, issuer string) {
	t.Helper()
	c := newBrowser()
	at, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	c.Jar.SetCookies(at, []*http.Cookie{{Name: cookieName, Value: "planted", Path: "/"}})
	if res := signInWith(t, c, page, issuer, "test-user2", "//evil.example/"); res.status != http.StatusOK || strings.Contains(res.body, "evil.example") {
		t.Errorf("signed in: %d\n%s", res.status, res.body)
	}
	value := ""
	for _, k := range c.Jar.Cookies(at) {
		if k.Name == cookieName {
			value = k.Value
		}
	}
	planted := newBrowser()
	planted.Jar.SetCookies(at, []*http.Cookie{{Name: cookieName, Value: "planted", Path: "/"}})
	if res := fetch(t, planted, "GET", page+"/sessions", nil); value == "planted" || value == "" || res.status != http.StatusSeeOther {
		t.Errorf("the login is %q, and the planted one: %d", value, res.status)
	}
	csrf := csrfField.FindStringSubmatch(fetch(t, c, "GET", page+"/sessions", nil).body)
	if csrf == nil {
		t.Fatal("no form")
	}
	fetch(t, c, "POST", page+"/logout", url.Values{"csrf": {csrf[1]}})
	stolen := newBrowser()
	stolen.Jar.SetCookies(at, []*http.Cookie{{Name: cookieName, Value: value, Path: "/"}})
	if res := fetch(t, stolen, "GET", page+"/sessions", nil); res.status != http.StatusSeeOther {
		t.Errorf("after signing out: %d", res.status)
	}
}
