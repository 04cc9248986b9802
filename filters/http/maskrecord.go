package http

import (
	"crypto/sha256"
	"slices"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
)

// What the agent sends goes to the target as it is; the record's copy of it is masked like an answer.

// maskRecord makes the record's copy of the request's body go through the masks; of one that cannot, the record has
// its length and digest. So it is with MCP messages: their masks are about names of arguments, which the action has.
func (s *stream) maskRecord() {
	rpc := s.rpc != nil && s.rpc.masks()
	plan, err := s.recordPlan()
	if !rpc && err == nil && (s.rpc != nil || plan == nil || !plan.Content()) || !s.req.HasBody() {
		return
	}
	if s.up.sum == nil {
		s.up.sum = sha256.New()
	}
	if rpc || err != nil {
		s.up.cut = true
		return
	}
	m, err := content.New(content.Head{Method: s.req.Method, Type: s.fields.Joined("content-type"),
		Encoding: s.fields.Joined("content-encoding"), GRPCEncoding: s.fields.Joined("grpc-encoding")}, plan, content.Limits{})
	if err != nil {
		s.up.cut = true
		return
	}
	s.up.through = m
}

// masks reports whether any of the messages is masked.
func (r *rpc) masks() bool {
	return slices.ContainsFunc(r.list, func(m message) bool { return m.plan.HasFields() || m.plan.HasText() })
}

// upTrailers are the request's trailers as the record keeps them.
func (s *stream) upTrailers() []byte {
	list := listOf(s.trailers)
	if s.plan != nil && s.plan.Content() {
		list, _ = header.Mask(s.plan, list)
	}
	return trailersOf(list)
}

// maskedAction is the action as the record keeps it.
func (s *stream) maskedAction() action.Action {
	return maskedAs(s.plan, s.action)
}

func maskedAs(plan *mask.Plan, a action.Action) action.Action {
	if plan == nil || !plan.Content() {
		return a
	}
	out, _ := request.Masked(plan, a)
	return out
}
