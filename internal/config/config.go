// Package config is dragoman.yaml: its shape, its defaults and what makes it
// valid. It reads the one file strictly (an unknown key is an error that names
// the line and the nearest key) and resolves secret references on demand. What
// the settings do is left to those who use them; see docs/configuration.md.
package config

import (
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/policy"
)

// Config is a whole dragoman.yaml, with defaults filled in and every path
// absolute.
type Config struct {
	// Data is the folder for keys, sockets, records and the index. Made with
	// mode 0700 when it is missing.
	Data string `yaml:"data"`
	// Database is the URL of a PostgreSQL database for the index of sessions and for holds; empty: SQLite in Data.
	Database  Ref       `yaml:"database"`
	Replicas  Replicas  `yaml:"replicas"`
	Admin     Admin     `yaml:"admin"`
	Envoy     Envoy     `yaml:"envoy"`
	Bridge    Bridge    `yaml:"bridge"`
	Identity  Identity  `yaml:"identity"`
	Approvals Approvals `yaml:"approvals"`
	Trail     Trail     `yaml:"audit"`
	Vault     Vault     `yaml:"vault"`
	Targets   []Target  `yaml:"targets"`
	Policy    Policy    `yaml:"policy"`

	// File is the path that the config was read from.
	File string `yaml:"-"`
}

// Admin is how people and the command line reach the control plane.
type Admin struct {
	// Socket is the unix socket; whoever may open it is an administrator.
	Socket string `yaml:"socket"`
	// Listen is host:port for the HTTP API; empty means none.
	Listen string    `yaml:"listen"`
	TLS    ServerTLS `yaml:"tls"`
	// Tokens are fixed bearer tokens for Listen.
	Tokens []AdminToken `yaml:"tokens"`
	// Grants give roles to identity tokens (own or OIDC) by group.
	Grants []AdminGrant `yaml:"grants"`
	// URL is how browsers reach the page: https://dragoman.example.com.
	URL string `yaml:"url"`
	// OIDC lets people sign in to the page at a provider.
	OIDC *AdminOIDC `yaml:"oidc"`
}

// Roles of the HTTP API; docs/roles.md has what each may do.
const (
	RoleReader   = "reader"
	RoleAuditor  = "auditor"
	RoleApprover = "approver" // authz still checks group and four eyes
	RoleAdmin    = "admin"

	// Names of earlier versions, for reader and for approver.
	RoleRead    = "read"
	RoleApprove = "approve"
)

// AdminToken is a fixed bearer token and whom it stands for.
type AdminToken struct {
	Token   Ref      `yaml:"token"`
	Subject string   `yaml:"subject"`
	Groups  []string `yaml:"groups"`
	Roles   []string `yaml:"roles"`
}

// AdminGrant gives roles to members of any of the groups, and to the subjects.
type AdminGrant struct {
	Groups   []string `yaml:"groups"`
	Subjects []string `yaml:"subjects"`
	Roles    []string `yaml:"roles"`
}

// ServerTLS is the server's side of TLS: PEM files.
type ServerTLS struct {
	Cert     string `yaml:"cert"`
	Key      string `yaml:"key"`
	ClientCA string `yaml:"client_ca"`
}

// Envoy is the data plane.
type Envoy struct {
	// Binary is the Envoy program; empty means the pinned one that was fetched.
	Binary  string `yaml:"binary"`
	Version string `yaml:"version"`
	// Module is the folder that holds libdragoman.so; empty means beside the
	// dragoman binary.
	Module string `yaml:"module"`
	// Concurrency is the number of workers; 0 means one per core.
	Concurrency int           `yaml:"concurrency"`
	DrainTime   Duration      `yaml:"drain_time"`
	Node        string        `yaml:"node"`     // name of the Envoy that `up` runs
	External    bool          `yaml:"external"` // do not run one; it is started elsewhere
	Control     ControlListen `yaml:"control"`
	Nodes       []Node        `yaml:"nodes"` // other Envoys
}

// ControlListen is where other nodes reach the control plane (ADS, authz,
// record shipping), over mTLS.
type ControlListen struct {
	Listen   string `yaml:"listen"`
	Address  string `yaml:"address"` // host:port that nodes dial, of several replicas with commas between them; default Listen
	Cert     string `yaml:"cert"`
	Key      string `yaml:"key"`
	ClientCA string `yaml:"client_ca"`
}

// Roles of a node.
const (
	NodeGateway = "gateway" // serves many; may listen on any address
	NodeSidecar = "sidecar" // stands beside one workload; loopback listeners only
)

// Node is an Envoy that is not our child.
type Node struct {
	Name   string `yaml:"name"`
	SPIFFE string `yaml:"spiffe"` // URI SAN of its client certificate
	Role   string `yaml:"role"`
	// Sockets is the folder on the node's machine where its Envoy and its bridge meet.
	Sockets string `yaml:"sockets"`
}

// Identity is who is believed.
type Identity struct {
	Issuer Issuer        `yaml:"issuer"`
	OIDC   []OIDC        `yaml:"oidc"`
	SPIFFE []TrustDomain `yaml:"spiffe"`
	SSH    SSHIdentities `yaml:"ssh"`
	// EndSessionsAtExpiry ends a session when its credential does; default true.
	EndSessionsAtExpiry *bool `yaml:"end_sessions_at_expiry"`
}

// Issuer is Dragoman's own token issuer.
type Issuer struct {
	Name       string   `yaml:"name"` // the "iss" of its tokens
	Keys       string   `yaml:"keys"` // folder of its Ed25519 keys; made on first start
	DefaultTTL Duration `yaml:"default_ttl"`
	MaxTTL     Duration `yaml:"max_ttl"`
}

// OIDC is an OpenID Connect issuer whose JWTs are accepted.
type OIDC struct {
	Issuer     string   `yaml:"issuer"`
	Audiences  []string `yaml:"audiences"`
	Algorithms []string `yaml:"algorithms"`
	JWKSURL    string   `yaml:"jwks_url"` // instead of discovery
	CA         string   `yaml:"ca"`       // PEM file for the issuer's own certificate
	// AllowHTTP accepts an http:// issuer, on loopback only.
	AllowHTTP bool `yaml:"allow_http"`

	// Shape names a known kind of token: "github", "gitlab", "kubernetes".
	Shape string `yaml:"shape"`
	// Subject is a claim or a template of claims in braces; SubjectPrefix is
	// put before it ("user:").
	Subject       string   `yaml:"subject"`
	SubjectPrefix string   `yaml:"subject_prefix"`
	OnBehalfOf    string   `yaml:"on_behalf_of"` // template of the principal
	ActorPrefix   string   `yaml:"actor_prefix"`
	GroupsClaim   string   `yaml:"groups_claim"`
	GroupPrefix   string   `yaml:"group_prefix"`
	Groups        []string `yaml:"groups"` // given to everyone of this issuer
	Claims        []string `yaml:"claims"` // that policy sees
	// AllowUnverifiedEmail lets {email} be used without "email_verified".
	AllowUnverifiedEmail bool `yaml:"allow_unverified_email"`
}

// TrustDomain is a SPIFFE trust domain whose client certificates prove an
// identity. Which CA signs it is the target's tls.client.client_ca.
type TrustDomain struct {
	Name   string   `yaml:"name"`
	Groups []string `yaml:"groups"` // given to every member
	// Paths are globs over the SPIFFE ID's path that are accepted; empty: all.
	Paths    []string        `yaml:"paths"`
	Mappings []SPIFFEMapping `yaml:"mappings"`
}

// SPIFFEMapping names the members of a trust domain under a path.
type SPIFFEMapping struct {
	Path    string   `yaml:"path"`
	Subject string   `yaml:"subject"` // template of the path's segments, {1}, {2} …
	Groups  []string `yaml:"groups"`
}

// Approvals are what holds of every policy obey.
type Approvals struct {
	// Approvers are the groups for holds for which policy names none.
	Approvers []string `yaml:"approvers"`
	// MinQuorum is the least number of approvers, whatever policy says.
	MinQuorum int `yaml:"min_quorum"`
	// AllowDelegated lets agents, and those who act for others, decide.
	AllowDelegated bool `yaml:"allow_delegated"`
	// Notify are the places that are told when an action waits.
	Notify []HoldNotice `yaml:"notify"`
}

// Vault is the OpenBao or Vault server behind vault: references.
type Vault struct {
	Address   string `yaml:"address"`
	Namespace string `yaml:"namespace"`
	Token     Ref    `yaml:"token"`
	CA        string `yaml:"ca"`
}

// Policy is what decides: a folder of Rego, YAML and data, rules written here, or both.
type Policy struct {
	Dir   string            `yaml:"dir"`
	Rules []policy.Rule     `yaml:"rules"`
	Masks []policy.MaskRule `yaml:"masks"`
	// Off names built-in rule groups that are turned off ("session", "connect").
	Off []string `yaml:"off"`
}

// Source is the policy in the form that package policy reads.
func (p Policy) Source() policy.Source {
	return policy.Source{Dir: p.Dir, Rules: p.Rules, Masks: p.Masks, Off: p.Off}
}

// Target returns the target of that name, or nil.
func (c *Config) Target(name string) *Target {
	for i := range c.Targets {
		if c.Targets[i].Name == name {
			return &c.Targets[i]
		}
	}
	return nil
}

// TargetOf finds a target that the node serves.
func (c *Config) TargetOf(node, name string) (policy.Target, bool) {
	t := c.Target(name)
	if t == nil || !slices.Contains(t.Nodes, node) {
		return policy.Target{}, false
	}
	return t.Policy(), true
}

// NodeNames are all Envoys that the config knows, the local one first.
func (c *Config) NodeNames() []string {
	names := []string{c.Envoy.Node}
	for _, n := range c.Envoy.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// TTLs returns the issuer's default and longest token life.
func (i Issuer) TTLs() (def, longest time.Duration) {
	return i.DefaultTTL.Std(), i.MaxTTL.Std()
}
