package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/web/page"
	"dragoman.dev/dragoman/xds/snapshot"
)

// healthWait bounds how long a page waits for the local Envoy.
const healthWait = 3 * time.Second

// Targets implements page.Console.
func (p console) Targets(ctx context.Context) []page.TargetState {
	c := p.up.control
	live := map[string]int{}
	for _, l := range c.sessions.List() {
		live[l.Target.Name]++
	}
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
	health := p.health(ctx)
	var out []page.TargetState
	for i := range c.cfg.Targets {
		t := &c.cfg.Targets[i]
		one := page.TargetState{Target: t.Policy(), Listen: t.Listen, Addresses: t.Addresses, Nodes: t.Nodes, Live: live[t.Name]}
		if h, ok := health[snapshot.ClusterName(t.Name)]; ok {
			one.Health, one.Detail = h.word(t.Health != nil)
		}
		out = append(out, one)
	}
	return out
}

// hosts is what Envoy says of a cluster's endpoints.
type hosts struct{ all, healthy, failed int }

// word says it for people. Without a health check Envoy takes each endpoint for healthy until connections fail.
func (h hosts) word(checked bool) (health, detail string) {
	health = "healthy"
	if h.healthy == 0 {
		health = "unhealthy"
	}
	detail = fmt.Sprintf("%d of %d endpoints", h.healthy, h.all)
	if !checked {
		detail += ", not checked"
	}
	if h.failed > 0 {
		detail += fmt.Sprintf("; %d connections failed", h.failed)
	}
	return health, detail
}

// health asks the local Envoy; nothing when there is none, or when it does not answer.
func (p console) health(ctx context.Context) map[string]hosts {
	out := map[string]hosts{}
	if p.up.envoy == nil {
		return out
	}
	raw, err := p.up.envoy.options.Admin.Do(ctx, "GET", "/clusters?format=json")
	if err != nil {
		p.up.log.Warn("the local Envoy does not say how targets are", "err", err)
		return out
	}
	var doc struct {
		Clusters []struct {
			Name  string `json:"name"`
			Hosts []struct {
				Health map[string]any `json:"health_status"`
				Stats  []struct {
					Name  string `json:"name"`
					Value any    `json:"value"`
				} `json:"stats"`
			} `json:"host_statuses"`
		} `json:"cluster_statuses"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		p.up.log.Warn("what the local Envoy says of targets cannot be read", "err", err)
		return out
	}
	for _, c := range doc.Clusters {
		var h hosts
		for _, one := range c.Hosts {
			h.all++
			sick := false
			for name := range one.Health {
				sick = sick || strings.HasPrefix(name, "failed_")
			}
			if !sick {
				h.healthy++
			}
			for _, s := range one.Stats {
				if s.Name == "cx_connect_fail" {
					var n int
					if _, err := fmt.Sscan(fmt.Sprint(s.Value), &n); err == nil {
						h.failed += n
					}
				}
			}
		}
		out[c.Name] = h
	}
	return out
}
