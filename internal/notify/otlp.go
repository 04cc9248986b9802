package notify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/export"
)

// OTLP sends events as log records, and sessions as spans, to an OpenTelemetry collector by gRPC.
type OTLP struct {
	Conn    grpc.ClientConnInterface
	Headers func(context.Context) (map[string]string, error) // nil: none
	Logs    bool
	Traces  bool
	// Service and Version name this control plane as the resource.
	Service, Version, Instance string
	Log                        *slog.Logger
	Now                        func() time.Time
}

// scope is the instrumentation scope of what we send.
const scope = "dragoman.dev/dragoman"

// Name implements Sink.
func (*OTLP) Name() string { return "otlp" }

// Send implements Sink.
func (o *OTLP) Send(ctx context.Context, events []export.Event) error {
	if o.Logs {
		withHeaders, err := o.withHeaders(ctx)
		if err != nil {
			return err
		}
		r, err := collogs.NewLogsServiceClient(o.Conn).Export(withHeaders, o.logs(events))
		if err != nil {
			return refused("logs", err)
		}
		o.partial("logs", r.GetPartialSuccess().GetRejectedLogRecords(), r.GetPartialSuccess().GetErrorMessage())
	}
	if spans := o.spans(events); o.Traces && spans != nil {
		return o.traces(ctx, spans)
	}
	return nil
}

// partial logs what a collector took and threw away; by the protocol it must not be sent again.
func (o *OTLP) partial(what string, n int64, words string) {
	if n > 0 || words != "" {
		o.Log.Warn("the collector refuses some", "what", what, "rejected", n, "message", words)
	}
}

// refused tells errors that pass from those that stay, as the protocol's specification has them.
func refused(what string, err error) error {
	if status.Code(err) == codes.InvalidArgument {
		return fmt.Errorf("%w: %s: %w", ErrRejected, what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (o *OTLP) resource() *resource.Resource {
	return &resource.Resource{Attributes: attributes("service.name", o.Service, "service.version", o.Version, "service.instance.id", o.Instance)}
}

// TraceID is that of a session: the first 16 bytes of SHA-256("dragoman trace" LF session). So
// whoever knows a session's id knows its trace, and records need no ids of their own.
func TraceID(session string) []byte {
	h := sha256.Sum256([]byte("dragoman trace\n" + session))
	return h[:16]
}

// SpanID is that of the session's action, or of its whole for 0: the first 8 bytes of
// SHA-256("dragoman span" LF session LF ordinal as 8 bytes, big-endian); part tells spans of one action apart.
func SpanID(session string, ordinal uint64, part string) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("dragoman span\n"+session+"\n"), ordinal))
	if part != "" {
		h = sha256.Sum256(append(h[:8], part...))
	}
	return h[:8]
}

// attributes makes them of names and values; empty values are left out.
func attributes(pairs ...any) []*common.KeyValue {
	var all []*common.KeyValue
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := anyValue(pairs[i+1]); v != nil {
			all = append(all, &common.KeyValue{Key: pairs[i].(string), Value: v})
		}
	}
	return all
}

func anyValue(v any) *common.AnyValue {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
		return text(v)
	case int64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v}}
	case bool:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v}}
	case []string:
		if len(v) == 0 {
			return nil
		}
		list := &common.ArrayValue{}
		for _, s := range v {
			list.Values = append(list.Values, text(s))
		}
		return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: list}}
	}
	return nil
}
