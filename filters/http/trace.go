package http

import (
	"strconv"
	"strings"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// traced is a request's span in Envoy. The zero value is none.
type traced struct {
	host        filters.Traced
	trace, span string // lower-case hexadecimal, 32 and 16 digits
}

// beginTrace takes the request's span from Envoy, and names its session in it.
func (s *stream) beginTrace() {
	h, ok := s.host.(filters.Traced)
	if !ok || s.trace.host != nil {
		return
	}
	trace, span, ok := h.Trace()
	if !ok || !record.ValidTrace(trace, span) {
		return
	}
	s.trace = traced{h, trace, span}
	h.TraceName(s.head.Method() + " " + s.cfg.Target.Name)
	h.TraceTag("session.id", s.sh.span.ID())
	h.TraceTag("dragoman.target", s.cfg.Target.Name)
}

// noteTrace records of which span an action is the child.
func (s *stream) noteTrace(b *session.Batch, ordinal uint64) {
	if s.trace.host != nil {
		b.Frame(record.KindNote, ordinal, record.TraceNote(s.trace.trace, s.trace.span))
	}
}

// tellTrace completes the span by what was decided.
func (s *stream) tellTrace() {
	if s.trace.host == nil {
		return
	}
	s.trace.host.TraceTag("dragoman.action.ordinal", strconv.FormatUint(s.ordinal, 10))
	s.trace.host.TraceTag("dragoman.verdict", s.d.Verdict.String())
	s.trace.host.TraceTag("dragoman.rule", strings.ToValidUTF8(s.d.Rule, "?"))
}

// traceparent is what Envoy will send the target (W3C Trace Context, version 00, sampled), so that the record has it.
func (t traced) traceparent() string { return "00-" + t.trace + "-" + t.span + "-01" }
