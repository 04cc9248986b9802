package authz

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/ulid"
)

// SessionPrefix begins every session id.
const SessionPrefix = "ses_"

// What an unauthenticated client is told is constant: it must not learn
// whether a token, an issuer or a target exists.
const (
	msgUnauthenticated  = "authentication failed"
	hintUnauthenticated = "Use a Dragoman token as the password: dragoman token create --subject agent:NAME"
	msgUnavailable      = "the authorisation service cannot decide now"
)

// open is the whole sequence. It gives a response or a refusal, never both.
func (s *Service) open(ctx context.Context, req check.OpenRequest) (check.OpenResponse, *check.Refusal) {
	log := s.Log.With("node", req.Node, "target", req.Target, "client", req.Session.Client)
	if _, err := s.Node(ctx, req.Node); err != nil {
		log.Warn("a session is refused: the gateway is not trusted", "err", err)
		return check.OpenResponse{}, &check.Refusal{Code: check.CodeUnavailable, Rule: "gateway.node", Message: msgUnavailable}
	}
	proof, refusal := s.authenticate(ctx, log, req)
	if refusal != nil {
		return check.OpenResponse{}, refusal
	}
	log = log.With("identity", proof.Identity.Chain(), "token_id", proof.Identity.TokenID)
	target, refusal := s.target(log, req, proof.Identity)
	if refusal != nil {
		return check.OpenResponse{}, refusal
	}
	session := req.Session
	session.ID = ulid.New(SessionPrefix, s.Now())
	if session.Started.IsZero() {
		session.Started = s.Now().UTC()
	}
	decision, refusal := s.admit(ctx, log, req.Node, proof.Identity, target, session)
	if refusal != nil {
		return check.OpenResponse{}, refusal
	}
	return s.grant(ctx, log, Live{Session: session, Identity: proof.Identity, Issued: proof.Issued, Target: target, Node: req.Node}, decision)
}

func (s *Service) authenticate(ctx context.Context, log *slog.Logger, req check.OpenRequest) (identity.Proof, *check.Refusal) {
	proof, err := s.Authenticator.Authenticate(ctx, identity.Credential{Token: req.Token, SPIFFE: req.SPIFFE, CertDigest: req.CertDigest, SSHKey: string(req.SSHKey)})
	if err == nil {
		return proof, nil
	}
	var e *identity.Error
	if !errors.As(err, &e) {
		log.Error("a session is refused: authentication could not be decided", "err", err)
		return identity.Proof{}, &check.Refusal{Code: check.CodeUnavailable, Rule: "identity.unavailable", Message: msgUnavailable}
	}
	log.Warn("a session is refused: not authenticated", "reason", string(e.Reason), "issuer", e.Issuer, "err", e.Err)
	if e.Reason == identity.ReasonOffline { // not the client's fault: no strike
		return identity.Proof{}, &check.Refusal{Code: check.CodeUnavailable, Rule: "identity.issuer_unreachable",
			Message: "the token's issuer cannot be reached to check it", Hint: "Try again later, or use a Dragoman token."}
	}
	if e.Proven && e.Reason == identity.ReasonExpired { // an agent that did not see its token expire guesses nothing: no strike
		return identity.Proof{}, &check.Refusal{Code: check.CodeUnauthenticated, Rule: "identity.expired",
			Message: "the token has expired", Hint: "Get a new token and connect again."}
	}
	return identity.Proof{}, s.strike(ctx, req.Session.Client)
}

// strike counts a failed attempt; an address with too many is answered slowly.
func (s *Service) strike(ctx context.Context, client string) *check.Refusal {
	if !s.lockout.Strike(ctx, client) {
		return &check.Refusal{Code: check.CodeUnauthenticated, Rule: "identity.unauthenticated", Message: msgUnauthenticated, Hint: hintUnauthenticated}
	}
	return &check.Refusal{Code: check.CodeUnauthenticated, Rule: "identity.lockout", Message: "too many failed attempts from this address",
		Hint: "Stop trying with a credential that does not work. " + hintUnauthenticated}
}

// target finds the target and applies the token's own limit.
func (s *Service) target(log *slog.Logger, req check.OpenRequest, id identity.Identity) (policy.Target, *check.Refusal) {
	target, ok := s.Targets.Target(req.Node, req.Target)
	if limit := token.Targets(id); ok && limit != nil && !slices.Contains(limit, req.Target) {
		log.Warn("a session is refused: the token is for other targets", "targets", limit)
		return policy.Target{}, &check.Refusal{Code: check.CodeForbidden, Rule: "identity.targets",
			Message: "this token is not for target " + req.Target, Hint: "It is for: " + strings.Join(limit, ", ")}
	}
	if !ok {
		log.Warn("a session is refused: the node serves no such target")
		return policy.Target{}, &check.Refusal{Code: check.CodeForbidden, Rule: "gateway.target", Message: "no such target"}
	}
	return target, nil
}

// admit judges the connect action, and holds it when policy says so.
func (s *Service) admit(ctx context.Context, log *slog.Logger, node string, id identity.Identity, target policy.Target, session policy.Session) (policy.Decision, *check.Refusal) {
	act := action.Connect(target.Name, session.User, session.Database)
	d := s.Judge.Judge(ctx, &policy.Input{Version: policy.InputVersion, Identity: id, Target: target, Session: session, Action: act}, nil)
	switch d.Verdict {
	case policy.Allow:
		return d, nil
	case policy.Hold:
		if refusal := s.holdConnect(ctx, log, node, id, target, session, act, d); refusal != nil {
			return policy.Decision{}, refusal
		}
		d.Verdict = policy.Allow
		return d, nil
	}
	log.Warn("a session is refused by policy", "rule", d.Rule, "reason", d.Reason)
	msg := d.Reason
	if msg == "" {
		msg = "policy does not allow this connection"
	}
	return policy.Decision{}, &check.Refusal{Code: check.CodeForbidden, Rule: d.Rule, Message: msg, Hint: d.Hint}
}

// holdConnect waits for a human: just-in-time access.
func (s *Service) holdConnect(ctx context.Context, log *slog.Logger, node string, id identity.Identity, target policy.Target, session policy.Session, act action.Action, d policy.Decision) *check.Refusal {
	timeout := d.Timeout
	if timeout <= 0 {
		timeout = s.HoldTimeout
	}
	now := s.Now().UTC()
	h := hold.Hold{ID: newHoldID(), Session: session.ID, Target: target.Name, Identity: id, Action: act, Digest: connectDigest(session.ID, act),
		Rule: d.Rule, Reason: d.Reason, Approvers: d.Approvers, Quorum: d.Quorum, Created: now, Deadline: now.Add(timeout)}
	log.Info("a session is held", "hold", h.ID, "rule", d.Rule, "node", node)
	held, refusal := s.wait(ctx, log, h)
	if refusal != nil {
		return refusal
	}
	if held.State != hold.Used || held.Digest != h.Digest {
		return &check.Refusal{Code: check.CodeForbidden, Rule: d.Rule, Message: held.Message}
	}
	return nil
}

// connectDigest binds an approval to this one opening.
func connectDigest(session string, act action.Action) string {
	sum := sha256.Sum256([]byte("connect\x00" + session + "\x00" + act.Text))
	return hex.EncodeToString(sum[:])
}

// newHoldID is "hld_" and 128 random bits.
func newHoldID() string {
	var b [16]byte
	rand.Read(b[:])
	return "hld_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// credentials are those of the target, for the session where they are made for each.
func (s *Service) credentials(ctx context.Context, live Live) (check.Credentials, error) {
	if each, ok := s.Targets.(SessionTargets); ok {
		return each.SessionCredentials(ctx, live)
	}
	return s.Targets.Credentials(ctx, live.Target.Name)
}

// grant registers the session, then looks once more whether the identity still
// stands: whatever is revoked later finds the session in the registry.
func (s *Service) grant(ctx context.Context, log *slog.Logger, live Live, d policy.Decision) (check.OpenResponse, *check.Refusal) {
	unavailable := &check.Refusal{Code: check.CodeUnavailable, Rule: "gateway.unavailable", Message: msgUnavailable}
	creds, err := s.credentials(ctx, live)
	if err != nil {
		log.Error("a session is refused: no credentials for the target", "err", err)
		return check.OpenResponse{}, unavailable
	}
	expires := live.Identity.Expires
	if !s.OutliveCredential {
		live.Ends = expires
	}
	if err := s.Sessions.Add(ctx, live); err != nil {
		log.Error("a session is refused: it cannot be registered", "err", err)
		return check.OpenResponse{}, unavailable
	}
	err = s.Authenticator.Recheck(ctx, identity.Proof{Identity: live.Identity, Issued: live.Issued})
	if err != nil || !expires.IsZero() && !s.Now().Before(expires) {
		s.Sessions.Ended(live.Session.ID)
		log.Warn("a session is refused: the credential ended while it was opened", "err", err)
		return check.OpenResponse{}, &check.Refusal{Code: check.CodeUnauthenticated, Rule: "identity.unauthenticated", Message: msgUnauthenticated, Hint: hintUnauthenticated}
	}
	log.Info("a session is opened", "session", live.Session.ID, "rule", d.Rule, "ends", live.Ends)
	return check.OpenResponse{Session: live.Session.ID, Identity: live.Identity, Target: live.Target, Decision: d,
		Credentials: creds, MaskKey: s.MaskKey, Ends: live.Ends, Page: s.Page}, nil
}
