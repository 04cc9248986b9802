package envoy

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// What one HTTP client may do, as far as Envoy has it as a runtime key and not in a listener's config.
const (
	// requestsInTurn is how many requests of one connection a worker begins before it looks at others. Without it, all that
	// 256 KiB of HTTP/2 can hold begin, and are there, at once: some 4,000.
	requestsInTurn = 32
	// A connection is closed when more than half of this many streams were reset within that many seconds of their beginning
	// (rapid reset, CVE-2023-44487). Envoy's own numbers, said here so that they stay.
	resetStreams = 500
	resetSeconds = 1
)

func runtime() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "limits",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"http.max_requests_per_io_cycle":                       structpb.NewNumberValue(requestsInTurn),
			"overload.premature_reset_total_stream_count":          structpb.NewNumberValue(resetStreams),
			"overload.premature_reset_min_stream_lifetime_seconds": structpb.NewNumberValue(resetSeconds),
		}}},
	}}}
}
