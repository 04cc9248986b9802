package http

import (
	"crypto/sha256"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/action"
)

// What the agent sends goes to the target as it is; the record's copy of it is masked like an answer.

// maskRecord makes the record's copy of the request's body go through the masks; of one that cannot, the record has
// its length and digest.
func (s *stream) maskRecord() {
	if s.plan == nil || !s.plan.Content() || !s.req.HasBody() || s.rpc != nil {
		return
	}
	if s.up.sum == nil {
		s.up.sum = sha256.New()
	}
	m, err := content.New(content.Head{Method: s.req.Method, Type: s.fields.Joined("content-type"),
		Encoding: s.fields.Joined("content-encoding"), GRPCEncoding: s.fields.Joined("grpc-encoding")}, s.plan, content.Limits{})
	if err != nil {
		s.up.cut = true
		return
	}
	s.up.through = m
}

// maskedAction is the action as the record keeps it.
func (s *stream) maskedAction() action.Action {
	if s.plan == nil || !s.plan.Content() {
		return s.action
	}
	out, _ := request.Masked(s.plan, s.action)
	return out
}
