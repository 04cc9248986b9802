package page

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/web/api"
)

// someIdentity is a chain of those who have tokens or sessions.
type someIdentity struct {
	Subject string
	Chain   []string
	Groups  []string
	Tokens  int // in force
	Live    []LiveSession
}

const identitiesShown = 500

// identities lists who has a token in force or an open session, those with sessions first.
func (s *server) identities(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	list, err := s.Tokens.List(r.Context(), false, identitiesShown)
	if err != nil {
		return err
	}
	byChain := map[string]*someIdentity{}
	of := func(chain, groups []string, subject string) *someIdentity {
		key := strings.Join(chain, "\x00")
		if byChain[key] == nil {
			byChain[key] = &someIdentity{Subject: subject, Chain: chain, Groups: groups}
		}
		return byChain[key]
	}
	for _, t := range list {
		if t.Revoked != nil {
			continue
		}
		of(t.Identity.Actors, t.Identity.Groups, t.Identity.Subject).Tokens++
	}
	for _, l := range s.console.Live() {
		one := of(l.Identity.Actors, l.Identity.Groups, l.Identity.Subject)
		one.Live = append(one.Live, l)
	}
	all := make([]*someIdentity, 0, len(byChain))
	for _, one := range byChain {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *someIdentity) int {
		if d := len(b.Live) - len(a.Live); d != 0 {
			return d
		}
		return strings.Compare(strings.Join(a.Chain, ">"), strings.Join(b.Chain, ">"))
	})
	cut := len(all) > identitiesShown
	s.show(w, r, http.StatusOK, "identities", struct {
		All []*someIdentity
		Cut bool
	}{all[:min(len(all), identitiesShown)], cut})
	return nil
}

// revokeSubject takes back all that a subject has, and ends its sessions.
func (s *server) revokeSubject(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	subject := r.PostFormValue("subject")
	if subject == "" {
		return fmt.Errorf("%w: the form names nobody", api.ErrInvalid)
	}
	if _, err := s.Tokens.RevokeSubject(r.Context(), subject, c.Identity.Chain(), r.PostFormValue("reason")); err != nil {
		return err
	}
	s.Log.Info("a subject is revoked", "subject", subject, "by", c.Identity.Chain(), "via", c.Via)
	http.Redirect(w, r, "/identities", http.StatusSeeOther)
	return nil
}

// mint issues a token, and shows it this once.
func (s *server) mint(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	words := func(name string) []string {
		return strings.FieldsFunc(r.PostFormValue(name), func(r rune) bool { return r == ',' || r == ' ' })
	}
	q := token.MintRequest{Subject: strings.TrimSpace(r.PostFormValue("subject")), OnBehalfOf: strings.TrimSpace(r.PostFormValue("on_behalf_of")),
		Groups: words("groups"), Targets: words("targets"), By: c.Identity.Chain()}
	if ttl := strings.TrimSpace(r.PostFormValue("ttl")); ttl != "" {
		var err error
		if q.TTL, err = time.ParseDuration(ttl); err != nil || q.TTL <= 0 {
			return fmt.Errorf("%w: %q is not a time like 1h", api.ErrInvalid, ttl)
		}
	}
	raw, issued, err := s.Tokens.Mint(r.Context(), q)
	if err != nil {
		return err
	}
	s.Log.Info("a token is issued", "id", issued.Identity.TokenID, "chain", issued.Identity.Chain(), "by", c.Identity.Chain(), "via", c.Via)
	s.show(w, r, http.StatusOK, "minted", struct {
		Token  string
		Issued token.Issued
	}{raw, issued})
	return nil
}

// sessionsOf is the list of an identity's sessions.
func sessionsOf(subject string) string {
	return "/sessions?" + url.Values{"identity": {subject}}.Encode()
}
