package notify

import (
	"strings"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"dragoman.dev/dragoman/internal/export"
)

// text is a string of valid UTF-8, which protobuf asks for.
func text(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(s, "\uFFFD")}}
}

func (o *OTLP) logs(events []export.Event) *collogs.ExportLogsServiceRequest {
	records := make([]*logs.LogRecord, len(events))
	for i := range events {
		records[i] = o.record(&events[i])
	}
	return &collogs.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{Resource: o.resource(),
		ScopeLogs: []*logs.ScopeLogs{{Scope: &common.InstrumentationScope{Name: scope, Version: o.Version}, LogRecords: records}}}}}
}

func (o *OTLP) record(e *export.Event) *logs.LogRecord {
	of, _ := traceOf(e)
	r := &logs.LogRecord{
		TimeUnixNano: uint64(max(0, e.Time.UnixNano())), ObservedTimeUnixNano: uint64(max(0, o.Now().UnixNano())),
		EventName: "dragoman." + e.Kind, SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_INFO, SeverityText: "INFO",
		Body: text(body(e)), Attributes: append(eventAttributes(e), attributes("dragoman.event.id", e.ID)...),
		TraceId: of, SpanId: SpanID(e.Session, e.Ordinal, ""),
	}
	if e.Kind == export.ActionEnded && !e.Allowed() || e.Lost {
		r.SeverityNumber, r.SeverityText = logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	return r
}

// body is for people.
func body(e *export.Event) string {
	who, where := e.Open.Identity.Chain(), e.Open.Target.Name
	switch e.Kind {
	case export.SessionOpened:
		return who + " opened a session on " + where
	case export.SessionClosed:
		if e.Close != nil {
			return "the session of " + who + " on " + where + " has ended: " + e.Close.Reason
		}
		return "the session of " + who + " on " + where + " has ended"
	}
	if e.Action == nil {
		return who + " on " + where
	}
	return who + " on " + where + ": " + e.Verdict() + ": " + e.Action.Action.Text
}

// eventAttributes are those that log records and spans share. Names of the OpenTelemetry semantic conventions
// are used where there are any.
func eventAttributes(e *export.Event) []*common.KeyValue {
	id := e.Open.Identity
	all := attributes("session.id", e.Session, "dragoman.target", e.Open.Target.Name, "dragoman.protocol", e.Open.Target.Protocol,
		"dragoman.node", e.Open.Node, "user.id", id.Subject, "user.roles", id.Groups, "dragoman.identity.chain", id.Chain(),
		"dragoman.identity.on_behalf_of", id.OnBehalfOf, "dragoman.identity.method", id.Method, "dragoman.identity.issuer", id.Issuer,
		"client.address", e.Open.Session.Client, "db.namespace", e.Open.Session.Database)
	if c := e.Close; c != nil {
		all = append(all, attributes("dragoman.session.reason", c.Reason, "dragoman.session.message", c.Message, "dragoman.session.actions", int64(c.Actions),
			"dragoman.session.lost", e.Lost)...)
	}
	if a := e.Action; a != nil {
		all = append(all, attributes("dragoman.action.ordinal", int64(e.Ordinal), "dragoman.action.kind", a.Action.Kind, "dragoman.action.verbs", a.Action.Verbs,
			"dragoman.verdict", e.Verdict(), "dragoman.rule", a.Decision.Rule, "dragoman.reason", a.Decision.Reason, "dragoman.policy.revision", a.Decision.Revision)...)
		if strings.HasPrefix(a.Action.Kind, "sql") {
			all = append(all, attributes("db.system.name", "postgresql", "db.query.text", a.Action.Text)...)
		}
	}
	if h := e.Hold; h != nil {
		all = append(all, attributes("dragoman.hold.id", h.ID, "dragoman.hold.state", string(h.State))...)
	}
	if r := e.Result; r != nil {
		all = append(all, attributes("dragoman.result", r.Status, "db.response.status_code", r.Code, "dragoman.rows", r.Rows, "dragoman.bytes", r.Bytes,
			"dragoman.masked", r.Masked)...)
	}
	return all
}
