package snapshot

import (
	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	upstream "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
)

const httpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// httpClusterOf is an http target's one cluster.
func httpClusterOf(t *config.Target) ([]types.Resource, error) {
	c := commonCluster(t, ClusterName(t.Name))
	c.LbPolicy = cluster.Cluster_LEAST_REQUEST
	c.ClusterDiscoveryType = &cluster.Cluster_Type{Type: discoveryOf(t)}
	c.DnsLookupFamily = cluster.Cluster_V4_PREFERRED
	if err := endpointsOf(c, t); err != nil {
		return nil, err
	}
	if t.Health != nil {
		c.HealthChecks = []*core.HealthCheck{healthCheck(t.Health)}
	}
	options, err := pack(httpOptions(t))
	if err != nil {
		return nil, err
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{httpOptionsKey: options}
	if t.TLS.Upstream.Mode != config.TLSDisable {
		ctx, err := upstreamContext(t)
		if err != nil {
			return nil, err
		}
		if t.HTTP.Version == config.HTTP2 {
			ctx.CommonTlsContext.AlpnProtocols = []string{"h2"} // auto sets its own
		}
		if c.TransportSocket, err = socketOf("envoy.transport_sockets.tls", ctx); err != nil {
			return nil, err
		}
	}
	return []types.Resource{c}, nil
}

func httpOptions(t *config.Target) *upstream.HttpProtocolOptions {
	one := &core.Http1ProtocolOptions{EnableTrailers: true}
	two := &core.Http2ProtocolOptions{
		InitialStreamWindowSize:     wrapperspb.UInt32(streamWindow),
		InitialConnectionWindowSize: wrapperspb.UInt32(connWindow),
		AllowConnect:                true,
	}
	o := &upstream.HttpProtocolOptions{}
	explicit := &upstream.HttpProtocolOptions_ExplicitHttpConfig{}
	switch t.HTTP.Version {
	case config.HTTPAuto:
		o.UpstreamProtocolOptions = &upstream.HttpProtocolOptions_AutoConfig{AutoConfig: &upstream.HttpProtocolOptions_AutoHttpConfig{
			HttpProtocolOptions: one, Http2ProtocolOptions: two}}
		return o
	case config.HTTP2:
		explicit.ProtocolConfig = &upstream.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: two}
	default:
		explicit.ProtocolConfig = &upstream.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: one}
	}
	o.UpstreamProtocolOptions = &upstream.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit}
	return o
}
