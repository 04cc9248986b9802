package page

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/web/api"
)

// TestEveryForm: no route that changes something takes a form without its login's secret, with another's, or from another site.
func TestEveryForm(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Admin)
	csrf, other := r.csrf(c, "/tokens"), r.csrf(r.signedIn(api.Admin), "/tokens")
	form := func(secret string) url.Values {
		return url.Values{"csrf": {secret}, "subject": {"agent:x"}, "id": {"tok_1"}, "digest": {"d1"}, "decision": {"approve"}, "reason": {"r"}, "text": {"SELECT 1"},
			"file": {"rules.yaml"}, "draft": {"x"}, "days": {"1"}, "ttl": {"1h"}, "token": {"admin-token-of-the-tests"}}
	}
	n := 0
	for _, route := range (&server{logins: r.logins}).routes() {
		method, p := path(route.Pattern)
		if method == "GET" {
			continue
		}
		n++
		for name, do := range map[string]func() *http.Response{
			"no secret":        func() *http.Response { return r.post(c, p, form(""), "same-origin") },
			"another login's":  func() *http.Response { return r.post(c, p, form(other), "same-origin") },
			"another site":     func() *http.Response { return r.post(c, p, form(csrf), "cross-site") },
			"a sibling's site": func() *http.Response { return r.post(c, p, form(csrf), "same-site") },
			"another origin": func() *http.Response {
				req, _ := http.NewRequest("POST", r.url+p, strings.NewReader(form(csrf).Encode()))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Origin", "https://evil.example")
				res, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				return res
			},
			"in the address": func() *http.Response { return r.post(c, p+"?"+form(csrf).Encode(), url.Values{}, "same-origin") },
		} {
			if p == "/login" && (name == "no secret" || name == "another login's") {
				continue // nobody has one yet
			}
			if res := do(); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %s: %s", route.Pattern, name, res.Status)
			}
		}
		if res, _ := r.get(c, p+"?"+form(csrf).Encode()); res.StatusCode < 400 && !r.isPage(p) {
			t.Errorf("%s by GET: %s", p, res.Status)
		}
	}
	if b := r.back; n < 9 || len(b.votes)+len(b.ended)+len(b.revoked)+len(b.minted)+len(b.subjects)+len(b.tried) != 0 {
		t.Errorf("of %d forms some counted: %+v", n, b)
	}
}

// isPage says that a path is also a page's, which a GET shows.
func (r *rig) isPage(p string) bool {
	return slices.ContainsFunc((&server{logins: r.logins}).routes(), func(one api.Route) bool {
		method, at := path(one.Pattern)
		return method == "GET" && at == p
	})
}

// TestLeadsNowhereElse: whatever is asked for, and under whatever name, answers lead to paths of our own.
func TestLeadsNowhereElse(t *testing.T) {
	r := newRig(t)
	var addresses []string
	for _, next := range []string{"//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example", "/\t/evil.example", "/\n/evil.example",
		"javascript:alert(1)", "data:text/html,x", "/%2f%2fevil.example/..", "@evil.example", "/.//evil.example", " //evil.example", "/\u2028/evil.example", "http:///evil.example", ".evil.example"} {
		q := url.QueryEscape(next)
		addresses = append(addresses, "/login?next="+q, "/login/oidc?next="+q, "/?next="+q)
	}
	addresses = append(addresses, "//evil.example", "//evil.example/", "///evil.example/%2e%2e", "/%2fevil.example", "/%5cevil.example", "/\\evil.example", "/sessions//evil.example", "/static//evil.example/",
		"/sessions/../../evil.example", "/./evil.example", "/static", "/login/../login")
	local := func(to string) bool {
		u, err := url.Parse(to)
		return err == nil && u.Host == "" && u.Scheme == "" && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, "/\\")
	}
	for _, p := range addresses {
		for _, c := range []*http.Client{r.browser(), r.signedIn(api.Reader)} {
			req, _ := http.NewRequest("GET", r.url+"/", nil)
			path, query, _ := strings.Cut(p, "?")
			req.URL.Opaque, req.URL.RawQuery = "//"+req.URL.Host+path, query
			req.Host = "evil.example"
			req.Header.Set("X-Forwarded-Host", "evil.example")
			req.Header.Set("X-Forwarded-Proto", "https")
			req.Header.Set("Forwarded", "host=evil.example")
			res, err := c.Do(req)
			if err != nil {
				t.Fatalf("%q: %v", p, err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if to := res.Header.Get("Location"); to != "" && !local(to) {
				t.Errorf("%q leads to %q", p, to)
			}
			for _, bad := range ourMarkup(string(body)) {
				t.Errorf("%q gives %s", p, bad)
			}
		}
	}
	for _, next := range []string{"/%2f%2fevil.example/..", "/.//evil.example", "/\u2028/evil.example"} {
		if to := ours(next); !local(to) {
			t.Errorf("next %q leads to %q", next, to)
		}
	}
}

// TestTraversal: no path leads to a file that is not one of static's.
func TestTraversal(t *testing.T) {
	r := newRig(t)
	for _, p := range []string{"/static/../page.go", "/static/%2e%2e/%2e%2e/page.go", "/static/..%2f..%2fpage.go", "/static/..%5c..%5cpage.go", "/static/....//page.go", "/static//etc/passwd",
		"/static/%00", "/static/page.css%00.html", "/static/%c0%ae%c0%ae/page.go", "/static/../../../../../../etc/passwd", "/static/templates/layout.html", "/static/%252e%252e/page.go",
		"/sessions/..%2f..%2fetc%2fpasswd", "/sessions/%2e%2e%2f%2e%2e%2fstate.db/cast", "/approvals/..%2f..%2fx", "/policy/backtests/..%2f..%2fx", "/static/../templates/login.html"} {
		for _, c := range []*http.Client{r.browser(), r.signedIn(api.Admin)} {
			req, _ := http.NewRequest("GET", r.url+"/", nil)
			req.URL.Opaque = "//" + req.URL.Host + p
			res, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode == http.StatusOK || strings.Contains(string(body), "package page") || strings.Contains(string(body), "root:") || strings.Contains(string(body), "{{") {
				t.Errorf("%s: %s\n%.200s", p, res.Status, body)
			}
		}
	}
	for _, p := range []string{"/static/", "/static/asciinema/"} {
		if _, body := r.get(r.browser(), p); strings.Contains(body, "page.go") {
			t.Errorf("%s: %s", p, body)
		}
	}
}

// TestLoginCookies: a login's cookie is new each time, is this host's alone, and dies with its login.
func TestLoginCookies(t *testing.T) {
	r := newRig(t)
	sign := func(planted string) *http.Cookie {
		req, _ := http.NewRequest("POST", r.url+"/login", strings.NewReader("token=reader-token-of-the-tests"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if planted != "" {
			req.Header.Set("Cookie", cookieName+"="+planted)
		}
		res, err := r.browser().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(res.Cookies()) != 1 {
			t.Fatalf("signing in gives %v", res.Cookies())
		}
		return res.Cookies()[0]
	}
	in := func(value string) bool {
		req, _ := http.NewRequest("GET", r.url+"/sessions", nil)
		req.Header.Set("Cookie", cookieName+"="+value)
		res, err := r.browser().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	planted := strings.Repeat("A", 43)
	first := sign(planted)
	if first.Value == planted || len(first.Value) != 43 || in(planted) || !in(first.Value) {
		t.Errorf("a planted cookie counts: %v", first)
	}
	if first.Path != "/" || !first.HttpOnly || first.SameSite != http.SameSiteStrictMode || first.Domain != "" {
		t.Errorf("the cookie is %v", first)
	}
	second := sign(first.Value)
	if second.Value == first.Value || in(first.Value) || !in(second.Value) {
		t.Error("signing in again leaves the old login")
	}
	r.logins.Secure = true // TLS ends before us, or here
	defer func() { r.logins.Secure = false }()
	if c := sign(""); !c.Secure || c.Name != "__Host-"+cookieName || c.Path != "/" || c.Domain != "" {
		t.Errorf("with TLS the cookie is %v", c)
	}
	if in(second.Value) {
		t.Error("with TLS a cookie counts that need not be this host's")
	}
}

// TestTooManyAttempts: who tries tokens is answered slowly and told to stop; who has a good one is let in all the same.
func TestTooManyAttempts(t *testing.T) {
	r := newRig(t)
	var bearer api.Bearer
	bearer.Authenticator = nobody{}
	bearer.Fixed = r.logins.bearer.Fixed
	slow := lockout.New(lockout.Config{Burst: 3, Refill: time.Hour, MaxStall: time.Millisecond}, time.Now)
	h := New(api.Backend{Tokens: tokens{r.back}, Approvals: holds{r.back}, Sessions: r.back, Reads: reads{r.back}, Proofs: proofs{}, System: system{}, Logins: r.logins,
		Log: slog.New(slog.DiscardHandler), Lockout: slow}, r.logins, nil, hostileConsole{r.back})
	try := func(method, p, body string) int {
		w, req := httptest.NewRecorder(), httptest.NewRequest(method, p, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.ServeHTTP(w, req)
		return w.Code
	}
	for i := range 3 {
		if got := try("POST", "/login", fmt.Sprint("token=guess", i)); got != http.StatusForbidden {
			t.Errorf("attempt %d: %d", i, got)
		}
	}
	for name, got := range map[string]int{"a token": try("POST", "/login", "token=guess"), "a code": try("GET", "/login/code?code=guess", "")} {
		if got != http.StatusTooManyRequests {
			t.Errorf("%s after too many: %d", name, got)
		}
	}
	if got := try("POST", "/login", "token=reader-token-of-the-tests"); got != http.StatusSeeOther {
		t.Errorf("a good token after too many bad ones: %d", got)
	}
	if c := r.logins.Code(api.Caller{Identity: identity.New("local:root")}); try("GET", "/login/code?code="+c, "") != http.StatusSeeOther {
		t.Error("a good code is not taken")
	}
}

// TestLongForms: a form that is too long is not read, let alone done.
func TestLongForms(t *testing.T) {
	r := newRig(t)
	c := r.signedIn(api.Admin)
	csrf := r.csrf(c, "/tokens")
	long := url.Values{"csrf": {csrf}, "subject": {"agent:x"}, "reason": {strings.Repeat("x", 2<<20)}}
	for _, p := range []string{"/tokens/mint", "/approvals/hld_1", "/policy/try", "/login"} {
		if res := r.post(c, p, long, "same-origin"); res.StatusCode < 400 {
			t.Errorf("%s: %s", p, res.Status)
		}
	}
	if len(r.back.minted)+len(r.back.votes)+len(r.back.tried) != 0 {
		t.Errorf("they counted: %+v", r.back)
	}
}
