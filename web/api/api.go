// Package api is the control plane's HTTP API: tokens, holds, sessions, policy
// and nodes as JSON, on the admin socket and, with bearer tokens, on a TCP port. It
// owns the routes, who may call them and the wire form (openapi.json); what they
// do is behind the interfaces below, which cmd fills in.
package api

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/translog"
)

// Errors that a backend returns (wrapped) to choose the answer's status. Any
// other error is a fault of the server: its text goes to the log only.
var (
	ErrNotFound  = errors.New("not found")
	ErrForbidden = errors.New("not allowed")
	ErrConflict  = errors.New("not possible now")
	ErrInvalid   = errors.New("invalid request")
	// ErrUnavailable: what must come first cannot be done now.
	ErrUnavailable = errors.New("not available now")
	// ErrTooMany: an address has tried too many tokens that are not good.
	ErrTooMany = errors.New("too many failed attempts from this address")
)

// Tokens issues and takes back Dragoman's own tokens.
type Tokens interface {
	Mint(ctx context.Context, r token.MintRequest) (raw string, issued token.Issued, err error)
	List(ctx context.Context, all bool, limit int) ([]token.Issued, error)
	Revoke(ctx context.Context, tokenID, by, reason string) (identity.Revocation, error)
	RevokeSubject(ctx context.Context, subject, by, reason string) (identity.Revocation, error)
}

// HoldFilter chooses holds; zero fields choose all.
type HoldFilter struct {
	States  []hold.State
	Target  string
	Session string
	Limit   int
}

// Vote is a decision on a hold.
type Vote struct {
	ID      string
	Digest  string // what the approver saw, or ""
	By      identity.Identity
	Approve bool
	Reason  string
	Via     string
	// ShapeFor approves the action's shape as well, for a time; ShapePool for all connections of the credential.
	ShapeFor  time.Duration
	ShapePool bool
}

// Approvals shows holds and takes decisions.
type Approvals interface {
	List(ctx context.Context, f HoldFilter) ([]hold.Hold, error)
	Show(ctx context.Context, id string) (hold.Hold, error)
	Decide(ctx context.Context, v Vote) (hold.Hold, error)
	// Watch sends holds as they change until ctx ends or the receiver is
	// too slow; the channel is closed then.
	Watch(ctx context.Context) <-chan hold.Hold
}

// Frames is a session's record, frame by frame; Next ends with io.EOF.
type Frames interface {
	Next() (record.Frame, error)
	Close() error
}

// Sessions shows records and ends sessions.
type Sessions interface {
	List(ctx context.Context, f audit.Filter) (audit.Page, error)
	Get(ctx context.Context, id string) (audit.Session, error)
	Actions(ctx context.Context, id string, after uint64, limit int) ([]audit.Action, error)
	Frames(ctx context.Context, id string) (Frames, error)
	// Tail follows a session until it ends.
	Tail(ctx context.Context, id string, history bool) (Frames, error)
	End(ctx context.Context, id, reason string) error
	// Lost closes the record of a live session whose node never comes back.
	Lost(ctx context.Context, id string) error
	// Delete deletes the record of a session that has ended, for good.
	Delete(ctx context.Context, id string) error
}

// Reads is the log of who read which record.
type Reads interface {
	// Record writes a read, safely, before it is served.
	Record(r access.Read) error
	List(ctx context.Context, f access.Filter) ([]access.Entry, error)
}

// Proofs are those of the transparency log.
type Proofs interface {
	Checkpoint() ([]byte, error)
	Proof(ctx context.Context, session string) (translog.Inclusion, error)
	ConsistencyBetween(ctx context.Context, from, to uint64) (translog.Consistency, error)
}

// Status is what the control plane says of itself. Policy and Nodes are
// marshalled as they are.
type Status struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Ready   bool      `json:"ready"`
	Policy  any       `json:"policy"`
	Nodes   any       `json:"nodes"`
}

// System is the control plane itself.
type System interface {
	Status() Status
	// Metrics are the control plane's, in Prometheus' text form.
	Metrics(ctx context.Context) ([]byte, error)
	// EnvoyMetrics is the local Envoy's own, in Prometheus' text form.
	EnvoyMetrics(ctx context.Context) ([]byte, error)
}

// Logins lets browsers in.
type Logins interface {
	// Code makes a code that signs a browser in as the caller, once and soon.
	Code(c Caller) string
}

// Authenticator proves bearer tokens; *identity.Authenticator is one.
type Authenticator interface {
	Authenticate(context.Context, identity.Credential) (identity.Proof, error)
}

// Backend is what is behind the API; all must be set but Logins, which is nil when there is no page.
type Backend struct {
	Tokens    Tokens
	Approvals Approvals
	Sessions  Sessions
	Reads     Reads
	Proofs    Proofs
	System    System
	Logins    Logins
	Log       *slog.Logger
	// Lockout slows down those who try tokens; nil: nobody.
	Lockout *lockout.Lockout
	// IdentityKeys is the JWKS of the keys that sign Dragoman-Identity; nil when there are none.
	IdentityKeys func() ([]byte, error)
}
