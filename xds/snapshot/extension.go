package snapshot

import (
	"encoding/json"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	nmodule "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/dynamic_modules/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
)

// networkModuleURL is the type that ECDS may deliver for our filter.
const networkModuleURL = "type.googleapis.com/envoy.extensions.filters.network.dynamic_modules.v3.DynamicModuleNetworkFilter"

// extensionOf is a target's network filter with the whole policy. A policy
// push is a new version of this resource and of nothing else.
func extensionOf(t *config.Target, bundle policy.Bundle) (*core.TypedExtensionConfig, error) {
	p, err := protocolOf(t)
	if err != nil {
		return nil, err
	}
	if p.http {
		return httpExtensionOf(t, bundle)
	}
	doc, err := json.Marshal(Network(t, bundle))
	if err != nil {
		return nil, err
	}
	inner, err := pack(wrapperspb.String(string(doc)))
	if err != nil {
		return nil, err
	}
	filter, err := pack(&nmodule.DynamicModuleNetworkFilter{
		DynamicModuleConfig: module(),
		FilterName:          p.network,
		FilterConfig:        inner,
	})
	if err != nil {
		return nil, err
	}
	return &core.TypedExtensionConfig{Name: ExtensionName(t.Name), TypedConfig: filter}, nil
}

// Network is what the filter of a target is told.
func Network(t *config.Target, bundle policy.Bundle) nodeconfig.Network {
	return nodeconfig.Network{
		Target:            t.Policy(),
		Policy:            bundle,
		Durability:        t.Audit.Durability,
		UpstreamTLS:       t.TLS.Upstream.Mode != config.TLSDisable,
		ChannelBinding:    t.TLS.Upstream.ChannelBinding,
		CancelCluster:     CancelClusterName(t.Name),
		Limits:            limitsOf(t),
		AllowFunctionCall: t.AllowFunctionCall,
		Comment:           *t.Audit.Comment,
		AllowCleartext:    *t.AllowCleartext,
	}
}

func limitsOf(t *config.Target) nodeconfig.Limits {
	l := t.Limits
	return nodeconfig.Limits{
		MaxStatement: int(l.MaxStatement),
		MaxMessage:   int64(l.MaxMessage),
		MaxPrepared:  l.MaxPrepared,
		LoginTimeout: l.LoginTimeout.Std(),
		HoldTimeout:  l.HoldTimeout.Std(),
		IdleTimeout:  l.IdleTimeout.Std(),
	}
}

func loginTimeout(t *config.Target) time.Duration {
	if d := t.Limits.LoginTimeout.Std(); d > 0 {
		return d
	}
	return 30 * time.Second
}
