// Package httpcred makes the header fields that an HTTP target gets from the gateway: its credential, and who acts as
// a signed header. It runs at the control plane; the fields reach a gateway with a session's opening and nowhere else.
package httpcred

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
)

// IdentityHeader carries the signed identity chain.
const IdentityHeader = "dragoman-identity"

const (
	// assertionLife is how long a signed identity chain is good.
	assertionLife = time.Hour
	// margin is how much earlier than it ends a field is taken for spent.
	margin = time.Minute
	// tokenLife is how long a service account's token is used before its reference is resolved anew: kubelet renews the file.
	tokenLife = 15 * time.Minute
)

// Secrets resolves references.
type Secrets interface {
	Resolve(context.Context, config.Ref) (config.Secret, error)
}

// Source makes header fields. Keys may be nil: then there is no identity header.
type Source struct {
	Secrets Secrets
	Keys    *token.Keys
	Issuer  string
	Now     func() time.Time
	tokens  tokenCache
}

// Session is whom the fields are for.
type Session struct {
	ID       string
	Identity identity.Identity
}

// Credentials are a target's for a session.
func (s *Source) Credentials(ctx context.Context, t *config.Target, of Session) (check.Credentials, error) {
	var out check.Credentials
	field, until, err := s.credential(ctx, t)
	if err != nil {
		return check.Credentials{}, err
	}
	if field.Name != "" {
		out.Headers = append(out.Headers, field)
		out.Expires = until
	}
	if t.Protocol == config.ProtocolKubernetes && t.Kubernetes.Impersonates() {
		as, err := impersonation(of)
		if err != nil {
			return check.Credentials{}, fmt.Errorf("target %s: %w", t.Name, err)
		}
		out.Headers = append(out.Headers, as...)
	}
	if s.Keys == nil || t.HTTP.IdentityHeader == nil || !*t.HTTP.IdentityHeader {
		return out, nil
	}
	now := s.Now()
	ends := now.Add(assertionLife)
	signed, err := s.Keys.Assert(token.Assertion{Issuer: s.Issuer, Target: t.Name, Session: of.ID, ID: of.Identity, Issued: now, Expires: ends})
	if err != nil {
		return check.Credentials{}, err
	}
	out.Headers = append(out.Headers, check.Header{Name: IdentityHeader, Value: signed})
	if at := ends.Add(-margin); out.Expires.IsZero() || at.Before(out.Expires) {
		out.Expires = at
	}
	return out, nil
}

// credential is the field that authenticates the gateway to the target; none has no name.
func (s *Source) credential(ctx context.Context, t *config.Target) (check.Header, time.Time, error) {
	c := t.Credentials
	switch {
	case c.Token != "":
		v, err := s.Secrets.Resolve(ctx, c.Token)
		token := strings.TrimSpace(v.Reveal())
		return check.Header{Name: "authorization", Value: "Bearer " + token}, s.Now().Add(tokenLife), usable(token, err)
	case c.OAuth != nil:
		return s.oauth(ctx, t)
	case c.Header != "":
		v, err := s.Secrets.Resolve(ctx, c.Value)
		return check.Header{Name: strings.ToLower(c.Header), Value: v.Reveal()}, time.Time{}, usable(v.Reveal(), err)
	case c.User != "":
		user, err := s.Secrets.Resolve(ctx, c.User)
		if err != nil {
			return check.Header{}, time.Time{}, err
		}
		password, err := s.Secrets.Resolve(ctx, c.Password)
		if err != nil {
			return check.Header{}, time.Time{}, err
		}
		if strings.Contains(user.Reveal(), ":") {
			return check.Header{}, time.Time{}, fmt.Errorf("target %s: a user with a colon cannot log in by Basic", t.Name)
		}
		pair := base64.StdEncoding.EncodeToString([]byte(user.Reveal() + ":" + password.Reveal()))
		return check.Header{Name: "authorization", Value: "Basic " + pair}, time.Time{}, nil
	}
	return check.Header{}, time.Time{}, nil
}

// usable checks that a value can be sent as a header field. The error does not quote it.
func usable(v string, err error) error {
	if err != nil {
		return err
	}
	if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
		return fmt.Errorf("a credential is empty, or has characters that no header field may have")
	}
	return nil
}
