package http

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/http/mcp"
	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// Kind is the HTTP filter. All streams to a target share the target's policy, so that a push is in force
// for live sessions and streams at once.
func Kind(rt *session.Runtime) filters.HTTPKind {
	k := &targets{rt: rt, byName: map[string]*target{}}
	return filters.HTTPKind{Name: nodeconfig.HTTPFilter, Configure: k.configure}
}

// targets are the targets that this Envoy serves.
type targets struct {
	rt     *session.Runtime
	mu     sync.Mutex
	byName map[string]*target
}

// target is what the streams to one target share.
type target struct {
	rt     *session.Runtime
	policy policy.Handle
	cfg    atomic.Pointer[config]
	// generation is a part of the sessions' keys: a higher one makes new requests open new sessions.
	generation atomic.Uint64

	mu    sync.Mutex
	live  map[string]*shared // by session id
	talks *mcp.Conversations
	plans mask.Plans
}

// config is a target's configuration, checked.
type config struct {
	nodeconfig.HTTP
	mode   record.Mode
	limits request.Limits
	mcp    map[string]bool
}

// configure takes a push. What was in force stays when it is not valid.
func (k *targets) configure(b []byte) (filters.HTTP, error) {
	cfg, err := parseConfig(b)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.byName[cfg.Target.Name]
	if t == nil {
		t = &target{rt: k.rt, live: map[string]*shared{}, talks: mcp.NewConversations(mcp.Limits{})}
	}
	if e := t.policy.Engine(); e == nil || e.Revision() != cfg.Policy.Revision || cfg.Policy.Revision == "" {
		engine, err := policy.Compile(context.Background(), cfg.Policy, policy.WithLog(k.rt.Log()))
		if err != nil {
			return nil, fmt.Errorf("target %s: policy: %w", cfg.Target.Name, err)
		}
		t.policy.Swap(engine)
	}
	cfg.Policy = policy.Bundle{Revision: cfg.Policy.Revision} // compiled; the sources are not needed any more
	t.cfg.Store(cfg)
	k.byName[cfg.Target.Name] = t
	return t, nil
}

func parseConfig(b []byte) (*config, error) {
	cfg := &config{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&cfg.HTTP); err != nil {
		return nil, fmt.Errorf("HTTP filter config: %w", err)
	}
	if cfg.Target.Name == "" {
		return nil, fmt.Errorf("HTTP filter config: the target has no name")
	}
	mode, err := record.ParseMode(cfg.Durability)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", cfg.Target.Name, err)
	}
	cfg.mode = mode
	if cfg.JudgedBody <= 0 && cfg.Target.Protocol == kubernetes {
		cfg.JudgedBody = maxObject
	}
	if cfg.JudgedBody <= 0 {
		cfg.JudgedBody = nodeconfig.DefaultJudgedBody
	}
	if cfg.RecordedBody <= 0 {
		cfg.RecordedBody = nodeconfig.DefaultRecordedBody
	}
	cfg.limits = request.Limits{Body: cfg.JudgedBody, Select: cfg.JudgedHeaders}
	cfg.mcp = map[string]bool{}
	for _, path := range cfg.MCP {
		cfg.mcp[path] = true
	}
	return cfg, nil
}

// NewStream implements filters.HTTP.
func (t *target) NewStream(host filters.HTTPStream) api.StreamFilter {
	s := &stream{t: t, cfg: t.cfg.Load(), host: host, started: t.rt.Now()}
	s.up.limit, s.down.limit = s.cfg.RecordedBody, s.cfg.RecordedBody
	return s
}
