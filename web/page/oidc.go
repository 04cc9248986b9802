package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"dragoman.dev/dragoman/internal/lockout"
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
	http.SetCookie(w, s.flowCookie(r, s.flows.add(one, lockout.Client(r.RemoteAddr), s.logins.now()), int(flowLife/time.Second)))
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
	http.SetCookie(w, s.flowCookie(r, "", -1))
	// A page and no redirect: the login's cookie is not sent with a navigation that another site has begun.
	s.show(w, r, http.StatusOK, "signedin", next)
	return nil
}

// tokenOf takes the provider's answer: it must belong to the flow that this browser has begun.
func (s *server) tokenOf(r *http.Request) (token, next string, err error) {
	cookie, err := r.Cookie(s.flowCookie(r, "", 0).Name)
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
