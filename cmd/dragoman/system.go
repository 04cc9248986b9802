package main

import (
	"context"
	"errors"
	"net/url"
	"runtime/debug"

	"dragoman.dev/dragoman/web/api"
)

// system is the control plane as the API shows it.
type system struct{ up *up }

// Status implements api.System.
func (s *system) Status() api.Status {
	c := s.up.control
	return api.Status{Version: version(), Started: c.started, Ready: c.ready.Load(), Policy: c.policy.Status(), Nodes: c.nodes()}
}

// Metrics implements api.System.
func (s *system) Metrics(ctx context.Context) ([]byte, error) {
	return s.up.control.telemetry.Text(ctx)
}

// envoyStats are the names of Envoy's statistics that say something of the gateway: our module's own,
// listeners and their TCP proxies, targets, and Envoy itself.
const envoyStats = `^(dynamicmodulescustom|listener|listener_manager|tcp|cluster|cluster_manager|server)\.`

// EnvoyMetrics implements api.System.
func (s *system) EnvoyMetrics(ctx context.Context) ([]byte, error) {
	if s.up.envoy == nil {
		return nil, errors.New("this control plane runs no Envoy")
	}
	return s.up.envoy.options.Admin.Do(ctx, "GET", "/stats/prometheus?"+url.Values{"filter": {envoyStats}}.Encode())
}

// version is the module's version, or the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
