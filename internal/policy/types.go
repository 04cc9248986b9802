// Package policy judges actions: OPA with prepared queries over one bundle
// (Rego, YAML rules and masks, data), compiled once per push. It owns the
// input and output documents, the built-in Rego library and the verdict
// cache. It does no I/O beyond reading a policy folder, and knows no protocol.
package policy

import (
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/mask"
)

// InputVersion is the version of the policy input and output documents.
const InputVersion = 1

// Target is the protected system that the action goes to.
type Target struct {
	Name     string            `json:"name"`
	Protocol string            `json:"protocol"`
	Labels   map[string]string `json:"labels"`
}

// Session is the connection that the action came on.
type Session struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	Client  string    `json:"client"` // the client's address, host:port
	// Application is what the client calls itself (application_name, User-Agent).
	Application string `json:"application,omitempty"`
	// Database and User are what the client asked for, where the protocol has them.
	Database string `json:"database,omitempty"`
	User     string `json:"user,omitempty"`
}

// Input is the document that policy sees as `input`.
type Input struct {
	Version  int               `json:"version"`
	Identity identity.Identity `json:"identity"`
	Target   Target            `json:"target"`
	Session  Session           `json:"session"`
	Action   action.Action     `json:"action"`
}

// Verdict is what is done with an action. The zero value blocks.
type Verdict uint8

const (
	Block Verdict = iota
	Allow
	Hold
)

func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case Hold:
		return "hold"
	}
	return "block"
}

// MarshalText and UnmarshalText use String's words; an unknown word is Block.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

func (v *Verdict) UnmarshalText(b []byte) error {
	switch string(b) {
	case "allow":
		*v = Allow
	case "hold":
		*v = Hold
	default:
		*v = Block
	}
	return nil
}

// Decision is the output of policy for one action. The zero value blocks.
type Decision struct {
	Verdict Verdict `json:"verdict"`
	// Rule names the rule that decided; Reason is for the agent and the human.
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// Hint tells the agent what to do instead. Optional.
	Hint string `json:"hint,omitempty"`
	// Approvers are groups; any member may approve a hold. Quorum is how many
	// different people must (0 means 1). Timeout is how long the hold waits.
	Approvers []string      `json:"approvers,omitempty"`
	Quorum    int           `json:"quorum,omitempty"`
	Timeout   time.Duration `json:"timeout,omitempty"`
	// ShapeFor is for how long approvers of a hold may approve its shape, so that statements of the same session that
	// differ in literals only need not be asked for; 0: they may not. ShapePool lets them do so for
	// all connections of the same credential to the target.
	ShapeFor  time.Duration `json:"shape_for,omitempty"`
	ShapePool bool          `json:"shape_pool,omitempty"`
	// Mask is the mask plan's specs for what comes back.
	Mask []mask.Spec `json:"mask,omitempty"`
	// Revision is the policy revision that decided.
	Revision string `json:"revision"`
}

// Bundle is a whole policy in source form, as xDS pushes it.
type Bundle struct {
	// Revision is the content's digest; it changes whenever anything does.
	Revision string `json:"revision"`
	// Modules are Rego sources by file name.
	Modules map[string]string `json:"modules"`
	// Data is the document visible as `data` (beside the modules' packages):
	// data.dragoman.rules and data.dragoman.masks come from YAML.
	Data map[string]any `json:"data"`
}
