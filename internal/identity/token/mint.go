package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/ulid"
)

// What is fixed in our tokens.
const (
	Audience = "dragoman"
	// Type is the explicit "typ" (RFC 8725 section 3.11): no other token that
	// happens to be signed with the same key passes for one of ours.
	Type = "dragoman+jwt"
	// DefaultIssuer is "iss" unless configured.
	DefaultIssuer = "dragoman"
	// ClaimTargets limits a token to targets by name.
	ClaimTargets = "targets"
)

// Lifetimes.
const (
	DefaultTTL = time.Hour
	// MaxTTL is the longest life unless configured.
	MaxTTL = 24 * time.Hour
)

// MintRequest says what a token shall prove.
type MintRequest struct {
	// Subject acts; OnBehalfOf is the principal, or "".
	Subject    string
	OnBehalfOf string
	// Chain is the whole chain instead, principal first, for deeper delegation.
	Chain  []string
	Groups []string
	TTL    time.Duration // 0 means DefaultTTL
	// Targets limits the token to these; none means all that policy allows.
	Targets []string
	// By says who had it made, for the list of issued tokens.
	By string
	// CertDigest binds it to a client certificate (hex SHA-256), or "".
	CertDigest string
}

// chain resolves the two ways of asking.
func (r MintRequest) chain() ([]string, error) {
	switch {
	case len(r.Chain) > 0 && (r.Subject != "" || r.OnBehalfOf != ""):
		return nil, errors.New("token: give a chain, or subject and on-behalf-of, not both")
	case len(r.Chain) > 0:
		return r.Chain, nil
	case r.OnBehalfOf != "":
		return []string{r.OnBehalfOf, r.Subject}, nil
	}
	return []string{r.Subject}, nil
}

// actor is one nested "act".
type actor struct {
	Sub string `json:"sub"`
	Act *actor `json:"act,omitempty"`
}

type claims struct {
	Iss     string   `json:"iss"`
	Sub     string   `json:"sub"`
	Aud     string   `json:"aud"`
	Act     *actor   `json:"act,omitempty"`
	Groups  []string `json:"groups"`
	Targets []string `json:"targets,omitempty"`
	ID      string   `json:"jti"`
	Iat     int64    `json:"iat"`
	Nbf     int64    `json:"nbf"`
	Exp     int64    `json:"exp"`
	Cnf     *binding `json:"cnf,omitempty"`
}

// Issuer mints and verifies. It implements identity.Verifier.
type Issuer struct {
	name   string
	keys   *Keys
	store  *Store
	maxTTL time.Duration
	now    func() time.Time
}

// Config of an Issuer.
type Config struct {
	Name   string        // "iss"; "" means DefaultIssuer
	MaxTTL time.Duration // 0 means the package's MaxTTL
	Now    func() time.Time
}

// NewIssuer returns an issuer on keys and store.
func NewIssuer(keys *Keys, store *Store, c Config) *Issuer {
	if c.Name == "" {
		c.Name = DefaultIssuer
	}
	if c.MaxTTL <= 0 {
		c.MaxTTL = MaxTTL
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Issuer{name: c.Name, keys: keys, store: store, maxTTL: c.MaxTTL, now: c.Now}
}

// Mint makes a token and lists it as issued before it is handed out. The raw
// token is returned once and kept nowhere.
func (i *Issuer) Mint(ctx context.Context, req MintRequest) (raw string, issued Issued, err error) {
	chain, err := req.chain()
	if err != nil {
		return "", Issued{}, err
	}
	ttl := req.TTL
	if ttl == 0 {
		ttl = DefaultTTL
	}
	if ttl < time.Second || ttl > i.maxTTL {
		return "", Issued{}, fmt.Errorf("token: a life of %s is not between 1s and %s", ttl, i.maxTTL)
	}
	id := identity.New(slices.Clone(chain)...)
	id.Groups = append(id.Groups, req.Groups...)
	if err := id.Validate(); err != nil {
		return "", Issued{}, err
	}
	for _, t := range req.Targets {
		if err := identity.CheckName(t); err != nil {
			return "", Issued{}, fmt.Errorf("token: target: %w", err)
		}
	}
	precise := i.now().UTC()
	now := precise.Truncate(time.Second)
	id.Issuer, id.Method = i.name, identity.MethodToken
	id.TokenID = ulid.New("tok_", precise)
	id.Expires = now.Add(ttl.Truncate(time.Second))
	issued = Issued{Identity: id, Targets: req.Targets, Issued: precise, By: req.By}
	if raw, err = i.sign(issued, req.CertDigest); err != nil {
		return "", Issued{}, err
	}
	if len(raw) > identity.MaxToken {
		return "", Issued{}, fmt.Errorf("token: it would have %d bytes, over the limit of %d: fewer groups or targets", len(raw), identity.MaxToken)
	}
	if err := i.store.add(ctx, issued); err != nil {
		return "", Issued{}, err
	}
	return raw, issued, nil
}

func (i *Issuer) sign(is Issued, certDigest string) (string, error) {
	chain := is.Identity.Actors
	c := claims{Iss: i.name, Sub: chain[0], Aud: Audience, Groups: is.Identity.Groups, Targets: is.Targets,
		ID: is.Identity.TokenID, Iat: is.Issued.Unix(), Nbf: is.Issued.Unix(), Exp: is.Identity.Expires.Unix()}
	for _, name := range chain[1:] { // the last one acts: outermost
		c.Act = &actor{Sub: name, Act: c.Act}
	}
	var err error
	if c.Cnf, err = newBinding(certDigest); err != nil {
		return "", err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	kid, key := i.keys.signing()
	if key == nil {
		return "", errors.New("token: no key to sign with")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key},
		(&jose.SignerOptions{}).WithType(Type).WithHeader("kid", kid))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	sig, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return sig.CompactSerialize()
}
