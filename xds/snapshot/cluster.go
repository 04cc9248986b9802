package snapshot

import (
	"net"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
)

// Keepalive finds a target that vanished without a word within about two minutes.
const (
	keepaliveTime     = 60 // seconds idle before the first probe
	keepaliveInterval = 15
	keepaliveProbes   = 4
)

// Where the cancel cluster reads the endpoint to go to, if not from filter
// state: dynamic metadata of the connection.
const (
	CancelMetadata = "dragoman"
	CancelKey      = "cancel_address"
)

// clustersOf are a target's clusters: its endpoints, and the one for cancel
// requests, which go to the very endpoint that the session is on.
func clustersOf(t *config.Target) ([]types.Resource, error) {
	if t.OverHTTP() {
		return httpClusterOf(t)
	}
	main := commonCluster(t, ClusterName(t.Name))
	main.LbPolicy = cluster.Cluster_LEAST_REQUEST
	main.ClusterDiscoveryType = &cluster.Cluster_Type{Type: discoveryOf(t)}
	main.DnsLookupFamily = cluster.Cluster_V4_PREFERRED
	if err := endpointsOf(main, t); err != nil {
		return nil, err
	}
	if t.Health != nil {
		main.HealthChecks = []*core.HealthCheck{healthCheck(t.Health)}
	}
	cancel := commonCluster(t, CancelClusterName(t.Name))
	cancel.ClusterDiscoveryType = &cluster.Cluster_Type{Type: cluster.Cluster_ORIGINAL_DST}
	cancel.LbPolicy = cluster.Cluster_CLUSTER_PROVIDED
	cancel.LbConfig = &cluster.Cluster_OriginalDstLbConfig_{OriginalDstLbConfig: &cluster.Cluster_OriginalDstLbConfig{
		MetadataKey: metadataKey(),
	}}
	if t.TLS.Upstream.Mode == config.TLSDisable {
		return []types.Resource{main, cancel}, nil
	}
	for _, c := range []*cluster.Cluster{main, cancel} {
		socket, err := upstreamTLS(t)
		if err != nil {
			return nil, err
		}
		c.TransportSocket = socket
	}
	return []types.Resource{main, cancel}, nil
}

func commonCluster(t *config.Target, name string) *cluster.Cluster {
	most := wrapperspb.UInt32(uint32(t.Limits.MaxConnections))
	return &cluster.Cluster{
		Name:                          name,
		AltStatName:                   name,
		ConnectTimeout:                durationpb.New(t.Limits.ConnectTimeout.Std()),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
		CircuitBreakers: &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{{
			MaxConnections: most, MaxPendingRequests: most, MaxRequests: most,
		}}},
		UpstreamConnectionOptions: &cluster.UpstreamConnectionOptions{TcpKeepalive: &core.TcpKeepalive{
			KeepaliveProbes:   wrapperspb.UInt32(keepaliveProbes),
			KeepaliveTime:     wrapperspb.UInt32(keepaliveTime),
			KeepaliveInterval: wrapperspb.UInt32(keepaliveInterval),
		}},
	}
}

// discoveryOf is STATIC where every address is an IP, else STRICT_DNS.
func discoveryOf(t *config.Target) cluster.Cluster_DiscoveryType {
	for _, a := range t.Addresses {
		if host, _, _ := net.SplitHostPort(a); net.ParseIP(host) == nil && host != "localhost" {
			return cluster.Cluster_STRICT_DNS
		}
	}
	return cluster.Cluster_STATIC
}

func endpointsOf(c *cluster.Cluster, t *config.Target) error {
	var list []*endpoint.LbEndpoint
	for _, a := range t.Addresses {
		addr, err := socketAddress(a)
		if err != nil {
			return err
		}
		list = append(list, &endpoint.LbEndpoint{HostIdentifier: &endpoint.LbEndpoint_Endpoint{
			Endpoint: &endpoint.Endpoint{Address: addr},
		}})
	}
	c.LoadAssignment = &endpoint.ClusterLoadAssignment{
		ClusterName: c.Name,
		Endpoints:   []*endpoint.LocalityLbEndpoints{{LbEndpoints: list}},
	}
	return nil
}

// healthCheck connects and sends nothing: no byte reaches a target before
// somebody is authenticated.
func healthCheck(h *config.HealthCheck) *core.HealthCheck {
	return &core.HealthCheck{
		Interval:           durationpb.New(h.Interval.Std()),
		Timeout:            durationpb.New(h.Timeout.Std()),
		HealthyThreshold:   wrapperspb.UInt32(uint32(h.Healthy)),
		UnhealthyThreshold: wrapperspb.UInt32(uint32(h.Unhealthy)),
		HealthChecker:      &core.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &core.HealthCheck_TcpHealthCheck{}},
	}
}
