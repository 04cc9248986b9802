package notify

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func spansOf(name string, more ...any) *coltrace.ExportTraceServiceRequest {
	return &coltrace.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{Resource: &resource.Resource{Attributes: attributes(more...)},
		ScopeSpans: []*trace.ScopeSpans{{Spans: []*trace.Span{{Name: name}}}}}, {}}}
}

// TestRelay: spans of a gateway come to the collector with the gateway's name, which it cannot choose, and with our credential.
func TestRelay(t *testing.T) {
	c, o := newCollector(t)
	var who error
	r := NewRelay(o, func(context.Context) (string, error) { return "node-1", who }, slog.New(slog.DiscardHandler))
	if _, err := r.Export(t.Context(), spansOf("ingress", "dragoman.node", "another", "service.name", "x")); err != nil {
		t.Fatal(err)
	}
	got := c.spans[0].ResourceSpans
	if len(got) != 2 || len(got[0].Resource.Attributes) != 2 || got[0].Resource.Attributes[1].Value.GetStringValue() != "node-1" ||
		len(got[1].Resource.Attributes) != 1 || got[0].ScopeSpans[0].Spans[0].Name != "ingress" {
		t.Fatal(got)
	}
	if _, err := r.Export(t.Context(), spansOf(strings.Repeat("x", relayBytes+1))); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	for range relays {
		r.room <- struct{}{}
	}
	if _, err := r.Export(t.Context(), spansOf("a")); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
	<-r.room
	if _, err := r.Export(t.Context(), spansOf("a")); err != nil {
		t.Error(err)
	}
	who = errors.New("the peer shows no certificate")
	if _, err := r.Export(t.Context(), spansOf("a")); status.Code(err) != codes.PermissionDenied || len(c.spans) != 2 {
		t.Error(err, len(c.spans))
	}
}
