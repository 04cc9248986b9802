package approval

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
)

// Rules say who may decide. The zero value is the strict one.
type Rules struct {
	// AllowDelegated lets identities with a delegation chain, and agents,
	// decide. Without it an approver is a direct identity: an agent that acts
	// for Dana cannot approve as Dana.
	AllowDelegated bool
	// MinQuorum is the least number of approvers of any hold, whatever policy
	// says (four eyes beside the requester's: 2). 0 means 1.
	MinQuorum int
}

// Bounds of a hold.
const (
	// MaxWait is the longest that a hold waits.
	MaxWait = 24 * time.Hour
	// MaxQuorum and maxApprovers bound what policy may ask for.
	MaxQuorum    = 16
	maxApprovers = 64
	// maxReason bounds an approver's words, in bytes.
	maxReason = 2000
	// agentPrefix marks subjects that are programs by their name.
	agentPrefix = "agent:"
)

func (r Rules) quorum(h *hold.Hold) int { return max(1, r.MinQuorum, h.Quorum) }

// mayDecide gives the group by which somebody may decide, or says why not.
func (r Rules) mayDecide(h *hold.Hold, d hold.Decision) (group string, err error) {
	by := d.By
	if err := by.Validate(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if len(d.Reason) > maxReason {
		return "", fmt.Errorf("%w: a reason has at most %d bytes", ErrForbidden, maxReason)
	}
	if !r.AllowDelegated && (len(by.Actors) > 1 || len(by.Subject) >= len(agentPrefix) && identity.Same(by.Subject[:len(agentPrefix)], agentPrefix)) {
		return "", fmt.Errorf("%w: %s is not a person's own identity", ErrForbidden, by.Chain())
	}
	if d.Approve && by.Overlaps(h.Identity) {
		return "", fmt.Errorf("%w: nobody approves their own request, or one that is made for them (%s)", ErrForbidden, h.Identity.Chain())
	}
	for _, before := range h.Decisions {
		if d.Approve && before.Approve && by.Overlaps(before.By) {
			return "", fmt.Errorf("%w: %s has approved it already", ErrForbidden, by.Subject)
		}
	}
	for _, g := range h.Approvers {
		if by.InGroup(g) {
			return g, nil
		}
	}
	return "", fmt.Errorf("%w: %s is in none of the groups %s", ErrForbidden, by.Subject, strings.Join(h.Approvers, ", "))
}

// approvals counts different people.
func approvals(h *hold.Hold) int {
	var people []identity.Identity
next:
	for _, d := range h.Decisions {
		if !d.Approve {
			continue
		}
		for _, p := range people {
			if p.Overlaps(d.By) {
				continue next
			}
		}
		people = append(people, d.By)
	}
	return len(people)
}

// checkHold refuses a hold that is malformed or that nobody could ever approve.
func checkHold(h *hold.Hold, now time.Time) error {
	digest, err := hex.DecodeString(h.Digest)
	switch {
	case !validID(h.ID):
		return fmt.Errorf("%w: bad id", ErrInvalid)
	case err != nil || len(digest) != 32:
		return fmt.Errorf("%w: the digest is not a SHA-256", ErrInvalid)
	case h.Session == "" || h.Target == "":
		return fmt.Errorf("%w: no session or target", ErrInvalid)
	case len(h.Approvers) == 0:
		return fmt.Errorf("%w: policy names no group that may approve it", ErrInvalid)
	case len(h.Approvers) > maxApprovers || h.Quorum < 0 || h.Quorum > MaxQuorum:
		return fmt.Errorf("%w: too many approvers", ErrInvalid)
	case !now.Before(h.Deadline):
		return fmt.Errorf("%w: no time to wait", ErrInvalid)
	}
	if err := h.Identity.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// validID accepts "hld_" and 16 to 40 letters or digits.
func validID(id string) bool {
	rest, ok := strings.CutPrefix(id, "hld_")
	return ok && len(rest) >= 16 && len(rest) <= 40 &&
		strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// Explain tells the agent how its hold ended.
func Explain(h hold.Hold) string {
	switch h.State {
	case hold.Used:
		return "approved"
	case hold.Denied:
		for _, d := range h.Decisions {
			if d.Approve {
				continue
			}
			if d.Reason == "" {
				return "denied by " + d.By.Subject
			}
			return "denied by " + d.By.Subject + ": " + d.Reason
		}
		return "denied"
	case hold.Expired:
		return fmt.Sprintf("nobody decided in time (%d of %d approvals, groups: %s)", approvals(&h), max(1, h.Quorum), strings.Join(h.Approvers, ", "))
	case hold.Withdrawn:
		return "withdrawn"
	}
	return "not approved"
}
