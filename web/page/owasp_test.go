package page

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/web/api"
)

// What may be in our pages. Text is escaped, so that whatever looks like a tag is one.
var (
	tagsOfOurs = strings.Fields("a body button canvas code datalist dd details div dl dt form h1 h2 h3 h4 head header html i input label li link main mark meta nav ol output " +
		"option p pre progress script section select span strong summary table tbody td textarea th thead time title tr ul br")
	attributesOfOurs = strings.Fields("action aria-current aria-hidden aria-label aria-live autocomplete autofocus charset checked class colspan content datetime defer disabled download " +
		"for formaction formnovalidate height hidden href http-equiv id lang list max min method name open placeholder required role rows rowspan scope selected spellcheck src step tabindex title type value width rel")
	tag       = regexp.MustCompile(`<([a-zA-Z][^\s/>]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>`)
	attribute = regexp.MustCompile(`([^\s"'=<>/]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?`)
	titleOf   = regexp.MustCompile(`<title>([^<]*)</title>`)
	defined   = regexp.MustCompile(`\{\{define "title"\}\}(.*?)\{\{end\}\}`)
	typed     = regexp.MustCompile(`(?s)value="[^"]*"|<textarea[^>]*>.*?</textarea>`) // what who looks has asked for is given back as it is
	variable  = regexp.MustCompile(`\{\{[^}]*\}\}`)
)

// ourMarkup says what in a page is not ours.
func ourMarkup(body string) (strange []string) {
	for _, m := range tag.FindAllStringSubmatch(body, -1) {
		name := strings.ToLower(m[1])
		if !slices.Contains(tagsOfOurs, name) {
			strange = append(strange, m[0])
		}
		for _, a := range attribute.FindAllStringSubmatch(m[2], -1) {
			key, value := strings.ToLower(a[1]), strings.Trim(a[2], `"'`)
			if !slices.Contains(attributesOfOurs, key) && !strings.HasPrefix(key, "data-") {
				strange = append(strange, m[0])
			}
			leads := key == "href" || key == "src" || key == "action" || key == "formaction"
			if leads && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "?") && (!strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//")) {
				strange = append(strange, m[0])
			}
			if name == "script" && key == "src" && !strings.HasPrefix(value, "/static/") {
				strange = append(strange, m[0])
			}
		}
		if name == "script" && !strings.Contains(m[2], "src=") {
			strange = append(strange, m[0])
		}
	}
	return strange
}

// seen is a page that was visited.
type seen struct {
	path string
	res  *http.Response
	body string
}

// everyPage visits all pages that there are as an administrator: those of all routes, and those that forms and mistakes lead to.
func everyPage(t *testing.T, r *rig) (all []seen) {
	t.Helper()
	c := r.signedIn(api.Admin)
	close(r.back.release)
	get := func(p string) string {
		res, body := r.get(c, p)
		all = append(all, seen{p, res, body})
		return body
	}
	bad := url.QueryEscape(hostile)
	for _, route := range (&server{logins: r.logins}).routes() {
		method, p := path(route.Pattern)
		if method != "GET" {
			continue
		}
		if !strings.Contains(p, "?") {
			get(p + "?next=" + bad + "&identity=" + bad + "&text=" + bad + "&object=" + bad)
		}
		for _, id := range []string{sessionID, terminalID, desktopID, webID, kubeID, tableID} {
			if one := strings.Replace(p, sessionID, id, 1); strings.Contains(p, sessionID) {
				get(one)
				get(one + "?part=1")
			}
		}
		get(p)
	}
	get("/no/such/page/" + url.PathEscape(hostile))
	get("/sessions/" + url.PathEscape(hostile))
	get("/approvals/" + url.PathEscape(hostile))
	get("/sessions?after=" + bad + "&live=" + bad)
	get("/approvals/hld_1/history?part=1")
	form := func(p string, more ...string) *http.Response {
		v := url.Values{"csrf": {r.csrf(c, "/tokens")}, "subject": {hostile}, "on_behalf_of": {hostile}, "groups": {hostile}, "target": {hostile}, "text": {hostile}, "ttl": {"1h"},
			"file": {hostile}, "draft": {hostile}, "reason": {hostile}, "digest": {"d1"}, "decision": {"deny"}, "id": {hostile}, "days": {"1"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		res, body := r.postBody(c, p, v)
		all = append(all, seen{"POST " + p, res, body})
		return res
	}
	form("/policy/try")
	form("/policy/try", "text", "nonsense")
	form("/tokens/mint")
	form("/tokens/mint", "ttl", hostile)
	form("/approvals/hld_1")
	form("/approvals/hld_1", "decision", hostile)
	form("/sessions/" + sessionID + "/end")
	form("/tokens/revoke")
	form("/identities/revoke")
	form("/login", "token", hostile, "next", hostile)
	for _, draft := range []string{"good", "broken"} {
		at := form("/policy/backtests", "draft", draft, "file", "rules.yaml").Header.Get("Location")
		for end := time.Now().Add(60 * time.Second); strings.Contains(get(at), "running") && time.Now().Before(end); {
			all = all[:len(all)-1]
			time.Sleep(10 * time.Millisecond)
		}
	}
	s := &server{Guard: api.Guard{Backend: api.Backend{Log: slog.New(slog.DiscardHandler)}}, logins: r.logins, pages: parse()}
	w := httptest.NewRecorder() // what a provider's answer leads to; a real one is in TestProvider
	s.show(w, httptest.NewRequest("GET", "/login/oidc/callback", nil), http.StatusOK, "signedin", ours("/sessions?text="+hostile))
	return append(all, seen{"signedin", w.Result(), w.Body.String()})
}

// TestPagesAreText: on every page, with hostile values in every field and in the request, there is no markup but ours. A page that nobody visits here fails.
func TestPagesAreText(t *testing.T) {
	r := newRig(t)
	var titles []string
	for _, p := range everyPage(t, r) {
		if !strings.HasPrefix(p.res.Header.Get("Content-Type"), "text/html") {
			continue
		}
		if m := titleOf.FindStringSubmatch(p.body); m != nil {
			titles = append(titles, m[1])
		}
		for _, bad := range ourMarkup(p.body) {
			t.Errorf("%s has %q", p.path, bad)
		}
		for _, bad := range []string{"<script>alert", "\x1b", "\u202e", "javascript:"} {
			if strings.Contains(typed.ReplaceAllString(p.body, ""), bad) {
				t.Errorf("%s has %q", p.path, bad)
			}
		}
	}
	for name := range parse() {
		text, err := files.ReadFile("templates/" + name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		m := defined.FindStringSubmatch(string(text))
		if m == nil {
			t.Errorf("%s has no title", name)
			continue
		}
		like := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(variable.ReplaceAllString(m[1], "\x00")), "\x00", ".*") + "$")
		if name != "body" && !slices.ContainsFunc(titles, like.MatchString) { // a part of other pages only
			t.Errorf("no page was visited that %s.html makes", name)
		}
	}
	if strange := ourMarkup(`<p>&lt;b&gt;</p><img src=x onerror=alert(1)><a href="javascript:x">`); len(strange) < 2 {
		t.Errorf("the check itself finds only %q", strange)
	}
}

// TestHeaders: every answer, refused or not, says that it is not to be kept, framed, guessed at or told to others.
func TestHeaders(t *testing.T) {
	r := newRig(t)
	all := everyPage(t, r)
	for _, p := range []string{"/", "/login", "/sessions", "/approvals/hld_1", "/nothing", "/static/page.js"} {
		res, body := r.get(r.browser(), p)
		all = append(all, seen{"nobody's " + p, res, body})
	}
	for _, p := range all {
		if p.path == "signedin" {
			continue // without its handler
		}
		h := p.res.Header
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": ""} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", p.path, name, h.Get(name))
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) || strings.Contains(csp, "'unsafe-inline'") && !strings.HasSuffix(p.path, "/terminal") && !strings.Contains(p.path, "/terminal?") || strings.Contains(csp, "'unsafe-eval'") {
				t.Errorf("%s: the policy is %q", p.path, csp)
			}
		}
		if !strings.Contains(p.path, "/static/") && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %q", p.path, h.Get("Cache-Control"))
		}
	}
}

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
