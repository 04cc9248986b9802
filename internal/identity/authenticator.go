package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dragoman.dev/dragoman/internal/identity/jwt"
)

// Authenticator turns a credential into an identity: exactly one verifier per
// issuer, chosen by the token's "iss", which that verifier then proves.
type Authenticator struct {
	verifiers   map[string]Verifier
	certs       CertVerifier
	keys        KeyVerifier // nil: SSH keys prove nothing
	revocations Revocations
}

// NewAuthenticator fails when two verifiers claim one issuer. Certs may be nil:
// then certificates prove nothing. Revocations must be given.
func NewAuthenticator(verifiers []Verifier, certs CertVerifier, revocations Revocations) (*Authenticator, error) {
	if revocations == nil {
		return nil, errors.New("identity: no revocation store")
	}
	a := &Authenticator{verifiers: map[string]Verifier{}, certs: certs, revocations: revocations}
	for _, v := range verifiers {
		if v.Issuer() == "" {
			return nil, errors.New("identity: a verifier without an issuer")
		}
		if _, dup := a.verifiers[v.Issuer()]; dup {
			return nil, fmt.Errorf("identity: issuer %q is configured twice", v.Issuer())
		}
		a.verifiers[v.Issuer()] = v
	}
	return a, nil
}

// WithKeys has the authenticator accept SSH keys and certificates.
func (a *Authenticator) WithKeys(k KeyVerifier) *Authenticator {
	a.keys = k
	return a
}

// Authenticate proves who presents the credential. It fails with *Error when
// the credential is refused, and with another error when a revocation cannot be looked up.
func (a *Authenticator) Authenticate(ctx context.Context, c Credential) (Proof, error) {
	p, err := a.prove(ctx, c)
	if err != nil {
		return Proof{}, err
	}
	if err := p.Identity.Validate(); err != nil {
		return Proof{}, &Error{Reason: ReasonClaims, Issuer: p.Identity.Issuer, Err: err}
	}
	if p.CertDigest != "" && !strings.EqualFold(p.CertDigest, c.CertDigest) {
		return Proof{}, Refuse(ReasonBinding, "the token is bound to another client certificate")
	}
	if err := a.revocations.Check(ctx, p); err != nil {
		return Proof{}, err
	}
	return p, nil
}

// Recheck reports whether a proof still stands: for a session that waited for
// a human between proof and opening.
func (a *Authenticator) Recheck(ctx context.Context, p Proof) error {
	return a.revocations.Check(ctx, p)
}

func (a *Authenticator) prove(ctx context.Context, c Credential) (Proof, error) {
	switch {
	case c.Token != "":
		iss, err := issuer(c.Token)
		if err != nil {
			return Proof{}, err
		}
		v, ok := a.verifiers[iss]
		if !ok {
			return Proof{}, Refuse(ReasonIssuer, "no issuer %.200q is configured", iss)
		}
		return v.Verify(ctx, c.Token)
	case c.SSHKey != "" && a.keys != nil:
		return a.keys.Identify([]byte(c.SSHKey))
	case c.SPIFFE != "" && a.certs != nil:
		return a.certs.Identify(c.SPIFFE, c.CertDigest)
	}
	return Proof{}, Refuse(ReasonMissing, "neither a token nor a client certificate")
}

// issuer reads "iss" of a token whose shape is sound.
func issuer(raw string) (string, error) {
	if len(raw) > MaxToken {
		return "", Refuse(ReasonMalformed, "a token of %d bytes, over the limit of %d", len(raw), MaxToken)
	}
	t, err := jwt.Parse(raw)
	if err != nil {
		return "", &Error{Reason: ReasonMalformed, Err: err}
	}
	iss, err := t.Claims.Text("iss")
	if err != nil {
		return "", &Error{Reason: ReasonMalformed, Err: err}
	}
	return iss, nil
}
