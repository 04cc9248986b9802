package page

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

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
