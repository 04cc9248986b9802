package snapshot

import (
	"encoding/json"
	"net"
	"strconv"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	modules "github.com/envoyproxy/go-control-plane/envoy/extensions/dynamic_modules/v3"
	lmodule "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/dynamic_modules/v3"
	inspector "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	tcp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

const (
	// bufferLimit is how much Envoy queues on one side of a connection
	// before it stops reading the other.
	bufferLimit = 256 << 10
)

// listenerOf builds the listener of one address, which several targets may
// share by server name.
func listenerOf(listen string, targets []*config.Target) (*listener.Listener, error) {
	if targets[0].Protocol == config.ProtocolRDP {
		return rdpListener(listen, targets)
	}
	if protocols[targets[0].Protocol].bridged {
		return bridgeListener(listen, targets)
	}
	addr, err := socketAddress(listen)
	if err != nil {
		return nil, err
	}
	l := &listener.Listener{
		Name:                          ListenerName(listen),
		StatPrefix:                    "dragoman",
		Address:                       addr,
		PerConnectionBufferLimitBytes: wrapperspb.UInt32(bufferLimit),
		TcpBacklogSize:                wrapperspb.UInt32(4096),
	}
	offersTLS := false
	cleartext := cleartextTarget(targets)
	for _, t := range targets {
		chains, err := chainsOf(t, t == cleartext)
		if err != nil {
			return nil, err
		}
		l.FilterChains = append(l.FilterChains, chains...)
		offersTLS = offersTLS || t.TLS.Client.Cert != ""
	}
	l.ListenerFilters, err = listenerFilters(cleartext, offersTLS)
	return l, err
}

// listenerFilters do what comes before TLS on the raw socket first, so that
// tls_inspector then sees the real ClientHello. All targets of a port speak the protocol of t, the one that
// clients without TLS come to.
func listenerFilters(t *config.Target, offersTLS bool) ([]*listener.ListenerFilter, error) {
	p, err := protocolOf(t)
	if err != nil {
		return nil, err
	}
	if p.http {
		return httpListenerFilters(offersTLS)
	}
	first := nodeconfig.Listener{TLS: offersTLS}
	if p.greets {
		first.Target, first.ServerVersion = t.Name, t.ServerVersion
	}
	cfg, err := json.Marshal(first)
	if err != nil {
		return nil, err
	}
	inner, err := pack(wrapperspb.String(string(cfg)))
	if err != nil {
		return nil, err
	}
	list := []struct {
		name string
		cfg  proto.Message
	}{
		{"dragoman." + t.Protocol, &lmodule.DynamicModuleListenerFilter{
			DynamicModuleConfig: module(), FilterName: p.listener, FilterConfig: inner}},
		{"envoy.filters.listener.tls_inspector", &inspector.TlsInspector{}},
	}
	var out []*listener.ListenerFilter
	for _, f := range list {
		a, err := pack(f.cfg)
		if err != nil {
			return nil, err
		}
		out = append(out, &listener.ListenerFilter{Name: f.name, ConfigType: &listener.ListenerFilter_TypedConfig{TypedConfig: a}})
	}
	return out, nil
}

// cleartextTarget is the one target of a port whose filter sees connections
// without TLS: the one without server names, or else the first. Its filter refuses
// logins unless allow_cleartext, with words that a client understands
// (without a chain Envoy would just hang up), and takes cancel requests, which many
// clients send without TLS even when their session has it.
func cleartextTarget(targets []*config.Target) *config.Target {
	for _, t := range targets {
		if len(t.SNI) == 0 {
			return t
		}
	}
	return targets[0]
}

// chainsOf are a target's filter chains: one for TLS where it has a
// certificate, and one for clear text.
func chainsOf(t *config.Target, cleartext bool) ([]*listener.FilterChain, error) {
	p, err := protocolOf(t)
	if err != nil {
		return nil, err
	}
	ofProtocol := networkFilters
	if p.http {
		ofProtocol = httpNetworkFilters
	}
	filters, err := ofProtocol(t)
	if err != nil {
		return nil, err
	}
	var out []*listener.FilterChain
	if t.TLS.Client.Cert != "" {
		socket, err := downstreamTLS(t)
		if err != nil {
			return nil, err
		}
		out = append(out, &listener.FilterChain{
			Name:                          t.Name + "/tls",
			FilterChainMatch:              &listener.FilterChainMatch{TransportProtocol: "tls", ServerNames: t.SNI},
			Filters:                       filters,
			TransportSocket:               socket,
			TransportSocketConnectTimeout: durationpb.New(loginTimeout(t)),
		})
	}
	if cleartext {
		out = append(out, &listener.FilterChain{
			Name:             t.Name + "/cleartext",
			FilterChainMatch: &listener.FilterChainMatch{TransportProtocol: "raw_buffer"},
			Filters:          filters,
		})
	}
	return out, nil
}

// networkFilters are ours, by ECDS and without a default so that nothing passes
// before it is there, and tcp_proxy.
func networkFilters(t *config.Target) ([]*listener.Filter, error) {
	ours := &listener.Filter{
		Name: ExtensionName(t.Name),
		ConfigType: &listener.Filter_ConfigDiscovery{ConfigDiscovery: &core.ExtensionConfigSource{
			ConfigSource: ads(),
			TypeUrls:     []string{networkModuleURL},
		}},
	}
	proxy, err := pack(&tcp.TcpProxy{
		StatPrefix:        "dragoman." + t.Name,
		ClusterSpecifier:  &tcp.TcpProxy_Cluster{Cluster: ClusterName(t.Name)},
		MaxEarlyDataBytes: wrapperspb.UInt32(nodeconfig.EarlyDataLimit),
		// The module gives up first, and tells the client why.
		MaxConnectAttempts: wrapperspb.UInt32(nodeconfig.MaxConnectAttempts),
		BackoffOptions: &core.BackoffStrategy{
			BaseInterval: durationpb.New(nodeconfig.ConnectBackoff),
			MaxInterval:  durationpb.New(nodeconfig.MaxConnectBackoff),
		},
		IdleTimeout: durationpb.New(0), // ours decides (limits.idle_timeout)
	})
	if err != nil {
		return nil, err
	}
	return []*listener.Filter{ours, {
		Name:       "envoy.filters.network.tcp_proxy",
		ConfigType: &listener.Filter_TypedConfig{TypedConfig: proxy},
	}}, nil
}

func module() *modules.DynamicModuleConfig {
	return &modules.DynamicModuleConfig{Name: "dragoman", DoNotClose: true}
}

// ads is the aggregated stream; a resource that does not come keeps what needs
// it from serving, however long that takes.
func ads() *core.ConfigSource {
	return &core.ConfigSource{
		ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
		ResourceApiVersion:    core.ApiVersion_V3,
		InitialFetchTimeout:   durationpb.New(0),
	}
}

func socketAddress(hostport string) (*core.Address, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address:       host,
		PortSpecifier: &core.SocketAddress_PortValue{PortValue: uint32(n)},
	}}}, nil
}
