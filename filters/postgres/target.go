package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/postgres/login"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// Defaults of nodeconfig.Limits.
const (
	defaultMaxStatement = 1 << 20
	defaultMaxMessage   = 1 << 30
	defaultMaxPrepared  = 10000
	defaultLoginTimeout = 30 * time.Second
)

// analyses is how many texts and shapes of statements are kept analysed for a target.
const analyses = 4096

// Kind is the PostgreSQL network filter. All its connections of a target share
// the target's policy, so that a push is in force for live sessions at once.
func Kind(rt *session.Runtime) filters.NetworkKind {
	k := &targets{rt: rt, byName: map[string]*target{}, aside: make(chan struct{}, maxAside)}
	return filters.NetworkKind{Name: nodeconfig.PostgresFilter, Configure: k.configure}
}

// targets are the targets that this Envoy serves.
type targets struct {
	rt     *session.Runtime
	mu     sync.Mutex
	byName map[string]*target
	aside  chan struct{} // one for each text that is analysed beside the workers
}

// target is what the connections to one target share.
type target struct {
	rt       *session.Runtime
	policy   policy.Handle
	cfg      atomic.Pointer[config]
	analyzer *pgsql.Analyzer
	certs    endPoints
	keys     login.Keys
	stops    chan struct{} // one for each request of stopTarget that is under way
	aside    chan struct{} // shared by all targets

	mu        sync.Mutex
	databases map[string]*database
	plans     mask.Plans
}

// config is a target's configuration, checked.
type config struct {
	nodeconfig.Network
	mode              record.Mode
	frontend, backend *wire.Table
}

func (c *config) maxStatement() int {
	if n := c.Limits.MaxStatement; n > 0 {
		return n
	}
	return defaultMaxStatement
}

func (c *config) maxMessage() int64 {
	if n := c.Limits.MaxMessage; n > 0 {
		return n
	}
	return defaultMaxMessage
}

func (c *config) maxPrepared() int {
	if n := c.Limits.MaxPrepared; n > 0 {
		return n
	}
	return defaultMaxPrepared
}

// binds reports whether a login over TLS is bound to it where that can be.
func (c *config) binds() bool { return c.UpstreamTLS && c.ChannelBinding != nodeconfig.BindingDisable }

func (c *config) loginTimeout() time.Duration {
	if d := c.Limits.LoginTimeout; d > 0 {
		return d
	}
	return defaultLoginTimeout
}

// configure takes a push. What was in force stays when it is not valid.
func (k *targets) configure(b []byte) (filters.Network, error) {
	cfg, err := parseConfig(b)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.byName[cfg.Target.Name]
	if t == nil {
		t = &target{rt: k.rt, analyzer: pgsql.NewAnalyzer(analyses), stops: make(chan struct{}, maxStops), aside: k.aside,
			databases: map[string]*database{}}
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
	return network{t}, nil
}

func parseConfig(b []byte) (*config, error) {
	cfg := &config{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&cfg.Network); err != nil {
		return nil, fmt.Errorf("postgres filter config: %w", err)
	}
	if cfg.Target.Name == "" {
		return nil, fmt.Errorf("postgres filter config: the target has no name")
	}
	switch cfg.ChannelBinding {
	case "", nodeconfig.BindingPrefer, nodeconfig.BindingRequire, nodeconfig.BindingDisable:
	default:
		return nil, fmt.Errorf("target %s: channel_binding %q is unknown", cfg.Target.Name, cfg.ChannelBinding)
	}
	mode, err := record.ParseMode(cfg.Durability)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", cfg.Target.Name, err)
	}
	cfg.mode = mode
	cfg.frontend, cfg.backend = wire.Frontend(cfg.maxStatement(), cfg.maxMessage()), wire.Backend(cfg.maxMessage())
	return cfg, nil
}

// network makes the filters of a target's connections.
type network struct{ t *target }

func (n network) NewConn(host filters.Conn) (api.DownstreamFilter, api.UpstreamFilter) {
	c := &conn{t: n.t, cfg: n.t.cfg.Load(), host: host, now: n.t.rt.Now, masks: mask.Last{Plans: &n.t.plans}}
	return downstream{c}, upstream{c}
}

// database is the catalog of one database of the target, shared by its sessions.
func (t *target) database(name string) *database {
	t.mu.Lock()
	defer t.mu.Unlock()
	db := t.databases[name]
	if db == nil {
		db = &database{}
		t.databases[name] = db
	}
	return db
}
