package snapshot

import (
	"encoding/json"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hmodule "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/dynamic_modules/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	inspector "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
)

// httpModuleURL is the type that ECDS may deliver for our HTTP filter.
const httpModuleURL = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter"

const (
	// headersTimeout bounds how long a client may take for a request's head.
	headersTimeout = 30 * time.Second
	// connectionIdle closes client connections without a request.
	connectionIdle = time.Hour
	delayedClose   = 200 * time.Millisecond
)

// httpListenerFilters only look for the server name; there is nothing before TLS.
func httpListenerFilters(offersTLS bool) ([]*listener.ListenerFilter, error) {
	if !offersTLS {
		return nil, nil
	}
	a, err := pack(&inspector.TlsInspector{})
	if err != nil {
		return nil, err
	}
	return []*listener.ListenerFilter{{Name: "envoy.filters.listener.tls_inspector",
		ConfigType: &listener.ListenerFilter_TypedConfig{TypedConfig: a}}}, nil
}

// httpNetworkFilters are Envoy's HTTP stack with our filter, by ECDS and without a
// default, so that nothing passes before it is there.
func httpNetworkFilters(t *config.Target) ([]*listener.Filter, error) {
	last, err := pack(&router.Router{SuppressEnvoyHeaders: true})
	if err != nil {
		return nil, err
	}
	manager := httpManager(t)
	if t.Protocol == config.ProtocolKubernetes {
		if err := withStreams(manager, t); err != nil {
			return nil, err
		}
	}
	manager.HttpFilters = []*hcm.HttpFilter{
		{Name: ExtensionName(t.Name), ConfigType: &hcm.HttpFilter_ConfigDiscovery{ConfigDiscovery: &core.ExtensionConfigSource{
			ConfigSource: ads(),
			TypeUrls:     []string{httpModuleURL},
		}}},
		{Name: "envoy.filters.http.router", ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: last}},
	}
	a, err := pack(manager)
	if err != nil {
		return nil, err
	}
	return []*listener.Filter{{Name: "envoy.filters.network.http_connection_manager",
		ConfigType: &listener.Filter_TypedConfig{TypedConfig: a}}}, nil
}

// httpManager is strict where recipients may read a request in two ways: what it passes on is what our
// filter judges, which then sets path, method and authority in normal form.
func httpManager(t *config.Target) *hcm.HttpConnectionManager {
	m := &hcm.HttpConnectionManager{
		StatPrefix: "dragoman." + t.Name,
		CodecType:  hcm.HttpConnectionManager_AUTO,
		// One reader of paths: our filter puts them in normal form or refuses them, and sends what it has judged.
		// Here nothing is changed before it looks.
		NormalizePath:                wrapperspb.Bool(false),
		MergeSlashes:                 false,
		PathWithEscapedSlashesAction: hcm.HttpConnectionManager_KEEP_UNCHANGED,
		CommonHttpProtocolOptions: &core.HttpProtocolOptions{
			IdleTimeout:                  durationpb.New(connectionIdle),
			MaxHeadersCount:              wrapperspb.UInt32(maxFields),
			HeadersWithUnderscoresAction: core.HttpProtocolOptions_REJECT_REQUEST,
		},
		HttpProtocolOptions:  &core.Http1ProtocolOptions{EnableTrailers: true},
		Http2ProtocolOptions: httpTwo(),
		MaxRequestHeadersKb:  wrapperspb.UInt32(maxHead),
		// Who the client is, is what its connection says.
		UseRemoteAddress:           wrapperspb.Bool(true),
		InternalAddressConfig:      &hcm.HttpConnectionManager_InternalAddressConfig{},
		ForwardClientCertDetails:   hcm.HttpConnectionManager_SANITIZE,
		GenerateRequestId:          wrapperspb.Bool(false),
		ServerHeaderTransformation: hcm.HttpConnectionManager_PASS_THROUGH,
		UpgradeConfigs:             []*hcm.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		RequestHeadersTimeout:      durationpb.New(headersTimeout),
		// A held request waits for people, an event stream for events: our filter and the session end them.
		StreamIdleTimeout: durationpb.New(0),
		// A stream whose session ended is gone at once; clients that we answer in the middle of an upload have this long to read it.
		DelayedCloseTimeout: durationpb.New(delayedClose),
		RouteSpecifier:      &hcm.HttpConnectionManager_RouteConfig{RouteConfig: httpRoutes(t)},
	}
	if t.TLS.Client.ClientCA != "" {
		m.ForwardClientCertDetails = hcm.HttpConnectionManager_SANITIZE_SET
		m.SetCurrentClientCertDetails = &hcm.HttpConnectionManager_SetCurrentClientCertDetails{Uri: true}
	}
	return m
}

// httpRoutes send everything to the target, once: a request is never repeated by the gateway.
func httpRoutes(t *config.Target) *route.RouteConfiguration {
	to := &route.RouteAction{
		ClusterSpecifier: &route.RouteAction_Cluster{Cluster: ClusterName(t.Name)},
		Timeout:          durationpb.New(0),
		IdleTimeout:      durationpb.New(0),
	}
	if t.HTTP.Host != "" {
		to.HostRewriteSpecifier = &route.RouteAction_HostRewriteLiteral{HostRewriteLiteral: t.HTTP.Host}
	}
	return &route.RouteConfiguration{
		Name:             "dragoman/" + t.Name,
		ValidateClusters: wrapperspb.Bool(false),
		VirtualHosts: []*route.VirtualHost{{
			Name:    t.Name,
			Domains: []string{"*"},
			Routes: []*route.Route{{
				Match:  &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/"}},
				Action: &route.Route_Route{Route: to},
			}, {
				// OPTIONS * and the like.
				Match:  &route.RouteMatch{PathSpecifier: &route.RouteMatch_Path{Path: "*"}},
				Action: &route.Route_Route{Route: to},
			}},
		}},
	}
}

// httpExtensionOf is a target's HTTP filter with the whole policy.
func httpExtensionOf(t *config.Target, bundle policy.Bundle) (*core.TypedExtensionConfig, error) {
	doc, err := json.Marshal(HTTP(t, bundle))
	if err != nil {
		return nil, err
	}
	inner, err := pack(wrapperspb.String(string(doc)))
	if err != nil {
		return nil, err
	}
	filter, err := pack(&hmodule.DynamicModuleFilter{
		DynamicModuleConfig: module(),
		FilterName:          nodeconfig.HTTPFilter,
		FilterConfig:        inner,
	})
	if err != nil {
		return nil, err
	}
	return &core.TypedExtensionConfig{Name: ExtensionName(t.Name), TypedConfig: filter}, nil
}

// HTTP is what the filter of an http target is told.
func HTTP(t *config.Target, bundle policy.Bundle) nodeconfig.HTTP {
	return nodeconfig.HTTP{
		Target:         t.Policy(),
		Policy:         bundle,
		Durability:     t.Audit.Durability,
		Limits:         limitsOf(t),
		AllowCleartext: *t.AllowCleartext,
		ClientCA:       t.TLS.Client.ClientCA != "",
		RespondAsync:   t.HTTP.RespondAsync,
		MCP:            t.HTTP.MCP,
		JudgedBody:     int(t.HTTP.JudgedBody),
		RecordedBody:   int64(t.HTTP.RecordedBody),
		JudgedHeaders:  t.HTTP.JudgedHeaders,
	}
}
