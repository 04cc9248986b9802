package page

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/highlight"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/api"
)

//go:embed templates static
var files embed.FS

// policyHeader lets a page load what is ours and nothing else, and nobody frame it.
const policyHeader = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// server serves the pages.
type server struct {
	api.Guard
	logins *Logins
	pages  map[string]*template.Template
	oidc   *OIDC // nil: no sign-in at a provider
	flows  flows

	console Console
	jobs    jobs
	trails  trails
	checks  checks
}

// New makes the page's handler over the API's backend. Paths of the API are not served by it. Without a provider
// people sign in with tokens and codes only.
func New(b api.Backend, logins *Logins, provider *OIDC, console Console) http.Handler {
	s := &server{Guard: api.Guard{Backend: b, Access: logins}, logins: logins, pages: parse(), oidc: provider, console: console}
	s.Fail, s.Unauthenticated = s.fail, s.signIn
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		s.Handle(mux, r)
	}
	static, _ := fs.Sub(files, "static") // it is embedded
	mux.Handle("GET /static/", http.StripPrefix("/static/", inTime(http.FileServerFS(static))))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // it says who is signed in
		s.show(w, r, http.StatusNotFound, "error", "There is no such page.")
	})
	// Forms are taken from our own pages only, whatever the browser: the origin is compared, and beside it each form has its login's own secret.
	forms := http.NewCrossOriginProtection()
	return api.Headers(policyHeader, headers(forms.Handler(mux)))
}

// headers are those that only pages have.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		next.ServeHTTP(w, r)
	})
}

// staticTime is how long anybody, who need not have signed in, may take to read one of our files.
const staticTime = time.Minute

func inTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(staticTime)) // where there is a connection
		next.ServeHTTP(w, r)
	})
}

// Who may see what: as in the API.
var (
	insiders = []api.Role{api.Reader, api.Auditor, api.Approver}
	records  = []api.Role{api.Reader, api.Auditor}
	auditors = []api.Role{api.Auditor}
	deciders = []api.Role{api.Approver}
	admins   = []api.Role{api.Admin}
)

func (s *server) routes() []api.Route {
	list := []api.Route{
		{Pattern: "GET /{$}", Roles: insiders, Serve: s.home},
		{Pattern: "GET /login", Serve: s.login},
		{Pattern: "POST /login", Serve: s.enter},
		{Pattern: "GET /login/code", Serve: s.enterCode},
		{Pattern: "GET /login/oidc", Serve: s.toProvider},
		{Pattern: "GET /login/oidc/callback", Serve: s.fromProvider},
		{Pattern: "GET /sessions", Roles: records, Serve: s.sessions}, // records what it lists
		{Pattern: "GET /sessions/{id}", Roles: records, Way: access.Show, Serve: s.session},
		{Pattern: "GET /sessions/{id}/actions", Roles: records, Way: access.Actions, Serve: s.actions},
		{Pattern: "GET /sessions/{id}/actions/{n}", Roles: records, Way: access.Replay, Serve: s.action},
		{Pattern: "GET /sessions/{id}/actions/{n}/body", Roles: records, Way: access.Replay, Serve: s.body},
		{Pattern: "GET /sessions/{id}/actions/{n}/exact", Roles: records, Way: access.Export, Serve: s.exact},
		{Pattern: "GET /sessions/{id}/stream", Roles: records, Way: access.Frames, Serve: s.stream},
		{Pattern: "GET /sessions/{id}/checked", Roles: records, Way: access.Proof, Serve: s.checked},
		{Pattern: "GET /sessions/{id}/proof", Roles: records, Way: access.Proof, Serve: s.proof},
		{Pattern: "GET /sessions/{id}/live", Roles: records, Way: access.Tail, Serve: s.tail},
		{Pattern: "GET /sessions/{id}/terminal", Roles: records, Way: access.Show, Serve: s.terminal},
		{Pattern: "GET /sessions/{id}/cast", Roles: records, Way: access.Replay, Serve: s.cast},
		{Pattern: "GET /sessions/{id}/screen", Roles: records, Way: access.Show, Serve: s.screen},
		{Pattern: "GET /sessions/{id}/movie", Roles: records, Way: access.Replay, Serve: s.movie},
		{Pattern: "GET /approvals", Roles: insiders, Serve: s.approvals},
		{Pattern: "GET /approvals/watch", Roles: insiders, Serve: s.watch},
		{Pattern: "GET /approvals/{id}", Roles: insiders, Serve: s.approval},
		{Pattern: "GET /approvals/{id}/history", Roles: records, Serve: s.history}, // records what it reads
		{Pattern: "GET /status", Roles: insiders, Serve: s.status},
		{Pattern: "GET /tokens", Roles: auditors, Serve: s.tokens},
		{Pattern: "GET /identities", Roles: auditors, Serve: s.identities},
		{Pattern: "GET /policy", Roles: auditors, Serve: s.policyPage},
		{Pattern: "GET /policy/backtests/{id}", Roles: auditors, Serve: s.backtest},
		{Pattern: "GET /reads", Roles: auditors, Serve: s.reads},
	}
	for _, r := range []api.Route{
		{Pattern: "POST /logout", Roles: []api.Role{api.Reader, api.Auditor, api.Approver}, Serve: s.leave},
		{Pattern: "POST /approvals/{id}", Roles: deciders, Serve: s.decide},
		{Pattern: "POST /sessions/{id}/end", Roles: admins, Serve: s.endSession},
		{Pattern: "POST /tokens/revoke", Roles: admins, Serve: s.revoke},
		{Pattern: "POST /tokens/mint", Roles: admins, Serve: s.mint},
		{Pattern: "POST /identities/revoke", Roles: admins, Serve: s.revokeSubject},
		{Pattern: "POST /policy/try", Roles: auditors, Serve: s.try},
		{Pattern: "POST /policy/backtests", Roles: auditors, Serve: s.startBacktest},
	} {
		r.Serve = s.fromOurPage(r.Serve)
		list = append(list, r)
	}
	return list
}

type serve = func(http.ResponseWriter, *http.Request, api.Caller) error

// fromOurPage takes forms that a page of the same login has made.
func (s *server) fromOurPage(next serve) serve {
	return func(w http.ResponseWriter, r *http.Request, c api.Caller) error {
		if !s.logins.own(r) {
			s.show(w, r, http.StatusForbidden, "error", "This form is too old. Load its page again.")
			return nil
		}
		return next(w, r, c)
	}
}

// view is what every template gets.
type view struct {
	Page   string // of the navigation
	Caller *api.Caller
	CSRF   string
	Now    time.Time
	Data   any
}

// Can reports whether the caller may do what needs the role.
func (v view) Can(role string) bool {
	if v.Caller == nil {
		return false
	}
	for _, r := range v.Caller.Roles {
		if r == api.Admin || string(r) == role {
			return true
		}
	}
	return false
}

func parse() map[string]*template.Template {
	base := template.New("").Funcs(template.FuncMap{
		"clean": replay.Visible, "split": strings.Fields, "cleanLine": replay.VisibleLine,
		"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"took": func(d time.Duration) string { return d.Round(10 * time.Microsecond).String() },
		"join": strings.Join, "spoken": spoken, "sessionsOf": sessionsOf,
		"short": func(s string) string { return s[:min(len(s), 12)] },
		"lag":   func(d time.Duration) string { return d.Round(time.Millisecond).String() },
		"code":  func(a action.Action, protocol string) []highlight.Piece { return highlight.Action(&a, protocol) }, "codeLine": codeLine, "json": highlight.JSON, "approvals": yes,
	})
	base = template.Must(base.ParseFS(files, "templates/layout.html"))
	pages := map[string]*template.Template{}
	list, _ := fs.Glob(files, "templates/*.html")
	for _, f := range list {
		name := strings.TrimSuffix(strings.TrimPrefix(f, "templates/"), ".html")
		if name == "layout" {
			continue
		}
		pages[name] = template.Must(template.Must(base.Clone()).ParseFS(files, f))
	}
	return pages
}

// show renders a page.
func (s *server) show(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	s.render(w, r, status, page, "layout", data)
}

// part renders a page's part named "part" alone.
func (s *server) part(w http.ResponseWriter, r *http.Request, page string, data any) error {
	s.render(w, r, http.StatusOK, page, "part", data)
	return nil
}

func (s *server) render(w http.ResponseWriter, r *http.Request, status int, page, name string, data any) {
	v := view{Page: page, Now: time.Now(), Data: data}
	if c, err := s.logins.Caller(r); err == nil {
		v.Caller = &c
		if one, ok := s.logins.find(r); ok {
			v.CSRF = one.csrf
		}
	}
	var out strings.Builder
	if err := s.pages[page].ExecuteTemplate(&out, name, v); err != nil {
		s.Log.Error("page: a template failed", "page", page, "err", err)
		http.Error(w, "internal error; the control plane's log has the cause", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(out.String()))
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, _, message := s.Explain(r, err)
	if bad, is := corrupt(err); is {
		message = "This record is broken. " + brokenText(bad)
	}
	if status != 0 {
		s.show(w, r, status, "error", message)
	}
}

// signIn sends a browser that nobody knows to the login page, and back where it wanted to go afterwards.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}
