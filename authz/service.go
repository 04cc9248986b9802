// Package authz answers Envoy's external authorization calls
// (envoy.service.auth.v3.Authorization): it opens sessions and holds actions.
// It owns the sequence authenticate → judge → (hold) → session, the registry of live
// sessions and what ends them. Who somebody is belongs to internal/identity,
// what is allowed to policy, who may approve to authz/approval.
package authz

import (
	"context"
	"errors"
	"log/slog"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
)

// Authenticator proves identities; *identity.Authenticator is one.
type Authenticator interface {
	Authenticate(context.Context, identity.Credential) (identity.Proof, error)
	// Recheck reports whether a proof still stands.
	Recheck(context.Context, identity.Proof) error
}

// Judge decides about an action on a target; *policy.Engine is one. A zero
// decision blocks. There is never a statement here: st is nil.
type Judge interface {
	Judge(ctx context.Context, in *policy.Input, st *sql.Statement) policy.Decision
}

// JudgeFunc makes a function a Judge: one that takes the engine now in force.
type JudgeFunc func(context.Context, *policy.Input, *sql.Statement) policy.Decision

// Judge implements Judge.
func (f JudgeFunc) Judge(ctx context.Context, in *policy.Input, st *sql.Statement) policy.Decision {
	return f(ctx, in, st)
}

// Targets knows the protected systems.
type Targets interface {
	// Target finds a target that the node serves; a node sees no other.
	Target(node, name string) (policy.Target, bool)
	// Credentials resolves the target's login anew at every call, so that a
	// rotated secret is used without a restart.
	Credentials(ctx context.Context, name string) (check.Credentials, error)
}

// SessionTargets may be implemented by Targets whose credentials are made for each session.
type SessionTargets interface {
	// SessionCredentials takes the place of Credentials. The session is authorised, and has its id.
	SessionCredentials(ctx context.Context, live Live) (check.Credentials, error)
}

// Options of a Service. All without a default must be set.
type Options struct {
	Authenticator Authenticator
	Judge         Judge
	Targets       Targets
	Approvals     *approval.Service
	Sessions      *Sessions
	// MaskKey keys the hash way of masking, 32 bytes.
	MaskKey []byte
	// Node names the Envoy that calls; nil means LocalNode.
	Node    NodeFunc
	Lockout lockout.Config
	// Understand takes stock ext_authz requests apart; nil denies them.
	Understand Understand
	// Requests records those; nil denies them.
	Requests Requests
	// Mode is how safe a target's records must be; nil: on the disk.
	Mode func(target string) record.Mode
	// Page is where people see holds, told to gateways; "" when there is none.
	Page string
	// HoldTimeout is for holds of the connect action whose policy gives none.
	HoldTimeout time.Duration
	// OutliveCredential lets a session go on when the credential that opened
	// it has expired (a revocation still ends it).
	OutliveCredential bool
	Now               func() time.Time
	Log               *slog.Logger
}

// DefaultHoldTimeout is how long a connect action is held when nothing says otherwise.
const DefaultHoldTimeout = 5 * time.Minute

// Service implements auth.AuthorizationServer.
type Service struct {
	Options
	lockout *lockout.Lockout
}

var _ auth.AuthorizationServer = (*Service)(nil)

// New checks the options: a service that lacks a part is not made at all.
func New(o Options) (*Service, error) {
	switch {
	case o.Authenticator == nil, o.Judge == nil, o.Targets == nil, o.Approvals == nil, o.Sessions == nil, o.Now == nil, o.Log == nil:
		return nil, errors.New("authz: an option is missing")
	case len(o.MaskKey) != 32:
		return nil, errors.New("authz: the mask key must have 32 bytes")
	}
	if o.Node == nil {
		o.Node = LocalNode
	}
	if o.HoldTimeout <= 0 {
		o.HoldTimeout = DefaultHoldTimeout
	}
	return &Service{Options: o, lockout: lockout.New(o.Lockout, o.Now)}, nil
}

// Register adds the service to a gRPC server made with check.ServerOptions.
func (s *Service) Register(r grpc.ServiceRegistrar) { auth.RegisterAuthorizationServer(r, s) }

// Check implements auth.AuthorizationServer.
func (s *Service) Check(ctx context.Context, req *auth.CheckRequest) (res *auth.CheckResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("panic in authz; the question is refused", "panic", p)
			res, err = nil, status.Error(codes.Internal, "internal error")
		}
	}()
	q, err := check.DecodeQuestion(req)
	switch {
	case errors.Is(err, check.ErrNotOurs):
		return s.answerHTTP(ctx, req), nil
	case err != nil:
		s.Log.Warn("authz was asked something that it does not understand", "err", err)
		return nil, status.Error(codes.InvalidArgument, err.Error())
	case q.Open != nil:
		return s.answerOpen(ctx, *q.Open)
	}
	return s.answerHold(ctx, *q.Hold)
}

func (s *Service) answerOpen(ctx context.Context, req check.OpenRequest) (*auth.CheckResponse, error) {
	opened, refusal := s.open(ctx, req)
	if refusal != nil {
		return check.EncodeRefusal(refusal)
	}
	if ctx.Err() != nil { // nobody is there to use it
		s.Sessions.Ended(opened.Session)
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	res, err := check.EncodeOpened(opened)
	if err != nil {
		s.Sessions.Ended(opened.Session)
	}
	return res, err
}

func (s *Service) answerHold(ctx context.Context, req check.HoldRequest) (*auth.CheckResponse, error) {
	held, refusal := s.hold(ctx, req)
	if refusal != nil {
		return check.EncodeRefusal(refusal)
	}
	return check.EncodeHeld(held)
}
