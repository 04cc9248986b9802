package snapshot

import (
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

// KubeCluster is the bridge, for requests that become streams.
const KubeCluster = "dragoman/kube"

// kubeTarget adds the bridge's cluster, once.
func (b *builder) kubeTarget(t *config.Target) {
	if t.Protocol != config.ProtocolKubernetes || b.kube {
		return
	}
	b.kube = true
	b.out.Clusters = append(b.out.Clusters, pipeCluster(KubeCluster, b.cfg.KubeSocket(b.out.Node)))
}

// withStreams sends requests that become streams to the bridge.
func withStreams(m *hcm.HttpConnectionManager, t *config.Target) error {
	r, err := kubeStreams(t)
	if err != nil {
		return err
	}
	host := m.GetRouteConfig().VirtualHosts[0]
	host.Routes = append([]*route.Route{r}, host.Routes...)
	return nil
}

// kubeStreams is the route of requests that become streams: to the bridge, past our HTTP filter, which refuses them if they
// come its way in any other form. Who the client is, is Envoy's word; fields by these names that the client sent are removed.
func kubeStreams(t *config.Target) (*route.Route, error) {
	off, err := anypb.New(&route.FilterConfig{Disabled: true})
	if err != nil {
		return nil, err
	}
	out := &route.Route{
		Match: &route.RouteMatch{
			PathSpecifier: &route.RouteMatch_SafeRegex{SafeRegex: &matcher.RegexMatcher{Regex: kube.StreamPath}},
			Headers: []*route.HeaderMatcher{{Name: "upgrade",
				HeaderMatchSpecifier: &route.HeaderMatcher_PresentMatch{PresentMatch: true}}},
		},
		Action: &route.Route_Route{Route: &route.RouteAction{
			ClusterSpecifier: &route.RouteAction_Cluster{Cluster: KubeCluster},
			Timeout:          durationpb.New(0),
			IdleTimeout:      durationpb.New(0),
			UpgradeConfigs:   []*route.RouteAction_UpgradeConfig{{UpgradeType: "spdy/3.1"}}, // here only: the bridge says no in words
		}},
		TypedPerFilterConfig: map[string]*anypb.Any{ExtensionName(t.Name): off},
	}
	for _, h := range [][2]string{{nodeconfig.HeaderTarget, t.Name}, {nodeconfig.HeaderClient, "%DOWNSTREAM_REMOTE_ADDRESS%"},
		{nodeconfig.HeaderTLS, "%DOWNSTREAM_TLS_VERSION%"},
		{nodeconfig.HeaderURISAN, "%DOWNSTREAM_PEER_URI_SAN%"}, {nodeconfig.HeaderCertDigest, "%DOWNSTREAM_PEER_FINGERPRINT_256%"}} {
		out.RequestHeadersToRemove = append(out.RequestHeadersToRemove, h[0])
		out.RequestHeadersToAdd = append(out.RequestHeadersToAdd, &core.HeaderValueOption{
			Header:       &core.HeaderValue{Key: h[0], Value: h[1]},
			AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD})
	}
	return out, nil
}
