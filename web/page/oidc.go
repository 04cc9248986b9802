package page

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"dragoman.dev/dragoman/web/api"
)

// OIDC lets people sign in at an OpenID provider: the authorization code flow with PKCE. The ID token that it gives is
// then proven like any other bearer token, so its audience (the client id) has to be one that identities are taken from.
type OIDC struct {
	Name     string // of the provider, for the button
	Issuer   string
	ClientID string
	// ClientSecret is asked for at each sign-in; "" is for a public client.
	ClientSecret func(context.Context) (string, error)
	RedirectURL  string // this server's /login/oidc/callback, as browsers reach it
	Scopes       []string
	Client       *http.Client // towards the provider; bounded

	mu       sync.Mutex
	provider *oidc.Provider
}

const (
	flowCookie = "dragoman_oidc"
	flowLife   = 10 * time.Minute
	maxFlows   = 10_000
)

// flow is a sign-in that has begun: what has to come back.
type flow struct {
	state, nonce, verifier, next string
	begun                        time.Time
}

// flows are kept here, and not in the cookie: a cookie is what an attacker may plant.
type flows struct {
	mu sync.Mutex
	m  map[[sha256.Size]byte]flow
}

func (f *flows) add(one flow, now time.Time) (cookie string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, old := range f.m {
		if now.Sub(old.begun) > flowLife {
			delete(f.m, k)
		}
	}
	if len(f.m) >= maxFlows {
		return "", fmt.Errorf("%w: too many people are signing in", api.ErrUnavailable)
	}
	if f.m == nil {
		f.m = map[[sha256.Size]byte]flow{}
	}
	cookie = secret()
	f.m[sha256.Sum256([]byte(cookie))] = one
	return cookie, nil
}

// take gives a flow once.
func (f *flows) take(cookie string, now time.Time) (flow, bool) {
	k := sha256.Sum256([]byte(cookie))
	f.mu.Lock()
	defer f.mu.Unlock()
	one, ok := f.m[k]
	delete(f.m, k)
	return one, ok && now.Sub(one.begun) <= flowLife
}

// config discovers the provider once it is needed, so that the page starts without it.
func (o *OIDC) config(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider == nil {
		p, err := oidc.NewProvider(ctx, o.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: the sign-in service does not answer", errors.Join(api.ErrUnavailable, err))
		}
		o.provider = p
	}
	c := &oauth2.Config{ClientID: o.ClientID, Endpoint: o.provider.Endpoint(), RedirectURL: o.RedirectURL,
		Scopes: append([]string{oidc.ScopeOpenID}, o.Scopes...)}
	if o.ClientSecret != nil {
		var err error
		if c.ClientSecret, err = o.ClientSecret(ctx); err != nil {
			return nil, nil, err
		}
	}
	return c, o.provider.Verifier(&oidc.Config{ClientID: o.ClientID}), nil
}

// toProvider sends a browser to the provider.
func (s *server) toProvider(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	if s.oidc == nil {
		return fmt.Errorf("%w: there is no sign-in service: give admin.oidc in the configuration", api.ErrNotFound)
	}
	c, _, err := s.oidc.config(oidc.ClientContext(r.Context(), s.oidc.Client))
	if err != nil {
		return err
	}
	one := flow{state: secret(), nonce: secret(), verifier: oauth2.GenerateVerifier(), next: ours(r.URL.Query().Get("next")), begun: s.logins.now()}
	value, err := s.flows.add(one, s.logins.now())
	if err != nil {
		return err
	}
	// Lax: the provider sends the browser back from another site.
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Value: value, Path: "/login/oidc", HttpOnly: true, Secure: r.TLS != nil,
		SameSite: http.SameSiteLaxMode, MaxAge: int(flowLife / time.Second)})
	http.Redirect(w, r, c.AuthCodeURL(one.state, oidc.Nonce(one.nonce), oauth2.S256ChallengeOption(one.verifier)), http.StatusSeeOther)
	return nil
}

// fromProvider signs a browser in that comes back.
func (s *server) fromProvider(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	if s.oidc == nil {
		return fmt.Errorf("%w: there is no sign-in service", api.ErrNotFound)
	}
	token, next, err := s.tokenOf(r)
	if err != nil {
		s.Log.Warn("page: a sign-in at the provider failed", "client", r.RemoteAddr, "err", err)
		s.show(w, r, http.StatusForbidden, "login", s.loginPage("/", "Signing in at "+s.oidc.Name+" did not work. Try again."))
		return nil
	}
	c, err := s.logins.known(r, token)
	problem := ""
	switch {
	case err != nil:
		problem = s.oidc.Name + " knows you, but its tokens are not accepted here: the configuration's identity.oidc has to take this client's."
	case len(c.Roles) == 0:
		problem = c.Identity.Subject + " has no role here. Roles are given in the configuration, by admin.grants."
	}
	if problem != "" {
		s.show(w, r, http.StatusForbidden, "login", s.loginPage(next, problem))
		return nil
	}
	s.logins.end(w, r)
	w.Header().Del("Set-Cookie")
	if err := s.logins.begin(w, r, &login{token: token}); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Path: "/login/oidc", HttpOnly: true, MaxAge: -1})
	// A page and no redirect: the login's cookie is not sent with a navigation that another site has begun.
	s.show(w, r, http.StatusOK, "signedin", next)
	return nil
}

// tokenOf takes the provider's answer: it must belong to the flow that this browser has begun.
func (s *server) tokenOf(r *http.Request) (token, next string, err error) {
	cookie, err := r.Cookie(flowCookie)
	if err != nil {
		return "", "", errors.New("the browser has begun no sign-in")
	}
	one, ok := s.flows.take(cookie.Value, s.logins.now())
	q := r.URL.Query()
	switch {
	case !ok:
		return "", "", errors.New("the sign-in is unknown or too old")
	case q.Get("state") != one.state:
		return "", "", errors.New("the answer is for another sign-in")
	case q.Get("error") != "":
		return "", "", fmt.Errorf("the provider says %q", q.Get("error"))
	}
	ctx := oidc.ClientContext(r.Context(), s.oidc.Client)
	c, verifier, err := s.oidc.config(ctx)
	if err != nil {
		return "", "", err
	}
	answer, err := c.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(one.verifier))
	if err != nil {
		return "", "", err
	}
	raw, _ := answer.Extra("id_token").(string)
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return "", "", err
	}
	if id.Nonce != one.nonce {
		return "", "", errors.New("the ID token is for another sign-in")
	}
	return raw, one.next, nil
}
