package notify

import (
	"context"
	"errors"
	"log/slog"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// relays is how many exports of gateways may wait for the collector; Envoy drops the spans of those that find no room.
const relays = 16

// relayBytes bounds one export; Envoy's are a few KiB.
const relayBytes = 4 << 20

// Relay hands the spans of gateways' Envoys on to the collector, each with the name of the gateway that it came from. It keeps
// nothing: spans that the collector does not take are gone. What must not be lost is in the record, and Delivery sends that.
type Relay struct {
	coltrace.UnimplementedTraceServiceServer
	Collector *OTLP
	// Caller names the gateway at the other end.
	Caller func(context.Context) (string, error)
	Log    *slog.Logger

	room chan struct{}
}

// NewRelay makes one.
func NewRelay(to *OTLP, caller func(context.Context) (string, error), log *slog.Logger) *Relay {
	return &Relay{Collector: to, Caller: caller, Log: log, room: make(chan struct{}, relays)}
}

// Register puts it on a server for gateways.
func (r *Relay) Register(s *grpc.Server) { coltrace.RegisterTraceServiceServer(s, r) }

// Export implements the published OTLP service.
func (r *Relay) Export(ctx context.Context, in *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	node, err := r.Caller(ctx)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	if proto.Size(in) > relayBytes {
		return nil, status.Errorf(codes.InvalidArgument, "more than %d bytes of spans", relayBytes)
	}
	select {
	case r.room <- struct{}{}:
		defer func() { <-r.room }()
	default:
		return nil, status.Error(codes.ResourceExhausted, "spans come faster than the collector takes them")
	}
	for _, s := range in.ResourceSpans {
		from(s, node)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := r.Collector.traces(ctx, in); err != nil {
		r.Log.Warn("the collector does not take spans of a gateway; they are lost", "node", node, "err", err)
		if errors.Is(err, ErrRejected) {
			return nil, status.Error(codes.InvalidArgument, "the collector refuses them")
		}
		return nil, status.Error(codes.Unavailable, "the collector does not take them")
	}
	return &coltrace.ExportTraceServiceResponse{}, nil
}

// from says where spans came from, whatever they say themselves.
func from(s *trace.ResourceSpans, node string) {
	if s.Resource == nil {
		s.Resource = &resource.Resource{}
	}
	kept := s.Resource.Attributes[:0]
	for _, a := range s.Resource.Attributes {
		if a.GetKey() != "dragoman.node" {
			kept = append(kept, a)
		}
	}
	s.Resource.Attributes = append(kept, attributes("dragoman.node", node)...)
}

// withHeaders adds what the collector asks for.
func (o *OTLP) withHeaders(ctx context.Context) (context.Context, error) {
	if o.Headers == nil {
		return ctx, nil
	}
	h, err := o.Headers(ctx)
	if err != nil {
		return ctx, err
	}
	return metadata.NewOutgoingContext(ctx, metadata.New(h)), nil
}

// traces exports spans as they are.
func (o *OTLP) traces(ctx context.Context, spans *coltrace.ExportTraceServiceRequest) error {
	ctx, err := o.withHeaders(ctx)
	if err != nil {
		return err
	}
	r, err := coltrace.NewTraceServiceClient(o.Conn).Export(ctx, spans)
	if err != nil {
		return refused("traces", err)
	}
	o.partial("traces", r.GetPartialSuccess().GetRejectedSpans(), r.GetPartialSuccess().GetErrorMessage())
	return nil
}
