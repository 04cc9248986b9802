package mysql

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// Defaults of nodeconfig.Limits.
const (
	defaultMaxStatement = 1 << 20
	defaultMaxMessage   = 1 << 30
	defaultMaxPrepared  = 10000
	defaultLoginTimeout = 30 * time.Second
)

// analyses is how many texts are kept analysed for a target.
const analyses = 4096

// Module is what the MySQL filters of a process share: the listener filter, which greets, needs to know what the target
// of the network filter is, and which number it gave to a connection.
type Module struct {
	rt    *session.Runtime
	seed  maphash.Seed
	aside chan struct{} // one for each text that is analysed beside the workers

	mu       sync.Mutex
	byName   map[string]*target
	versions map[string]string // of targets, as they greet
}

// New makes the filters of a process.
func New(rt *session.Runtime) *Module {
	return &Module{rt: rt, seed: maphash.MakeSeed(), aside: make(chan struct{}, maxAside), byName: map[string]*target{}, versions: map[string]string{}}
}

// Kind is the network filter. All its connections of a target share the target's policy, so that a push is in force
// for live sessions at once.
func (k *Module) Kind() filters.NetworkKind {
	return filters.NetworkKind{Name: nodeconfig.MySQLFilter, Configure: k.configure}
}

// thread is the number by which a client's connection is known, from its address.
func (k *Module) thread(client string) uint32 {
	return uint32(maphash.String(k.seed, client))&0x7fffffff | 1
}

func (k *Module) version(target string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.versions[target]
}

func (k *Module) saw(target, version string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.versions[target] = version
}

// target is what the connections to one target share.
type target struct {
	module   *Module
	rt       *session.Runtime
	policy   policy.Handle
	cfg      atomic.Pointer[config]
	analyzer *mysql.Analyzer
	plans    mask.Plans
	catalog  catalogs
	stops    chan struct{} // one for each session that the target is asked to end
}

// config is a target's configuration, checked.
type config struct {
	nodeconfig.Network
	mode record.Mode
}

func or[T int | int64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

func (c *config) maxStatement() int { return or(c.Limits.MaxStatement, defaultMaxStatement) }
func (c *config) maxMessage() int64 { return or(c.Limits.MaxMessage, defaultMaxMessage) }
func (c *config) maxPrepared() int  { return or(c.Limits.MaxPrepared, defaultMaxPrepared) }
func (c *config) loginTimeout() time.Duration {
	return or(c.Limits.LoginTimeout, defaultLoginTimeout)
}

// configure takes a push. What was in force stays when it is not valid.
func (k *Module) configure(b []byte) (filters.Network, error) {
	cfg, err := parseConfig(b)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.byName[cfg.Target.Name]
	if t == nil {
		t = &target{module: k, rt: k.rt, analyzer: mysql.NewAnalyzer(analyses), stops: make(chan struct{}, maxStops)}
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
		return nil, fmt.Errorf("mysql filter config: %w", err)
	}
	if cfg.Target.Name == "" {
		return nil, fmt.Errorf("mysql filter config: the target has no name")
	}
	mode, err := record.ParseMode(cfg.Durability)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", cfg.Target.Name, err)
	}
	cfg.mode = mode
	return cfg, nil
}

// network makes the filters of a target's connections.
type network struct{ t *target }

func (n network) NewConn(host filters.Conn) (api.DownstreamFilter, api.UpstreamFilter) {
	c := newConn(n.t, host)
	return downstream{c}, upstream{c}
}
