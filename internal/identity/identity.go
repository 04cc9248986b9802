// Package identity holds who acts: the value that every frame, policy input
// and approval carries. It owns the shape and the delegation chain; proving an
// identity is left to its sub-packages (token, oidc, spiffe).
package identity

import (
	"slices"
	"strings"
	"time"
)

// Methods by which an identity was proven.
const (
	MethodToken = "token" // a token that Dragoman itself minted
	MethodOIDC  = "oidc"  // a JWT of a configured OpenID Connect issuer
	MethodMTLS  = "mtls"  // a client certificate with a SPIFFE ID
	MethodLocal = "local" // the local admin socket, stated by its user

	MethodSSHKey  = "ssh-key"         // an SSH key that the config binds to somebody
	MethodSSHCert = "ssh-certificate" // an SSH user certificate of a configured CA
)

// Identity says who acts. The JSON form is what policy sees as
// input.identity and what frames keep; it holds no secret.
type Identity struct {
	// Subject is the party that acts now: the innermost actor, for example
	// "agent:ci-bot". Never empty in a proven identity.
	Subject string `json:"subject"`
	// Actors is the whole chain from the principal to Subject, both included,
	// principal first: ["user:alice@example.com", "agent:ci-bot"] (RFC 8693:
	// the token's "sub", then its nested "act" claims, innermost first).
	// Without delegation it is just [Subject].
	Actors []string `json:"actors"`
	// OnBehalfOf is the principal when Subject acts for somebody else, or "".
	OnBehalfOf string         `json:"on_behalf_of,omitempty"`
	Groups     []string       `json:"groups"`
	Issuer     string         `json:"issuer"`
	Method     string         `json:"method"`
	Claims     map[string]any `json:"claims,omitempty"`
	// TokenID is the credential's own id ("jti", or a certificate's SHA-256),
	// by which it can be revoked.
	TokenID string `json:"token_id,omitempty"`
	// Expires is when the credential ends; the session ends with it. Zero
	// means that it does not.
	Expires time.Time `json:"expires,omitzero"`
}

// New builds an identity from a chain, principal first.
func New(chain ...string) Identity {
	id := Identity{Actors: chain, Groups: []string{}}
	if n := len(chain); n > 0 {
		id.Subject = chain[n-1]
		if n > 1 {
			id.OnBehalfOf = chain[0]
		}
	}
	return id
}

// Chain is the delegation chain in one line, principal first, as the target's
// log shows it: "user:alice@example.com>agent:ci-bot".
func (id Identity) Chain() string { return strings.Join(id.Actors, ">") }

// Acts reports whether subject is one of the actors of the chain.
func (id Identity) Acts(subject string) bool { return slices.Contains(id.Actors, subject) }

// SameAs reports whether two identities are the same chain, by the same issuer's word.
func (id Identity) SameAs(o Identity) bool {
	return len(id.Actors) > 0 && id.Issuer == o.Issuer && slices.Equal(id.Actors, o.Actors)
}

// InGroup reports whether the identity has one of the groups.
func (id Identity) InGroup(groups ...string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(id.Groups, g) })
}
