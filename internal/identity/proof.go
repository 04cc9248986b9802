package identity

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Credential is what a client presented. Token wins over a certificate: a
// token that is refused is never replaced by the certificate beside it.
type Credential struct {
	Token      string
	SPIFFE     string // URI SAN of a client certificate that Envoy verified
	CertDigest string // its SHA-256, hex
	// SSHKey is the public key or certificate, in SSH's wire form, whose private key the client has
	// proven to have; "" without one.
	SSHKey string
}

// Proof is a proven identity.
type Proof struct {
	Identity Identity
	// Issued is when the credential was made; zero when it does not say.
	Issued time.Time
	// CertDigest is the certificate that the credential is bound to (RFC 8705
	// "cnf"), hex, or "".
	CertDigest string
}

// Reason says why a credential was refused: for logs and metrics, not for the client.
type Reason string

const (
	ReasonMissing   Reason = "missing"
	ReasonMalformed Reason = "malformed"
	ReasonIssuer    Reason = "unknown_issuer"
	ReasonSignature Reason = "signature"
	ReasonExpired   Reason = "expired"
	ReasonNotYet    Reason = "not_yet_valid"
	ReasonAudience  Reason = "audience"
	ReasonClaims    Reason = "claims"
	ReasonRevoked   Reason = "revoked"
	ReasonBinding   Reason = "certificate_binding"
	// ReasonOffline: the issuer could not be asked for its keys. The
	// credential may be good; it is refused all the same.
	ReasonOffline Reason = "issuer_unreachable"
)

// Error is a refused credential.
type Error struct {
	Reason Reason
	Issuer string
	// Proven says that the signature was good, so that the client is who got
	// the token and may be told that it has expired.
	Proven bool
	// Err is the detail for the log; it never quotes the token.
	Err error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "identity: " + string(e.Reason)
	}
	return fmt.Sprintf("identity: %s: %v", e.Reason, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Refuse makes an *Error.
func Refuse(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// ReasonOf is the reason of an error, or "" when it is not an *Error.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// Verifier proves tokens of one issuer.
type Verifier interface {
	// Issuer is the exact "iss" that it answers for.
	Issuer() string
	// Verify fails with *Error.
	Verify(ctx context.Context, raw string) (Proof, error)
}

// CertVerifier maps the SPIFFE ID of a verified client certificate.
type CertVerifier interface {
	// Identify fails with *Error.
	Identify(spiffeID, certDigest string) (Proof, error)
}

// KeyVerifier maps SSH keys and certificates.
type KeyVerifier interface {
	// Identify fails with *Error.
	Identify(wire []byte) (Proof, error)
}

// Revocation takes a credential back, by its id or by an actor of its chain.
type Revocation struct {
	ID      int64     `json:"id"` // grows
	TokenID string    `json:"token_id,omitempty"`
	Subject string    `json:"subject,omitempty"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
}

// Covers reports whether the revocation hits a credential. By subject it hits
// those issued up to its time; a credential that does not say when it was
// issued (a certificate) is always hit.
func (r Revocation) Covers(p Proof) bool {
	if r.TokenID != "" && r.TokenID == p.Identity.TokenID {
		return true
	}
	if r.Subject == "" || p.Issued.After(r.At) {
		return false
	}
	for _, a := range p.Identity.Actors {
		if Same(a, r.Subject) {
			return true
		}
	}
	return false
}

// Revocations knows what was taken back.
type Revocations interface {
	// Check fails with *Error of ReasonRevoked when the credential was revoked,
	// and with another error when that cannot be told.
	Check(ctx context.Context, p Proof) error
	// Subscribe calls f for every later revocation, in order, from one
	// goroutine, until cancel is called. f must not block.
	Subscribe(f func(Revocation)) (cancel func())
}
