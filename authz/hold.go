package authz

import (
	"context"
	"errors"
	"log/slog"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
)

// hold answers a hold question. Who asks is not taken from the question but
// from the session that authz itself opened.
func (s *Service) hold(ctx context.Context, req check.HoldRequest) (check.HoldResponse, *check.Refusal) {
	h := req.Hold
	log := s.Log.With("node", req.Node, "session", h.Session, "hold", h.ID)
	node, err := s.Node(ctx, req.Node)
	if err != nil {
		log.Warn("a hold is refused: the gateway is not trusted", "err", err)
		return check.HoldResponse{}, &check.Refusal{Code: check.CodeUnavailable, Rule: "gateway.node", Message: msgUnavailable}
	}
	noSession := &check.Refusal{Code: check.CodeForbidden, Rule: "gateway.session",
		Message: "the session is not known or is ending", Hint: "Connect again."}
	live, ctx, cancel, ok := s.Sessions.Bind(ctx, h.Session)
	if !ok {
		log.Warn("a hold is refused: no such session")
		return check.HoldResponse{}, noSession
	}
	defer cancel()
	if live.Node != node || live.Target.Name != h.Target {
		log.Warn("a hold is refused: the session is another gateway's or target's", "of_node", live.Node, "of_target", live.Target.Name)
		return check.HoldResponse{}, noSession
	}
	h.Identity, h.Protocol, h.User, h.Database = live.Identity, live.Target.Protocol, live.Session.User, live.Session.Database
	held, refusal := s.wait(ctx, log, h)
	if _, ok := s.Sessions.Get(h.Session); !ok && refusal == nil && held.State == hold.Used {
		log.Warn("an approved action is refused: its session is ending")
		return check.HoldResponse{}, noSession
	}
	return held, refusal
}

// wait keeps the question open until the hold has ended.
func (s *Service) wait(ctx context.Context, log *slog.Logger, h hold.Hold) (check.HoldResponse, *check.Refusal) {
	end, err := s.Approvals.Hold(ctx, h)
	switch {
	case errors.Is(err, approval.ErrInvalid):
		log.Warn("a hold is refused", "err", err)
		return check.HoldResponse{}, &check.Refusal{Code: check.CodeForbidden, Rule: h.Rule, Message: err.Error()}
	case err != nil:
		log.Error("a hold is refused: it cannot be kept", "err", err)
		return check.HoldResponse{}, &check.Refusal{Code: check.CodeUnavailable, Rule: h.Rule, Message: msgUnavailable}
	}
	log.Info("a hold has ended", "state", string(end.State))
	return check.HoldResponse{State: end.State, Digest: end.Digest, Decisions: end.Decisions, Message: approval.Explain(end)}, nil
}
