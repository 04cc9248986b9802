package notify

import (
	"encoding/hex"
	"strings"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/record"
)

// spans makes them of what has ended: a span for the session, one for its opening, one for each action in it, and one
// for the wait of a hold in that. Times are the frames', so of the gateway that did it. nil when there are none.
func (o *OTLP) spans(events []export.Event) *coltrace.ExportTraceServiceRequest {
	var all []*trace.Span
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case export.SessionOpened:
			all = append(all, openSpan(e))
		case export.SessionClosed:
			all = append(all, sessionSpan(e))
		case export.ActionEnded:
			all = append(all, actionSpan(e))
			if h := e.Hold; h != nil && !h.Ended.IsZero() {
				all = append(all, holdSpan(e))
			}
		}
	}
	if all == nil {
		return nil
	}
	return &coltrace.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{Resource: o.resource(),
		ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: scope, Version: o.Version}, Spans: all}}}}}
}

func sessionSpan(e *export.Event) *trace.Span {
	began := e.Open.Session.Started
	if began.IsZero() || began.After(e.Time) {
		began = e.Time
		if e.Close != nil {
			began = e.Time.Add(-e.Close.Duration)
		}
	}
	s := &trace.Span{TraceId: TraceID(e.Session), SpanId: SpanID(e.Session, 0, ""), Name: "session " + e.Open.Target.Name,
		Kind: trace.Span_SPAN_KIND_SERVER, StartTimeUnixNano: uint64(began.UnixNano()), EndTimeUnixNano: uint64(e.Time.UnixNano()),
		Attributes: eventAttributes(e)}
	if e.Lost {
		s.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: "the end of the record was lost"}
	}
	return s
}

// openSpan is from the client's coming to the first frame: what proving who it is and asking whether it may took.
func openSpan(e *export.Event) *trace.Span {
	began := e.Open.Session.Started
	if began.IsZero() || began.After(e.Time) {
		began = e.Time
	}
	return &trace.Span{TraceId: TraceID(e.Session), SpanId: SpanID(e.Session, 0, "open"), ParentSpanId: SpanID(e.Session, 0, ""), Name: "open " + e.Open.Target.Name,
		Kind: trace.Span_SPAN_KIND_INTERNAL, StartTimeUnixNano: uint64(began.UnixNano()), EndTimeUnixNano: uint64(e.Time.UnixNano()),
		Attributes: eventAttributes(e)}
}

func actionSpan(e *export.Event) *trace.Span {
	name := "action"
	if e.Action != nil {
		name = strings.ToValidUTF8(strings.TrimSpace(strings.Join(e.Action.Action.Verbs, ",")+" "+e.Open.Target.Name), "?")
	}
	of, parent := traceOf(e)
	s := &trace.Span{TraceId: of, SpanId: SpanID(e.Session, e.Ordinal, ""), ParentSpanId: parent, Name: name,
		Kind: trace.Span_SPAN_KIND_CLIENT, StartTimeUnixNano: uint64(e.Began.UnixNano()), EndTimeUnixNano: uint64(e.Time.UnixNano()),
		Attributes: eventAttributes(e)}
	if e.Trace != nil {
		s.Links = []*trace.Span_Link{{TraceId: TraceID(e.Session), SpanId: SpanID(e.Session, 0, "")}}
	}
	if e.Result == nil || e.Result.Status != "ok" {
		s.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR}
		if e.Result != nil {
			s.Status.Message = strings.ToValidUTF8(e.Result.Message, "?")
		}
	}
	return s
}

func holdSpan(e *export.Event) *trace.Span {
	of, _ := traceOf(e)
	return &trace.Span{TraceId: of, SpanId: SpanID(e.Session, e.Ordinal, "hold"), ParentSpanId: SpanID(e.Session, e.Ordinal, ""), Name: "hold",
		Kind: trace.Span_SPAN_KIND_INTERNAL, StartTimeUnixNano: uint64(e.Hold.Created.UnixNano()), EndTimeUnixNano: uint64(e.Hold.Ended.UnixNano()),
		Attributes: attributes("session.id", e.Session, "dragoman.hold.id", e.Hold.ID, "dragoman.hold.state", string(e.Hold.State))}
}

// traceOf is the trace that an action is in, and the span that it is the child of: Envoy's, or else the session's.
func traceOf(e *export.Event) (of, parent []byte) {
	if e.Trace != nil && record.ValidTrace(e.Trace.ID, e.Trace.Span) {
		of, _ = hex.DecodeString(e.Trace.ID)
		parent, _ = hex.DecodeString(e.Trace.Span)
		return of, parent
	}
	return TraceID(e.Session), SpanID(e.Session, 0, "")
}
