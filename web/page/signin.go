package page

import (
	"net/http"
	"net/url"
	"strings"

	"dragoman.dev/dragoman/web/api"
)

func (s *server) home(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	to := "/approvals"
	for _, role := range c.Roles {
		if role != api.Approver {
			to = "/sessions"
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

type loginData struct{ Next, Problem, Provider string }

func (s *server) loginPage(next, problem string) loginData {
	d := loginData{Next: next, Problem: problem}
	if s.oidc != nil {
		d.Provider = s.oidc.Name
	}
	return d
}

func (s *server) login(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	s.show(w, r, http.StatusOK, "login", s.loginPage(ours(r.URL.Query().Get("next")), ""))
	return nil
}

// enter signs in with a token: a configured one, or an identity's whose groups have roles.
func (s *server) enter(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	token, next := strings.TrimSpace(r.PostFormValue("token")), ours(r.PostFormValue("next"))
	c, err := s.logins.known(r, token)
	problem := ""
	switch {
	case err != nil:
		problem = "This token is not known here, or its time is over."
	case len(c.Roles) == 0:
		problem = "This token is valid, but " + c.Identity.Subject + " has no role here. Roles are given in the configuration, by admin.grants."
	}
	if problem != "" {
		s.Log.Warn("page: a sign-in was refused", "client", r.RemoteAddr)
		s.notIn(w, r, next, problem)
		return nil
	}
	return s.signedIn(w, r, &login{token: token}, next)
}

// enterCode signs in with a code that the admin socket gave.
func (s *server) enterCode(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	c, ok := s.logins.redeem(r.URL.Query().Get("code"))
	if !ok {
		s.notIn(w, r, "/", "This link was used, or is older than a minute. Ask for another: dragoman login")
		return nil
	}
	return s.signedIn(w, r, &login{caller: &c}, "/")
}

// notIn shows why a sign-in failed, slowly to an address from which many do.
func (s *server) notIn(w http.ResponseWriter, r *http.Request, next, problem string) {
	status := http.StatusForbidden
	if s.Lockout.Strike(r.Context(), r.RemoteAddr) {
		status, problem = http.StatusTooManyRequests, "Too many attempts from your address have failed. Wait a minute, and try again."
	}
	s.show(w, r, status, "login", s.loginPage(next, problem))
}

func (s *server) signedIn(w http.ResponseWriter, r *http.Request, one *login, next string) error {
	s.logins.end(w, r) // a browser has one login
	w.Header().Del("Set-Cookie")
	if err := s.logins.begin(w, r, one); err != nil {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *server) leave(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	s.logins.end(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

// ours is a path on this server, or "/": a link must not lead elsewhere.
func ours(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
