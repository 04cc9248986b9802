package snapshot

import (
	"fmt"
	"slices"
	"strings"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	inspector "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	tcp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	proxyproto "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	raw "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

// BridgeCluster is the bridge, which serves what Envoy has no codec for.
const BridgeCluster = "dragoman/bridge"

// bridgeConnections bounds the connections to the bridge, of all targets.
const bridgeConnections = 20_000

// bridged adds what a target behind the bridge needs apart from its listener. Envoy knows
// nothing of where such a target is: the bridge connects to it.
func (b *builder) bridged(t *config.Target) error {
	secrets, err := b.secretsOf(t)
	if err != nil {
		return err
	}
	b.out.Secrets = append(b.out.Secrets, secrets...)
	if b.bridge {
		return nil
	}
	b.bridge = true
	c, err := bridgeCluster(BridgeCluster, b.cfg.BridgeSocket(b.out.Node))
	if err != nil {
		return err
	}
	b.out.Clusters = append(b.out.Clusters, c)
	return nil
}

// bridgeCluster is a unix socket of the bridge's; what goes there begins with a PROXY header.
func bridgeCluster(name, path string) (*cluster.Cluster, error) {
	inner, err := socketOf("envoy.transport_sockets.raw_buffer", &raw.RawBuffer{})
	if err != nil {
		return nil, err
	}
	socket, err := socketOf("envoy.transport_sockets.upstream_proxy_protocol", &proxyproto.ProxyProtocolUpstreamTransport{
		Config: &core.ProxyProtocolConfig{Version: core.ProxyProtocolConfig_V2, PassThroughTlvs: &core.ProxyProtocolPassThroughTLVs{
			MatchType: core.ProxyProtocolPassThroughTLVs_INCLUDE,
			TlvType:   []uint32{nodeconfig.TLVTargets, nodeconfig.TLVURISAN, nodeconfig.TLVCertDigest}}},
		TransportSocket: inner,
	})
	if err != nil {
		return nil, err
	}
	c := pipeCluster(name, path)
	c.TransportSocket = socket
	return c, nil
}

// pipeCluster is a unix socket of the bridge's.
func pipeCluster(name, path string) *cluster.Cluster {
	most := wrapperspb.UInt32(bridgeConnections)
	return &cluster.Cluster{
		Name: name, AltStatName: name,
		ClusterDiscoveryType:          &cluster.Cluster_Type{Type: cluster.Cluster_STATIC},
		ConnectTimeout:                durationpb.New(config.DefaultConnect),
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
		CircuitBreakers: &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{{
			MaxConnections: most, MaxPendingRequests: most, MaxRequests: most}}},
		LoadAssignment: &endpoint.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpoint.LocalityLbEndpoints{{
			LbEndpoints: []*endpoint.LbEndpoint{{HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{
				Address: &core.Address{Address: &core.Address_Pipe{Pipe: &core.Pipe{Path: path}}}}}}}}}},
	}
}

// bridgeListener builds the listener of an address whose targets are behind the bridge. Which of them
// a client means is told by the server name within TLS, or else to the bridge.
func bridgeListener(listen string, targets []*config.Target) (*listener.Listener, error) {
	addr, err := socketAddress(listen)
	if err != nil {
		return nil, err
	}
	l := &listener.Listener{Name: ListenerName(listen), StatPrefix: "dragoman", Address: addr,
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit), TcpBacklogSize: wrapperspb.UInt32(4096)}
	clear := slices.DeleteFunc(slices.Clone(targets), func(t *config.Target) bool { return !*t.AllowCleartext })
	for _, group := range bySNI(targets) {
		for _, t := range group {
			if t.TLS.Client != group[0].TLS.Client {
				return nil, fmt.Errorf("targets %s and %s have the same server names, but other certificates", group[0].Name, t.Name)
			}
		}
		chain, err := bridgeChain(group[0].Name+"/tls", BridgeCluster, group, true)
		if err != nil {
			return nil, err
		}
		chain.FilterChainMatch = &listener.FilterChainMatch{TransportProtocol: "tls", ServerNames: group[0].SNI}
		if chain.TransportSocket, err = downstreamTLS(group[0]); err != nil {
			return nil, err
		}
		chain.TransportSocketConnectTimeout = durationpb.New(loginTimeout(group[0]))
		l.FilterChains = append(l.FilterChains, chain)
	}
	if len(l.FilterChains) > 0 { // its wait for a client that speaks second would delay every greeting, so only where TLS is offered
		a, err := pack(&inspector.TlsInspector{})
		if err != nil {
			return nil, err
		}
		l.ListenerFilters = []*listener.ListenerFilter{{Name: "envoy.filters.listener.tls_inspector",
			ConfigType: &listener.ListenerFilter_TypedConfig{TypedConfig: a}}}
	}
	if len(clear) > 0 {
		chain, err := bridgeChain(clear[0].Name+"/cleartext", BridgeCluster, clear, false)
		if err != nil {
			return nil, err
		}
		if len(l.FilterChains) > 0 {
			chain.FilterChainMatch = &listener.FilterChainMatch{TransportProtocol: "raw_buffer"}
		}
		l.FilterChains = append(l.FilterChains, chain)
	}
	return l, nil
}

// bySNI groups the targets with TLS that have the same server names, in order.
func bySNI(targets []*config.Target) [][]*config.Target {
	var out [][]*config.Target
	for _, t := range targets {
		if t.TLS.Client.Cert == "" {
			continue
		}
		i := slices.IndexFunc(out, func(g []*config.Target) bool { return slices.Equal(g[0].SNI, t.SNI) })
		if i < 0 {
			out = append(out, []*config.Target{t})
			continue
		}
		out[i] = append(out[i], t)
	}
	return out
}

func bridgeChain(name, to string, targets []*config.Target, withTLS bool) (*listener.FilterChain, error) {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	mode := tcp.UpstreamConnectMode_IMMEDIATE
	if withTLS { // or the header would be made before the client's certificate is there
		mode = tcp.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE
	}
	proxy, err := pack(&tcp.TcpProxy{
		StatPrefix:          "dragoman." + targets[0].Name,
		ClusterSpecifier:    &tcp.TcpProxy_Cluster{Cluster: to},
		UpstreamConnectMode: mode,
		MaxEarlyDataBytes:   wrapperspb.UInt32(nodeconfig.EarlyDataLimit),
		IdleTimeout:         durationpb.New(0), // the bridge decides
		ProxyProtocolTlvs: []*core.TlvEntry{
			{Type: nodeconfig.TLVTargets, Value: []byte(strings.Join(names, ","))},
			{Type: nodeconfig.TLVURISAN, FormatString: formatString("%DOWNSTREAM_PEER_URI_SAN%")},
			{Type: nodeconfig.TLVCertDigest, FormatString: formatString("%DOWNSTREAM_PEER_FINGERPRINT_256%")},
		},
	})
	if err != nil {
		return nil, err
	}
	return &listener.FilterChain{Name: name, Filters: []*listener.Filter{{
		Name: "envoy.filters.network.tcp_proxy", ConfigType: &listener.Filter_TypedConfig{TypedConfig: proxy}}}}, nil
}

func formatString(s string) *core.SubstitutionFormatString {
	return &core.SubstitutionFormatString{Format: &core.SubstitutionFormatString_TextFormatSource{TextFormatSource: &core.DataSource{
		Specifier: &core.DataSource_InlineString{InlineString: s}}}}
}
