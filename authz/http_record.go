package authz

import (
	"context"
	"log/slog"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// Requests records what is asked and decided for Envoys that do not record; *access.Log is one.
type Requests interface {
	Begin(access.Requester) (*access.Deciding, error)
}

// asked is one request of a stock ext_authz filter whose identity is known.
type asked struct {
	s    *Service
	log  *slog.Logger
	rec  *access.Deciding
	http *auth.AttributeContext_HttpRequest
	in   *policy.Input
	d    policy.Decision
	hold string // its id
	end  string // record.Result's status, of one that did not pass
}

// mode is how safe a target's record must be before anything moves.
func (s *Service) mode(target string) record.Mode {
	if s.Mode == nil {
		return record.ModeFsync
	}
	return s.Mode(target)
}

func notRecorded() *check.Refusal {
	return &check.Refusal{Code: check.CodeUnavailable, Rule: "gateway.record", Message: "the request cannot be recorded, so it is not let through"}
}

// decide is understand → judge → record → (hold).
func (q *asked) decide(ctx context.Context) (HTTPRequest, *check.Refusal) {
	q.end = "blocked"
	r, err := q.s.Understand(q.http)
	switch {
	case err != nil:
		return r, q.unclear(err.Error(), "")
	case r.Path != q.http.GetPath():
		return r, q.unclear("the path is not in normal form", "Send "+r.Path)
	}
	q.in.Action = r.Action
	q.d = q.s.Judge.Judge(ctx, q.in, nil)
	q.log = q.log.With("request", r.Action.Fingerprint, "rule", q.d.Rule, "verdict", q.d.Verdict.String())
	if len(q.d.Mask) > 0 && q.d.Verdict != policy.Block { // nobody there would mask
		q.d = policy.Decision{Verdict: policy.Block, Rule: q.d.Rule, Revision: q.d.Revision, Reason: "policy masks this target's answers, which this gateway cannot do"}
	}
	if err := q.rec.Action(q.in.Action, q.d); err != nil {
		return r, q.lost(err)
	}
	switch {
	case q.d.Verdict == policy.Allow:
		return r, nil
	case q.d.Verdict != policy.Hold:
		q.log.Warn("an ext_authz request is blocked by policy", "reason", q.d.Reason)
		return r, &check.Refusal{Code: check.CodeForbidden, Rule: q.d.Rule, Message: q.d.Reason, Hint: q.d.Hint}
	case q.http.GetBody() == "" && len(q.http.GetRawBody()) == 0 && q.http.GetSize() > 0:
		return r, &check.Refusal{Code: check.CodeForbidden, Rule: q.d.Rule, Message: "the request needs approval, but its body was not sent along",
			Hint: "Configure with_request_body of ext_authz, without allow_partial_message."}
	}
	return r, q.wait(ctx)
}

// unclear refuses what cannot be judged.
func (q *asked) unclear(why, hint string) *check.Refusal {
	q.log.Warn("an ext_authz request is denied: "+why, "rule", "http.decode")
	q.d = policy.Decision{Verdict: policy.Block, Rule: "http.decode", Reason: why}
	if err := q.rec.Action(action.Undecodable(action.KindHTTP, q.http.GetMethod()), q.d); err != nil {
		return q.lost(err)
	}
	return &check.Refusal{Code: check.CodeForbidden, Rule: "http.decode", Message: why, Hint: hint}
}

func (q *asked) lost(err error) *check.Refusal {
	q.log.Error("an ext_authz request is denied: it cannot be recorded", "err", err)
	return notRecorded()
}

// wait asks people, and records that, and what they said.
func (q *asked) wait(ctx context.Context) *check.Refusal {
	timeout := q.d.Timeout
	if timeout <= 0 {
		timeout = q.s.HoldTimeout
	}
	now := q.s.Now().UTC()
	h := hold.Hold{ID: newHoldID(), Session: q.in.Session.ID, Target: q.in.Target.Name, Identity: q.in.Identity, Action: q.in.Action, State: hold.Pending,
		Digest: httpDigest(q.http), Rule: q.d.Rule, Reason: q.d.Reason, Approvers: q.d.Approvers, Quorum: max(q.d.Quorum, 1), Created: now, Deadline: now.Add(timeout)}
	if err := q.rec.Hold(h); err != nil {
		return q.lost(err)
	}
	q.hold = h.ID
	q.log.Info("an ext_authz request is held", "hold", h.ID)
	held, refusal := q.s.wait(ctx, q.log, h)
	h.State, h.Decisions, h.Ended = held.State, held.Decisions, q.s.Now().UTC()
	if refusal != nil {
		h.State = hold.Withdrawn
	}
	if err := q.rec.Hold(h); err != nil {
		return q.lost(err)
	}
	if q.end = string(h.State); h.State != hold.Denied && h.State != hold.Expired {
		q.end = "withdrawn"
	}
	if refusal == nil && (held.State != hold.Used || held.Digest != h.Digest) {
		refusal = &check.Refusal{Code: check.CodeForbidden, Rule: q.d.Rule, Message: held.Message}
	}
	return refusal
}

// settle records the answer. What is let through is, once that is recorded.
func (q *asked) settle(refusal *check.Refusal) *check.Refusal {
	r := record.Result{Status: "ok", Message: "let through; the gateway that asked keeps no record of what went and what came"}
	if refusal != nil {
		r.Status, r.Message = q.end, refusal.Message
		if refusal.Code == check.CodeUnavailable {
			r.Status = "error"
		}
	}
	if err := q.rec.Result(r); err != nil && refusal == nil {
		return q.lost(err)
	}
	return refusal
}
