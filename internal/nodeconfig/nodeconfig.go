// Package nodeconfig is what the control plane tells the filters in an Envoy,
// as the filter_config that xDS carries. xds/snapshot writes it, the filters
// read it. It never holds a secret (rule 6): those come at a session's opening.
package nodeconfig

import (
	"time"

	"dragoman.dev/dragoman/internal/policy"
)

// Names of the filters in libdragoman.so (dynamic_module_config's filter_name).
const (
	PostgresFilter   = "postgres"
	PostgresListener = "postgres_listener"
	MySQLFilter      = "mysql"
	MySQLListener    = "mysql_listener"
	HTTPFilter       = "http"
)

// ControlCluster is the static cluster of the control plane in each Envoy's bootstrap.
const ControlCluster = "dragoman_ads"

// Environment of the Envoy process that the module reads at load.
const (
	EnvControl = "DRAGOMAN_CONTROL" // authz and ingest address: unix:///path or host:port; several replicas, with commas between them
	EnvNode    = "DRAGOMAN_NODE"    // this Envoy's node id
	EnvSpool   = "DRAGOMAN_SPOOL"   // folder of the record spool
	EnvTLSCA   = "DRAGOMAN_TLS_CA"  // files, for a control plane over mTLS
	EnvTLSCert = "DRAGOMAN_TLS_CERT"
	EnvTLSKey  = "DRAGOMAN_TLS_KEY"
)

// What Envoy's tcp_proxy must be told so that a filter can speak before it does.
const (
	// EarlyDataLimit is how many bytes Envoy keeps for a target that is not yet
	// connected (max_early_data_bytes).
	EarlyDataLimit = 65536
	// MaxConnectAttempts and the back-off let the host, which gives up after
	// ConnectAttempts, tell the client why before tcp_proxy ends the connection.
	ConnectAttempts    = 3
	MaxConnectAttempts = 20
	ConnectBackoff     = 50 * time.Millisecond
	MaxConnectBackoff  = 250 * time.Millisecond
)

// Durability of a record frame before bytes move on (rule 2).
const (
	DurabilityWrite = "write"
	DurabilityFsync = "fsync"
)

// Whether the login to the target is bound to its TLS connection.
const (
	BindingPrefer  = "prefer"
	BindingRequire = "require"
	BindingDisable = "disable"
)

// Network is the filter_config of a network filter (JSON). One per target.
type Network struct {
	Target policy.Target `json:"target"`
	Policy policy.Bundle `json:"policy"`
	// Durability is DurabilityWrite or DurabilityFsync; anything else is an error.
	Durability string `json:"durability"`
	// UpstreamTLS says that the filter must start TLS towards the target.
	UpstreamTLS bool `json:"upstream_tls,omitempty"`
	// ChannelBinding is one of BindingPrefer (also for ""), BindingRequire and BindingDisable: whether SCRAM is bound to
	// the TLS connection to the target.
	ChannelBinding string `json:"channel_binding,omitempty"`
	// CancelCluster is the ORIGINAL_DST cluster for cancel requests.
	CancelCluster string `json:"cancel_cluster,omitempty"`
	Limits        Limits `json:"limits"`
	// AllowFunctionCall lets policy judge what is otherwise refused.
	AllowFunctionCall bool `json:"allow_function_call,omitempty"`
	// Comment puts the session's id and identity chain before each statement as
	// a SQL comment, so that the target's own log shows it.
	Comment bool `json:"comment,omitempty"`
	// AllowCleartext lets a client send its token without TLS (loopback listeners).
	AllowCleartext bool `json:"allow_cleartext,omitempty"`
}

// Limits bound what one session may use. Zero means the default.
type Limits struct {
	MaxStatement int           `json:"max_statement,omitempty"` // bytes of a statement that is parsed; default 1 MiB
	MaxMessage   int64         `json:"max_message,omitempty"`   // bytes of any message; default 1 GiB
	MaxPrepared  int           `json:"max_prepared,omitempty"`  // prepared statements per session; default 10,000
	LoginTimeout time.Duration `json:"login_timeout,omitempty"` // default 30 s
	HoldTimeout  time.Duration `json:"hold_timeout,omitempty"`  // default 5 min, when policy gives none
	IdleTimeout  time.Duration `json:"idle_timeout,omitempty"`  // default none
}

// Listener is the filter_config of a listener filter (JSON).
type Listener struct {
	// TLS says that the listener offers TLS: SSLRequest is answered 'S'.
	TLS bool `json:"tls"`
	// Target is the one that clients without TLS come to; a server-first protocol greets as that one does.
	Target string `json:"target,omitempty"`
	// ServerVersion is what a server-first protocol greets with; "" is what the target was last seen to be.
	ServerVersion string `json:"server_version,omitempty"`
}
