package config

import "dragoman.dev/dragoman/internal/policy"

// Protocols of targets.
const (
	ProtocolPostgres = "postgres"
	ProtocolMySQL    = "mysql"
	ProtocolHTTP     = "http"
)

// Target is a protected system.
type Target struct {
	Name      string            `yaml:"name"`
	Protocol  string            `yaml:"protocol"`
	Labels    map[string]string `yaml:"labels"`
	Address   string            `yaml:"address"`
	Addresses []string          `yaml:"addresses"` // after Load: all of them
	Health    *HealthCheck      `yaml:"health_check"`
	Listen    string            `yaml:"listen"`
	SNI       []string          `yaml:"sni"`
	// Nodes are the Envoys that serve it; default the one that `up` runs.
	Nodes       []string    `yaml:"nodes"`
	TLS         TargetTLS   `yaml:"tls"`
	Credentials Credentials `yaml:"credentials"`
	Audit       Audit       `yaml:"audit"`
	Limits      Limits      `yaml:"limits"`
	// HTTP is for targets of protocol http.
	HTTP HTTP `yaml:"http"`
	// SSH is for targets of protocol ssh.
	SSH SSH `yaml:"ssh"`
	// Kubernetes is for targets of protocol kubernetes.
	Kubernetes Kubernetes `yaml:"kubernetes"`
	// RDP is for targets of protocol rdp.
	RDP RDP `yaml:"rdp"`
	// AllowCleartext lets clients log in without TLS. Default: true on a
	// loopback listener that has no certificate, false otherwise.
	AllowCleartext *bool `yaml:"allow_cleartext"`
	// AllowReplication may not be true: it is here to say why.
	AllowReplication  bool `yaml:"allow_replication"`
	AllowFunctionCall bool `yaml:"allow_function_call"`
	// Estimates has the control plane ask the target what it expects of statements that are held.
	Estimates bool `yaml:"estimates"`
	// ServerVersion is the version that a MySQL target is announced with, before it is known; "" is a recent one.
	ServerVersion string `yaml:"server_version"`
}

// HealthCheck is a TCP connect check of each endpoint.
type HealthCheck struct {
	Interval  Duration `yaml:"interval"`
	Timeout   Duration `yaml:"timeout"`
	Healthy   int      `yaml:"healthy"`
	Unhealthy int      `yaml:"unhealthy"`
}

// TargetTLS is TLS on both sides of the gateway.
type TargetTLS struct {
	Client   ClientTLS   `yaml:"client"`
	Upstream UpstreamTLS `yaml:"upstream"`
}

// ClientTLS is TLS from the client to the gateway.
type ClientTLS struct {
	Cert     string `yaml:"cert"`
	Key      string `yaml:"key"`
	ClientCA string `yaml:"client_ca"`
	// Required refuses clients without a certificate.
	Required bool `yaml:"required"`
}

// Modes of upstream TLS.
const (
	TLSDisable    = "disable"
	TLSRequire    = "require"     // encrypted, the target's certificate is not verified
	TLSVerifyFull = "verify-full" // verified against CA and name
)

// UpstreamTLS is TLS from the gateway to the target.
type UpstreamTLS struct {
	Mode       string `yaml:"mode"`
	CA         string `yaml:"ca"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ServerName string `yaml:"server_name"`
	// ChannelBinding is "prefer" (also for ""), "require" or "disable": whether SCRAM is bound to this TLS connection.
	ChannelBinding string `yaml:"channel_binding"`
}

// Credentials log in to the target. User and Database may be written plainly.
type Credentials struct {
	User     Ref `yaml:"user"`
	Password Ref `yaml:"password"`
	Database Ref `yaml:"database"`

	HTTPCredentials `yaml:",inline"`
	SSHCredentials  `yaml:",inline"`

	KubernetesCredentials `yaml:",inline"`
}

// Audit is how a target's sessions are recorded.
type Audit struct {
	Durability string `yaml:"durability"` // "write" or "fsync"
	Comment    *bool  `yaml:"comment"`    // identity as an SQL comment; default true
	// Retention is how long a record is kept after its session's end; default that of Trail. LegalHold
	// keeps all, whatever it is.
	Retention *Duration `yaml:"retention"`
	LegalHold bool      `yaml:"legal_hold"`
}

// Limits bound sessions of a target. Zero means the default.
type Limits struct {
	MaxStatement   Size     `yaml:"max_statement"`
	MaxMessage     Size     `yaml:"max_message"`
	MaxPrepared    int      `yaml:"max_prepared"`
	MaxConnections int      `yaml:"max_connections"`
	ConnectTimeout Duration `yaml:"connect_timeout"`
	LoginTimeout   Duration `yaml:"login_timeout"`
	HoldTimeout    Duration `yaml:"hold_timeout"`
	IdleTimeout    Duration `yaml:"idle_timeout"`
}

// Policy is the target as policy sees it.
func (t *Target) Policy() policy.Target {
	return policy.Target{Name: t.Name, Protocol: t.Protocol, Labels: t.Labels}
}
