package token

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/jwt"
)

// leeway is for clocks of several machines that share keys.
const leeway = 30 * time.Second

var _ identity.Verifier = (*Issuer)(nil)

// Issuer implements identity.Verifier.
func (i *Issuer) Issuer() string { return i.name }

// Verify implements identity.Verifier. A token that is not in the list of
// issued ones is refused even when its signature is good: a lost list must not
// bring revoked tokens back.
func (i *Issuer) Verify(ctx context.Context, raw string) (identity.Proof, error) {
	c, err := i.signed(raw)
	if err != nil {
		return identity.Proof{}, err
	}
	p, err := i.proof(c)
	if err != nil {
		return identity.Proof{}, err
	}
	at, known, err := i.store.issuedAt(ctx, p.Identity.TokenID)
	if err != nil {
		return identity.Proof{}, fmt.Errorf("token: looking up an issued token: %w", err)
	}
	if !known {
		return identity.Proof{}, i.refuse(identity.ReasonRevoked, errors.New("not in the list of issued tokens"))
	}
	p.Issued = at
	return p, nil
}

func (i *Issuer) refuse(r identity.Reason, err error) error {
	return &identity.Error{Reason: r, Issuer: i.name, Err: err}
}

// signed returns the claims of a token that one of our keys signed.
func (i *Issuer) signed(raw string) (jwt.Claims, error) {
	if len(raw) > identity.MaxToken {
		return nil, i.refuse(identity.ReasonMalformed, errors.New("token too long"))
	}
	shape, err := jwt.Parse(raw)
	if err != nil {
		return nil, i.refuse(identity.ReasonMalformed, err)
	}
	if shape.Alg != string(jose.EdDSA) || shape.Type != Type {
		return nil, i.refuse(identity.ReasonMalformed, fmt.Errorf("alg %.32q, typ %.32q", shape.Alg, shape.Type))
	}
	key, ok := i.keys.lookup(shape.KeyID)
	if !ok {
		return nil, i.refuse(identity.ReasonSignature, fmt.Errorf("no key %.64q", shape.KeyID))
	}
	sig, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, i.refuse(identity.ReasonMalformed, err)
	}
	payload, err := sig.Verify(key)
	if err != nil {
		return nil, i.refuse(identity.ReasonSignature, err)
	}
	c, err := jwt.ParseClaims(payload)
	if err != nil {
		return nil, i.refuse(identity.ReasonMalformed, err)
	}
	return c, nil
}

// proof checks the claims of a token whose signature is good.
func (i *Issuer) proof(c jwt.Claims) (identity.Proof, error) {
	if iss, err := c.Text("iss"); err != nil || iss != i.name {
		return identity.Proof{}, i.refuse(identity.ReasonIssuer, errors.New("iss is not ours"))
	}
	aud, err := c.Texts("aud")
	if err != nil || !slices.Contains(aud, Audience) {
		return identity.Proof{}, i.refuse(identity.ReasonAudience, errors.New("aud is not ours"))
	}
	issued, expires, err := c.Window(i.now(), leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return identity.Proof{}, &identity.Error{Reason: identity.ReasonExpired, Issuer: i.name, Proven: true, Err: err}
	case errors.Is(err, jwt.ErrNotYet):
		return identity.Proof{}, &identity.Error{Reason: identity.ReasonNotYet, Issuer: i.name, Proven: true, Err: err}
	case err != nil:
		return identity.Proof{}, i.refuse(identity.ReasonClaims, err)
	case issued.IsZero() || expires.Sub(issued) > i.maxTTL:
		return identity.Proof{}, i.refuse(identity.ReasonClaims, errors.New("it lives longer than is allowed"))
	}
	chain, err := c.Chain(identity.MaxDepth)
	if err != nil {
		return identity.Proof{}, i.refuse(identity.ReasonClaims, err)
	}
	id := identity.New(chain...)
	id.Issuer, id.Method, id.Expires = i.name, identity.MethodToken, expires
	groups, err1 := c.Texts("groups")
	targets, err2 := c.Texts(ClaimTargets)
	cert, err3 := certDigest(c)
	var err4 error
	id.TokenID, err4 = c.Text("jti")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return identity.Proof{}, i.refuse(identity.ReasonClaims, err)
	}
	id.Groups = append(id.Groups, groups...)
	if targets != nil {
		id.Claims = map[string]any{ClaimTargets: targets}
	}
	if err := id.Validate(); err != nil {
		return identity.Proof{}, i.refuse(identity.ReasonClaims, err)
	}
	return identity.Proof{Identity: id, Issued: issued, CertDigest: cert}, nil
}

// Targets are the targets that a token of ours is limited to; nil means no
// limit. It reads identities that went through JSON as well.
func Targets(id identity.Identity) []string {
	limit, has := id.Claims[ClaimTargets]
	if id.Method != identity.MethodToken || !has {
		return nil
	}
	targets := []string{} // a limit that cannot be read allows nothing
	switch l := limit.(type) {
	case []string:
		targets = append(targets, l...)
	case []any:
		for _, t := range l {
			if s, ok := t.(string); ok {
				targets = append(targets, s)
			}
		}
	}
	return targets
}

// binding is "cnf" with a certificate's thumbprint (RFC 8705 section 3.1).
type binding struct {
	X5tS256 string `json:"x5t#S256"`
}

func newBinding(hexDigest string) (*binding, error) {
	if hexDigest == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(hexDigest)
	if err != nil || len(sum) != 32 {
		return nil, errors.New("token: a certificate digest is 64 hex digits (SHA-256)")
	}
	return &binding{base64.RawURLEncoding.EncodeToString(sum)}, nil
}

// certDigest reads "cnf". A binding of a kind that we do not know is refused.
func certDigest(c jwt.Claims) (string, error) {
	cnf, err := c.Object("cnf")
	if err != nil || cnf == nil {
		return "", err
	}
	s, err := cnf.Text("x5t#S256")
	if err != nil || len(cnf) != 1 {
		return "", errors.New("token: an unknown kind of cnf")
	}
	sum, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(sum) != 32 {
		return "", errors.New("token: bad cnf")
	}
	return hex.EncodeToString(sum), nil
}
