package api

import (
	"fmt"
	"net/http"
	"time"

	"dragoman.dev/dragoman/internal/identity/token"
)

// TokenRequest asks for a token: POST /v1/tokens.
type TokenRequest struct {
	Subject    string   `json:"subject,omitempty"`
	OnBehalfOf string   `json:"on_behalf_of,omitempty"`
	Chain      []string `json:"chain,omitempty"` // instead of the two above, principal first
	Groups     []string `json:"groups,omitempty"`
	TTL        string   `json:"ttl,omitempty"` // "1h"
	Targets    []string `json:"targets,omitempty"`
	CertDigest string   `json:"cert_digest,omitempty"` // bind it to a client certificate, hex SHA-256
}

// TokenResponse is the one time that the token is shown.
type TokenResponse struct {
	Token  string       `json:"token"`
	Issued token.Issued `json:"issued"`
}

func (h *handler) mint(w http.ResponseWriter, r *http.Request, c Caller) error {
	var q TokenRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	var ttl time.Duration
	if q.TTL != "" {
		var err error
		if ttl, err = time.ParseDuration(q.TTL); err != nil || ttl <= 0 {
			return fmt.Errorf("%w: ttl %q is not a duration like 1h", ErrInvalid, q.TTL)
		}
	}
	raw, issued, err := h.Tokens.Mint(r.Context(), token.MintRequest{Subject: q.Subject, OnBehalfOf: q.OnBehalfOf, Chain: q.Chain,
		Groups: q.Groups, TTL: ttl, Targets: q.Targets, CertDigest: q.CertDigest, By: c.Identity.Chain()})
	if err != nil {
		return err
	}
	h.Log.Info("a token is issued", "id", issued.Identity.TokenID, "chain", issued.Identity.Chain(), "by", c.Identity.Chain(), "via", c.Via)
	return reply(w, TokenResponse{raw, issued})
}

func (h *handler) listTokens(w http.ResponseWriter, r *http.Request, _ Caller) error {
	q := query{r: r}
	all, limit := q.flag("all"), int(q.number("limit"))
	if q.err != nil {
		return q.err
	}
	if limit == 0 {
		limit = 100
	}
	list, err := h.Tokens.List(r.Context(), all != nil && *all, limit)
	if err != nil {
		return err
	}
	if list == nil {
		list = []token.Issued{}
	}
	return reply(w, map[string]any{"tokens": list})
}

// RevokeRequest takes back one credential, or all of a subject.
type RevokeRequest struct {
	ID      string `json:"id,omitempty"`
	Subject string `json:"subject,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (h *handler) revoke(w http.ResponseWriter, r *http.Request, c Caller) error {
	var q RevokeRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	if (q.ID == "") == (q.Subject == "") {
		return fmt.Errorf("%w: give either id or subject", ErrInvalid)
	}
	by := c.Identity.Chain()
	if q.ID != "" {
		rev, err := h.Tokens.Revoke(r.Context(), q.ID, by, q.Reason)
		if err != nil {
			return err
		}
		return reply(w, rev)
	}
	rev, err := h.Tokens.RevokeSubject(r.Context(), q.Subject, by, q.Reason)
	if err != nil {
		return err
	}
	return reply(w, rev)
}
