package envoytest

import (
	"net"
	"strconv"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	modulesv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/dynamic_modules/v3"
	lmodulev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/dynamic_modules/v3"
	nmodulev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/dynamic_modules/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/filters"
)

// Small builders of xDS resources for tests of filters without a control plane.

// Any packs m.
func Any(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Listener on a free port of loopback with one filter chain.
func Listener(name string, fs ...*listenerv3.Filter) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:         name,
		Address:      Address("127.0.0.1:0"),
		FilterChains: []*listenerv3.FilterChain{{Filters: fs}},
	}
}

// Address is a socket address; it panics on what is not host:port.
func Address(hostport string) *corev3.Address {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		panic(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		panic(err)
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(n)},
	}}}
}

// ModuleConfig is the shared object part of a filter's config.
func ModuleConfig() *modulesv3.DynamicModuleConfig {
	return &modulesv3.DynamicModuleConfig{Name: "dragoman", DoNotClose: true}
}

// NetworkFilterConfig is the config of one of the module's network filters.
func NetworkFilterConfig(t testing.TB, kind string, config []byte) *anypb.Any {
	t.Helper()
	return Any(t, &nmodulev3.DynamicModuleNetworkFilter{
		DynamicModuleConfig: ModuleConfig(),
		FilterName:          kind,
		FilterConfig:        Any(t, wrapperspb.Bytes(config)),
	})
}

// NetworkFilter is one of the module's network filters.
func NetworkFilter(t testing.TB, kind string, config []byte) *listenerv3.Filter {
	t.Helper()
	return &listenerv3.Filter{Name: kind, ConfigType: &listenerv3.Filter_TypedConfig{
		TypedConfig: NetworkFilterConfig(t, kind, config)}}
}

// ListenerFilter is one of the module's listener filters.
func ListenerFilter(t testing.TB, kind string, config []byte) *listenerv3.ListenerFilter {
	t.Helper()
	return &listenerv3.ListenerFilter{Name: kind, ConfigType: &listenerv3.ListenerFilter_TypedConfig{
		TypedConfig: Any(t, &lmodulev3.DynamicModuleListenerFilter{
			DynamicModuleConfig: ModuleConfig(),
			FilterName:          kind,
			FilterConfig:        Any(t, wrapperspb.Bytes(config)),
		})}}
}

// TCPProxy is the filter behind a network filter, as the host needs it.
func TCPProxy(t testing.TB, cluster string) *listenerv3.Filter {
	t.Helper()
	return &listenerv3.Filter{Name: "tcp_proxy", ConfigType: &listenerv3.Filter_TypedConfig{
		TypedConfig: Any(t, &tcpv3.TcpProxy{
			StatPrefix:         cluster,
			ClusterSpecifier:   &tcpv3.TcpProxy_Cluster{Cluster: cluster},
			MaxEarlyDataBytes:  wrapperspb.UInt32(filters.EarlyDataLimit),
			MaxConnectAttempts: wrapperspb.UInt32(filters.MaxConnectAttempts),
			BackoffOptions: &corev3.BackoffStrategy{
				BaseInterval: durationpb.New(filters.ConnectBackoff),
				MaxInterval:  durationpb.New(filters.MaxConnectBackoff),
			},
		})}}
}

// Cluster with these endpoints, host:port.
func Cluster(name string, addrs ...string) *clusterv3.Cluster {
	hosts := make([]*endpointv3.LbEndpoint, len(addrs))
	for i, a := range addrs {
		hosts[i] = &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
			Endpoint: &endpointv3.Endpoint{Address: Address(a)}}}
	}
	return &clusterv3.Cluster{
		Name:                 name,
		ConnectTimeout:       durationpb.New(2 * time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: hosts}},
		},
	}
}
