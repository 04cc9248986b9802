// Package hold is the noun that authz, the command line and the web share: an
// action kept on the wire until a human decides. The state machine and its
// stores are in authz/approval.
package hold

import (
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
)

// State of a hold. The zero value is not approved and never becomes so.
type State string

const (
	Pending   State = "pending"
	Approved  State = "approved" // quorum reached; not yet run
	Used      State = "used"     // handed to the filter, once
	Denied    State = "denied"
	Expired   State = "expired"   // nobody decided in time
	Withdrawn State = "withdrawn" // the agent cancelled, disconnected, or its gateway died
)

// Hold is one held action.
type Hold struct {
	ID       string `json:"id"` // "hld_" and 128 random bits in base32, made by the filter
	Session  string `json:"session"`
	Target   string `json:"target"`
	Protocol string `json:"protocol,omitempty"` // of the target
	User     string `json:"user,omitempty"`     // as whom the session is at the target, as far as the client says that
	Database string `json:"database,omitempty"` // the session's, as far as the client says that
	// SQLMode is the session's sql_mode, of MySQL, in which the statement was read; nil where there is none.
	SQLMode  *string           `json:"sql_mode,omitempty"`
	Identity identity.Identity `json:"identity"`
	Action   action.Action     `json:"action"`
	// Digest is the hex SHA-256 of the exact bytes and parameters that are
	// held; an approval is good for these only.
	Digest    string     `json:"digest"`
	Rule      string     `json:"rule"`
	Reason    string     `json:"reason"`
	Approvers []string   `json:"approvers"`
	Quorum    int        `json:"quorum"`
	Created   time.Time  `json:"created"`
	Deadline  time.Time  `json:"deadline"`
	State     State      `json:"state"`
	Decisions []Decision `json:"decisions"`
	Ended     time.Time  `json:"ended,omitzero"`
	// ShapeFor and ShapePool are what policy lets approvers say about the shape (policy.Decision).
	ShapeFor  time.Duration `json:"shape_for,omitempty"`
	ShapePool bool          `json:"shape_pool,omitempty"`
	// Estimate is what the target expects of it, where it was asked (docs/approvals.md).
	Estimate *Estimate `json:"estimate,omitempty"`
	// Purpose is the agent's own reason, in its words: nothing proves it.
	Purpose string `json:"purpose,omitempty"`
}

// Decision is one person's word on a hold.
type Decision struct {
	By      identity.Identity `json:"by"`
	Group   string            `json:"group"` // the approver group by which they may decide
	Approve bool              `json:"approve"`
	Reason  string            `json:"reason"`
	At      time.Time         `json:"at"`
	// Via is how it came: "admin-socket", "api", "slack" …
	Via string `json:"via"`
	// ShapeFor says that it is also for actions of the same shape and session that come within this time, or with
	// ShapePool of the same credential and target. Of is the hold at which that was said, in the decisions that follow from it.
	ShapeFor  time.Duration `json:"shape_for,omitempty"`
	ShapePool bool          `json:"shape_pool,omitempty"`
	Of        string        `json:"of,omitempty"`
}

// MaxShape is the longest that a word about a shape counts.
const MaxShape = 8 * time.Hour

// Open reports whether the hold still waits for a decision.
func (h *Hold) Open() bool { return h.State == Pending }
