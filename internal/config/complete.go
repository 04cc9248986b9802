package config

import (
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Defaults, as docs/configuration.md states them.
const (
	DefaultNode       = "gateway"
	DefaultIssuer     = "dragoman"
	DefaultTTL        = time.Hour
	DefaultMaxTTL     = 12 * time.Hour
	DefaultDrain      = 10 * time.Second
	DefaultConnect    = 5 * time.Second
	DefaultMaxConns   = 10000
	DefaultDurability = "write"
	DefaultRunning    = 10 * time.Minute
	DefaultOutbox     = 256 << 20
)

// complete fills in defaults and makes paths absolute, relative to dir.
func (c *Config) complete(dir string) {
	setDefault(&c.Data, "data")
	anchor(dir, &c.Data)
	c.Replicas.complete(dir)
	setDefault(&c.Admin.Socket, filepath.Join(c.Data, "admin.sock"))
	anchor(dir, &c.Admin.Socket, &c.Admin.TLS.Cert, &c.Admin.TLS.Key, &c.Admin.TLS.ClientCA)
	for i := range c.Admin.Tokens {
		anchorRefs(dir, &c.Admin.Tokens[i].Token)
	}
	c.Envoy.complete(dir)
	c.Bridge.complete(dir)
	c.Identity.complete(dir, c.KeysDir())
	c.Trail.complete(dir, c.KeysDir())
	c.Approvals.complete(dir)
	anchor(dir, &c.Vault.CA, &c.Policy.Dir)
	anchorRefs(dir, &c.Vault.Token, &c.Database)
	for i := range c.Targets {
		c.Targets[i].complete(dir, c.Envoy.Node)
	}
}

func (e *Envoy) complete(dir string) {
	setDefault(&e.Node, DefaultNode)
	setDefault(&e.DrainTime, Duration(DefaultDrain))
	setDefault(&e.Control.Address, e.Control.Listen)
	anchor(dir, &e.Binary, &e.Module, &e.Control.Cert, &e.Control.Key, &e.Control.ClientCA)
	for i := range e.Nodes {
		setDefault(&e.Nodes[i].Role, NodeGateway)
		setDefault(&e.Nodes[i].Sockets, DefaultSockets)
	}
}

func (id *Identity) complete(dir, keys string) {
	setDefault(&id.Issuer.Name, DefaultIssuer)
	setDefault(&id.Issuer.Keys, filepath.Join(keys, "token"))
	setDefault(&id.Issuer.MaxTTL, Duration(DefaultMaxTTL))
	setDefault(&id.Issuer.DefaultTTL, min(Duration(DefaultTTL), id.Issuer.MaxTTL))
	anchor(dir, &id.Issuer.Keys)
	if id.EndSessionsAtExpiry == nil {
		id.EndSessionsAtExpiry = new(true)
	}
	for i := range id.OIDC {
		anchor(dir, &id.OIDC[i].CA)
	}
}

func (t *Target) complete(dir, node string) {
	setDefault(&t.Protocol, ProtocolPostgres)
	if t.Address != "" && len(t.Addresses) == 0 {
		t.Addresses = []string{t.Address}
	}
	if len(t.Nodes) == 0 {
		t.Nodes = []string{node}
	}
	if t.Labels == nil {
		t.Labels = map[string]string{}
	}
	for i := range t.SNI {
		t.SNI[i] = strings.ToLower(t.SNI[i])
	}
	c, u := &t.TLS.Client, &t.TLS.Upstream
	anchor(dir, &c.Cert, &c.Key, &c.ClientCA, &u.CA, &u.Cert, &u.Key)
	setDefault(&u.Mode, TLSDisable)
	if u.Mode == TLSVerifyFull && u.ServerName == "" && len(t.Addresses) == 1 {
		u.ServerName, _, _ = net.SplitHostPort(t.Addresses[0])
	}
	anchorRefs(dir, &t.Credentials.User, &t.Credentials.Password, &t.Credentials.Database)
	setDefault(&t.Audit.Durability, DefaultDurability)
	if t.Audit.Comment == nil {
		t.Audit.Comment = new(true)
	}
	if t.AllowCleartext == nil {
		t.AllowCleartext = new(t.Protocol == ProtocolSSH || t.Protocol == ProtocolRDP || Loopback(t.Listen) && c.Cert == "")
	}
	setDefault(&t.Limits.ConnectTimeout, Duration(DefaultConnect))
	setDefault(&t.Limits.MaxConnections, DefaultMaxConns)
	t.completeHealth()
	t.completeHTTP(dir)
	t.completeSSH(dir)
	t.completeRDP()
}

// completeHealth checks endpoints by default when there is a choice of them.
func (t *Target) completeHealth() {
	if t.Health == nil && len(t.Addresses) > 1 {
		t.Health = &HealthCheck{}
	}
	if h := t.Health; h != nil {
		setDefault(&h.Interval, Duration(5*time.Second))
		setDefault(&h.Timeout, Duration(2*time.Second))
		setDefault(&h.Healthy, 1)
		setDefault(&h.Unhealthy, 3)
	}
}

// Loopback reports whether host:port names a loopback address.
func Loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// anchor makes relative paths relative to dir.
func anchor(dir string, paths ...*string) {
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

func anchorRefs(dir string, refs ...*Ref) {
	for _, r := range refs {
		if path, ok := strings.CutPrefix(string(*r), "file:"); ok && path != "" && !filepath.IsAbs(path) {
			*r = Ref("file:" + filepath.Join(dir, path))
		}
	}
}
