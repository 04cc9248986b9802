// Package check is the conversation between a filter and authz: the two
// questions that are asked over Envoy's ext_authz Check, "may this session
// open?" and "may this action run?", as Go values, and their mapping onto
// envoy.service.auth.v3 messages. Both sides import it; it decides nothing.
//
// A question travels as CheckRequest.attributes.context_extensions (strings)
// with the JSON of the structs below; the answer as
// CheckResponse.dynamic_metadata under the key "dragoman". Stock ext_authz
// callers (Envoy's HTTP filter) are served by the same service.
package check

import (
	"context"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
)

// OpenRequest asks to open a session.
type OpenRequest struct {
	Target string `json:"target"`
	Node   string `json:"node"` // the Envoy node that asks
	// Token is the bearer credential that the client presented, or "".
	Token string `json:"token,omitempty"`
	// SPIFFE is the verified client certificate's URI SAN, CertDigest its SHA-256 (hex); "" without one.
	// Trusted only because the caller is our own authenticated Envoy.
	SPIFFE     string `json:"spiffe,omitempty"`
	CertDigest string `json:"cert_digest,omitempty"`
	// SSHKey is the SSH key or certificate (wire form) that the client has proven to have; the bridge vouches for that.
	SSHKey []byte `json:"ssh_key,omitempty"`
	// Session is the session as far as known; ID is empty, authz gives it.
	Session policy.Session `json:"session"`
}

// OpenResponse hands a session what it needs. Credentials are secret: never
// logged, never recorded.
type OpenResponse struct {
	Session     string            `json:"session"` // "ses_" and 26 characters, time-ordered (ULID)
	Identity    identity.Identity `json:"identity"`
	Target      policy.Target     `json:"target"`
	Decision    policy.Decision   `json:"decision"` // of the connect action
	Credentials Credentials       `json:"credentials"`
	// MaskKey keys the hash way of masking; 32 bytes, per deployment.
	MaskKey []byte `json:"mask_key"`
	// Ends is when the session must end at the latest; zero means open-ended.
	Ends time.Time `json:"ends,omitzero"`
	// Page is the URL of the page where people decide about holds; "" when there is none.
	Page string `json:"page,omitempty"`
}

// Credentials log in to the target.
type Credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Database string `json:"database,omitempty"` // "" leaves the client's choice

	// PrivateKey (OpenSSH's format) logs in to an SSH target, with Certificate (authorized_keys form) when there is one.
	PrivateKey  string `json:"private_key,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	// Headers are what an HTTP target gets with each request: its credential, the signed identity chain.
	Headers []Header `json:"headers,omitempty"`
	// Expires is when Headers end to be good: then a new session is opened. Zero means never.
	Expires time.Time `json:"expires,omitzero"`
}

// Header is a header field; its value is secret.
type Header struct {
	Name  string `json:"name"` // in lower case
	Value string `json:"value"`
}

// HoldRequest asks for a human's decision and blocks until there is one. When its
// context ends, the hold is withdrawn.
type HoldRequest struct {
	Node string    `json:"node"`
	Hold hold.Hold `json:"hold"` // ID, Session, Target, Identity, Action, Digest, Rule, Reason, Approvers, Quorum, Deadline
}

// HoldResponse tells how the hold ended. Only State Used lets the action run;
// Digest must equal the request's.
type HoldResponse struct {
	State     hold.State      `json:"state"`
	Digest    string          `json:"digest"`
	Decisions []hold.Decision `json:"decisions"`
	// Message is for the agent: who denied and why, or that time ran out.
	Message string `json:"message"`
}

// Codes of a Refusal.
const (
	CodeUnauthenticated = "unauthenticated"
	CodeForbidden       = "forbidden"
	CodeUnavailable     = "unavailable"
)

// Refusal is an answer that says no, with words for the agent. It is an error so that
// callers cannot mistake it for a session.
type Refusal struct {
	Code    string `json:"code"` // one of the codes above
	Rule    string `json:"rule"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Authorizer is the filter's view of authz.
type Authorizer interface {
	// Open fails with *Refusal when authz says no; any other error means that
	// authz could not be asked, which refuses as well.
	Open(ctx context.Context, req OpenRequest) (OpenResponse, error)
	// Hold returns when the hold has ended.
	Hold(ctx context.Context, req HoldRequest) (HoldResponse, error)
}
