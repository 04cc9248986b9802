package main

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/web/api"
)

// system is the control plane as the API shows it.
type system struct {
	up    *up
	ready atomic.Bool
}

// Status implements api.System.
func (s *system) Status() api.Status {
	c := s.up.control
	return api.Status{Version: version(), Started: c.started, Ready: s.ready.Load(), Policy: c.policy.Status(), Nodes: c.xds.Nodes()}
}

// Metrics implements api.System.
func (s *system) Metrics(ctx context.Context) ([]api.Metric, error) {
	c := s.up.control
	pending, err := c.approvals.List(ctx, approval.Filter{States: []hold.State{hold.Pending}, Limit: approval.MaxLimit})
	if err != nil {
		return nil, err
	}
	perTarget := map[string]int{}
	for _, l := range c.sessions.List() {
		perTarget[l.Target.Name]++
	}
	status := c.policy.Status()
	out := []api.Metric{
		{Name: "dragoman_build_info", Help: "The version that runs.", Kind: "gauge", Labels: map[string]string{"version": version()}, Value: 1},
		{Name: "dragoman_ready", Help: "Every listener of the local Envoy serves.", Kind: "gauge", Value: truth(s.ready.Load())},
		{Name: "dragoman_policy_info", Help: "The policy in force.", Kind: "gauge", Labels: map[string]string{"revision": status.Revision}, Value: 1},
		{Name: "dragoman_policy_source_broken", Help: "The policy source as it is now cannot be put in force.", Kind: "gauge", Value: truth(status.Error != "")},
		{Name: "dragoman_holds_pending", Help: "Actions that wait for a decision.", Kind: "gauge", Value: float64(len(pending))},
	}
	for _, t := range c.cfg.Targets {
		out = append(out, api.Metric{Name: "dragoman_sessions_live", Help: "Open sessions.", Kind: "gauge",
			Labels: map[string]string{"target": t.Name}, Value: float64(perTarget[t.Name])})
	}
	nodes := c.xds.Nodes()
	for _, n := range nodes {
		out = append(out, api.Metric{Name: "dragoman_node_connected", Help: "The Envoy has an ADS stream.", Kind: "gauge",
			Labels: map[string]string{"node": n.Name}, Value: truth(n.Connected)})
	}
	for _, n := range nodes {
		out = append(out, api.Metric{Name: "dragoman_node_in_sync", Help: "The Envoy has acknowledged all that it was sent.", Kind: "gauge",
			Labels: map[string]string{"node": n.Name}, Value: truth(n.InSync)})
	}
	return out, nil
}

// EnvoyMetrics implements api.System.
func (s *system) EnvoyMetrics(ctx context.Context) ([]byte, error) {
	if s.up.envoy == nil {
		return nil, errors.New("this control plane runs no Envoy")
	}
	return s.up.envoy.options.Admin.Do(ctx, "GET", "/stats/prometheus")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
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
