package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"dragoman.dev/dragoman/internal/identity"
)

// AssertionType is the "typ" of a signed identity chain. It is not a token: it is signed with keys of its
// own, and says who acts, to a target that has been reached already.
const AssertionType = "dragoman-identity+jwt"

// Assertion says to a target who acts.
type Assertion struct {
	Issuer  string // name of this deployment
	Target  string // the audience
	Session string
	ID      identity.Identity
	Issued  time.Time
	Expires time.Time
}

type assertionClaims struct {
	Iss     string   `json:"iss"`
	Sub     string   `json:"sub"` // the principal
	Aud     string   `json:"aud"`
	Act     *actor   `json:"act,omitempty"` // who acts for it (RFC 8693)
	Groups  []string `json:"groups,omitempty"`
	Session string   `json:"sid"`
	Iat     int64    `json:"iat"`
	Exp     int64    `json:"exp"`
}

// Assert signs an identity chain (JWS, EdDSA) with the key that signs now.
func (k *Keys) Assert(a Assertion) (string, error) {
	chain := a.ID.Actors
	if len(chain) == 0 {
		return "", errors.New("token: an identity without actors")
	}
	c := assertionClaims{Iss: a.Issuer, Sub: chain[0], Aud: a.Target, Groups: a.ID.Groups, Session: a.Session,
		Iat: a.Issued.Unix(), Exp: a.Expires.Unix()}
	for _, name := range chain[1:] { // the last one acts: outermost
		c.Act = &actor{Sub: name, Act: c.Act}
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	kid, key := k.signing()
	if key == nil {
		return "", errors.New("token: no key to sign with")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key},
		(&jose.SignerOptions{}).WithType(AssertionType).WithHeader("kid", kid))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	sig, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return sig.CompactSerialize()
}

// JWKS is the JSON Web Key Set of all keys that verify.
func (k *Keys) JWKS() ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, id := range k.KeyIDs() {
		if pub, ok := k.lookup(id); ok {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: pub, KeyID: id, Algorithm: string(jose.EdDSA), Use: "sig"})
		}
	}
	return json.Marshal(set)
}
