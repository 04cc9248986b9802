package envoytest

import (
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hmodulev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_modules/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// HTTPFilter is one of the module's HTTP filters.
func HTTPFilter(t testing.TB, kind string, config []byte) *hcmv3.HttpFilter {
	t.Helper()
	return &hcmv3.HttpFilter{Name: kind, ConfigType: &hcmv3.HttpFilter_TypedConfig{
		TypedConfig: Any(t, &hmodulev3.DynamicModuleFilter{
			DynamicModuleConfig: ModuleConfig(),
			FilterName:          kind,
			FilterConfig:        Any(t, wrapperspb.Bytes(config)),
		})}}
}

// HTTPManager is Envoy's HTTP connection manager with these filters before a router that sends
// all to the cluster.
func HTTPManager(t testing.TB, cluster string, fs ...*hcmv3.HttpFilter) *listenerv3.Filter {
	t.Helper()
	router := &hcmv3.HttpFilter{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: Any(t, &routerv3.Router{})}}
	return &listenerv3.Filter{Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{
		TypedConfig: Any(t, &hcmv3.HttpConnectionManager{
			StatPrefix:  "test",
			HttpFilters: append(fs, router),
			RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
				VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
					Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
					Action: &routev3.Route_Route{Route: &routev3.RouteAction{
						ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}, Timeout: durationpb.New(0)}},
				}}}},
			}},
		})}}
}
