package nodeconfig

import "dragoman.dev/dragoman/internal/policy"

// HTTP is the filter_config of the HTTP filter (JSON). One per target.
type HTTP struct {
	Target policy.Target `json:"target"`
	Policy policy.Bundle `json:"policy"`
	// Durability is DurabilityWrite or DurabilityFsync; anything else is an error.
	Durability string `json:"durability"`
	Limits     Limits `json:"limits"`
	// AllowCleartext lets a client send its token without TLS (loopback listeners).
	AllowCleartext bool `json:"allow_cleartext,omitempty"`
	// ClientCA says that client certificates are verified, and may prove who asks.
	ClientCA bool `json:"client_ca,omitempty"`
	// RespondAsync answers a held request at once.
	RespondAsync bool `json:"respond_async,omitempty"`
	// MCP are the paths of MCP endpoints.
	MCP []string `json:"mcp,omitempty"`
	// JudgedBody and RecordedBody are in bytes; 0 means the default.
	JudgedBody    int      `json:"judged_body,omitempty"`
	RecordedBody  int64    `json:"recorded_body,omitempty"`
	JudgedHeaders []string `json:"judged_headers,omitempty"`
}

// Defaults of HTTP.
const (
	DefaultJudgedBody   = 256 << 10
	DefaultRecordedBody = 64 << 20
)
