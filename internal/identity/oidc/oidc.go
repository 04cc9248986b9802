// Package oidc verifies JWTs of foreign issuers: OpenID Connect providers, CI
// systems, Kubernetes. It owns discovery, keys and the mapping of claims onto
// an identity. What the identity may do is left to policy.
package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/jwt"
)

// DefaultAlgorithms are all asymmetric ones. "none" and HS* cannot be allowed.
var DefaultAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Leeway is for clocks that differ from the issuer's; an expired token has none.
const Leeway = 30 * time.Second

// Config of one issuer.
type Config struct {
	Issuer string // exact "iss"; its discovery document must name it too
	// Audiences: the token must be for one of them. Never empty.
	Audiences []string
	// JWKSURL replaces discovery, for issuers that have none.
	JWKSURL    string
	Algorithms []string // nil means DefaultAlgorithms
	Mapping    Mapping
	// AllowHTTP accepts http:// URLs, on loopback addresses only.
	AllowHTTP bool
	// Client fetches discovery and keys; nil means one with the system's CAs (see
	// NewClient). It must not follow redirects.
	Client *http.Client
	// RefreshEvery bounds how often an unknown key id makes the keys be
	// fetched; 0 means DefaultRefreshEvery.
	RefreshEvery time.Duration
	Now          func() time.Time
	Log          *slog.Logger
}

// Verifier implements identity.Verifier for one issuer. It fetches nothing
// before the first token.
type Verifier struct {
	c    Config
	m    *mapper
	keys *keySet
}

var _ identity.Verifier = (*Verifier)(nil)

// New checks the configuration.
func New(c Config) (*Verifier, error) {
	if c.Algorithms == nil {
		c.Algorithms = DefaultAlgorithms
	}
	if c.Now == nil || c.Log == nil {
		return nil, errors.New("oidc: an option is missing")
	}
	if len(c.Audiences) == 0 || slices.Contains(c.Audiences, "") {
		return nil, fmt.Errorf("oidc: issuer %s: name the audience that its tokens must have", c.Issuer)
	}
	for _, alg := range c.Algorithms {
		if !slices.Contains(DefaultAlgorithms, alg) {
			return nil, fmt.Errorf("oidc: issuer %s: algorithm %q is never accepted", c.Issuer, alg)
		}
	}
	for _, u := range []string{c.Issuer, c.JWKSURL} {
		if err := checkURL(u, c.AllowHTTP); err != nil && (u != "" || u == c.Issuer) {
			return nil, err
		}
	}
	m, err := newMapper(c.Mapping)
	if err != nil {
		return nil, fmt.Errorf("oidc: issuer %s: %w", c.Issuer, err)
	}
	if c.Client == nil {
		if c.Client, err = NewClient(nil); err != nil {
			return nil, err
		}
	}
	return &Verifier{c: c, m: m, keys: newKeySet(c)}, nil
}

// signed returns the verified payload. go-oidc checks algorithm, signature
// and issuer; times and audience are checked by proof, more strictly.
func (v *Verifier) signed(ctx context.Context, raw string) (payload json.RawMessage, err error) {
	call := &callKeys{keySet: v.keys}
	t, err := oidc.NewVerifier(v.c.Issuer, call, &oidc.Config{
		SupportedSigningAlgs: v.c.Algorithms, SkipClientIDCheck: true, SkipExpiryCheck: true, Now: v.c.Now,
	}).Verify(ctx, raw)
	var offline *offlineError
	switch {
	case errors.As(call.err, &offline):
		return nil, v.refuse(identity.ReasonOffline, offline)
	case err != nil:
		return nil, v.refuse(identity.ReasonSignature, err)
	}
	if err := t.Claims(&payload); err != nil {
		return nil, v.refuse(identity.ReasonMalformed, err)
	}
	return payload, nil
}

// callKeys keeps the key set's error, of which go-oidc passes on the text only.
type callKeys struct {
	*keySet
	err error
}

// VerifySignature implements oidc.KeySet.
func (c *callKeys) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	payload, c.err = c.keySet.VerifySignature(ctx, raw)
	return payload, c.err
}

// Issuer implements identity.Verifier.
func (v *Verifier) Issuer() string { return v.c.Issuer }

func (v *Verifier) refuse(r identity.Reason, err error) error {
	return &identity.Error{Reason: r, Issuer: v.c.Issuer, Err: err}
}

// Verify implements identity.Verifier.
func (v *Verifier) Verify(ctx context.Context, raw string) (identity.Proof, error) {
	if len(raw) > identity.MaxToken {
		return identity.Proof{}, v.refuse(identity.ReasonMalformed, errors.New("token too long"))
	}
	shape, err := jwt.Parse(raw)
	if err != nil {
		return identity.Proof{}, v.refuse(identity.ReasonMalformed, err)
	}
	if !slices.Contains(v.c.Algorithms, shape.Alg) {
		return identity.Proof{}, v.refuse(identity.ReasonMalformed, fmt.Errorf("algorithm %.32q is not allowed", shape.Alg))
	}
	payload, err := v.signed(ctx, raw)
	if err != nil {
		return identity.Proof{}, err
	}
	claims, err := jwt.ParseClaims(payload)
	if err != nil {
		return identity.Proof{}, v.refuse(identity.ReasonMalformed, err)
	}
	return v.proof(raw, claims)
}

// proof checks and maps the claims of a token whose signature is good.
func (v *Verifier) proof(raw string, c jwt.Claims) (identity.Proof, error) {
	if iss, err := c.Text("iss"); err != nil || iss != v.c.Issuer {
		return identity.Proof{}, v.refuse(identity.ReasonIssuer, errors.New("iss is another one"))
	}
	aud, err := c.Texts("aud")
	if err != nil || !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(v.c.Audiences, a) }) {
		return identity.Proof{}, v.refuse(identity.ReasonAudience, fmt.Errorf("it is for %.200q", aud))
	}
	issued, expires, err := c.Window(v.c.Now(), Leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return identity.Proof{}, &identity.Error{Reason: identity.ReasonExpired, Issuer: v.c.Issuer, Proven: true, Err: err}
	case errors.Is(err, jwt.ErrNotYet):
		return identity.Proof{}, &identity.Error{Reason: identity.ReasonNotYet, Issuer: v.c.Issuer, Proven: true, Err: err}
	case err != nil:
		return identity.Proof{}, v.refuse(identity.ReasonClaims, err)
	}
	if _, bound := c["cnf"]; bound {
		return identity.Proof{}, v.refuse(identity.ReasonBinding, errors.New("it is bound to a key (cnf) whose possession cannot be checked here"))
	}
	id, err := v.m.identity(c)
	if err != nil {
		return identity.Proof{}, v.refuse(identity.ReasonClaims, err)
	}
	id.Issuer, id.Method, id.Expires = v.c.Issuer, identity.MethodOIDC, expires
	id.TokenID = tokenID(raw, c)
	if err := id.Validate(); err != nil {
		return identity.Proof{}, v.refuse(identity.ReasonClaims, err)
	}
	if !issued.IsZero() { // its clock may be ahead: a revocation must not miss it
		issued = issued.Add(-Leeway)
	}
	return identity.Proof{Identity: id, Issued: issued}, nil
}

// tokenID is "jti", or a digest of the token where that is missing or odd.
func tokenID(raw string, c jwt.Claims) string {
	if jti, err := c.Text("jti"); err == nil && identity.CheckGroup(jti) == nil {
		return jti
	}
	sum := sha256.Sum256([]byte(raw))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// signatureAlgorithms is the list in go-jose's type.
func signatureAlgorithms(names []string) []jose.SignatureAlgorithm {
	algs := make([]jose.SignatureAlgorithm, len(names))
	for i, n := range names {
		algs[i] = jose.SignatureAlgorithm(n)
	}
	return algs
}
