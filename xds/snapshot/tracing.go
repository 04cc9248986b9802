package snapshot

import (
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	trace "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	uuid "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	samplers "github.com/envoyproxy/go-control-plane/envoy/extensions/tracers/opentelemetry/samplers/v3"
	percent "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/nodeconfig"
)

// httpManagerName is that of Envoy's HTTP stack as a network filter.
const httpManagerName = "envoy.filters.network.http_connection_manager"

// spansTimeout bounds one export of spans.
const spansTimeout = 10e9 // ns

// traced makes the HTTP managers of a listener trace each request. Spans go to the control plane, which hands them on to the
// collector: so no collector's credential is in a resource, and a gateway needs no way to it.
func traced(l *listener.Listener, service string) error {
	chains := l.FilterChains
	if l.DefaultFilterChain != nil {
		chains = append(chains[:len(chains):len(chains)], l.DefaultFilterChain)
	}
	for _, c := range chains {
		for _, f := range c.Filters {
			if f.Name != httpManagerName {
				continue
			}
			if err := traceFilter(f, service); err != nil {
				return err
			}
		}
	}
	return nil
}

func traceFilter(f *listener.Filter, service string) error {
	var m hcm.HttpConnectionManager
	if err := f.GetTypedConfig().UnmarshalTo(&m); err != nil {
		return err
	}
	var err error
	if m.Tracing, err = tracing(service); err != nil {
		return err
	}
	// Sampling does not hang on a request's id: there may be none, and what a client sends as one is the target's affair.
	id, err := pack(&uuid.UuidRequestIdConfig{PackTraceReason: wrapperspb.Bool(false), UseRequestIdForTraceSampling: wrapperspb.Bool(false)})
	if err != nil {
		return err
	}
	m.RequestIdExtension = &hcm.RequestIDExtension{TypedConfig: id}
	a, err := pack(&m)
	if err != nil {
		return err
	}
	f.ConfigType = &listener.Filter_TypedConfig{TypedConfig: a}
	return nil
}

// tracing is Envoy's OpenTelemetry tracer. Every request is sampled, whatever its sender's traceparent says. A span has
// no path: it may have values in it that masks take out of the record.
func tracing(service string) (*hcm.HttpConnectionManager_Tracing, error) {
	always, err := pack(&samplers.AlwaysOnSamplerConfig{})
	if err != nil {
		return nil, err
	}
	provider, err := pack(&trace.OpenTelemetryConfig{
		GrpcService: &core.GrpcService{
			TargetSpecifier: &core.GrpcService_EnvoyGrpc_{EnvoyGrpc: &core.GrpcService_EnvoyGrpc{ClusterName: nodeconfig.ControlCluster}},
			Timeout:         durationpb.New(spansTimeout),
		},
		ServiceName: service,
		Sampler:     &core.TypedExtensionConfig{Name: "envoy.tracers.opentelemetry.samplers.always_on", TypedConfig: always},
	})
	if err != nil {
		return nil, err
	}
	return &hcm.HttpConnectionManager_Tracing{
		RandomSampling:    &percent.Percent{Value: 100},
		MaxPathTagLength:  wrapperspb.UInt32(0),
		SpawnUpstreamSpan: wrapperspb.Bool(false), // the traceparent that a target gets is that of the request's span, which our filter knows
		Provider: &trace.Tracing_Http{
			Name:       "envoy.tracers.opentelemetry",
			ConfigType: &trace.Tracing_Http_TypedConfig{TypedConfig: provider},
		},
	}, nil
}
