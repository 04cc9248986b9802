// Package approval is the hold's state machine, the rules of who may decide, and the
// service that keeps an action waiting. It owns what becomes of a hold; what is held
// and how the filter waits belong to authz and the filters.
package approval

import (
	"errors"
	"fmt"
	"time"

	"dragoman.dev/dragoman/internal/hold"
)

// Kind is what happens to a hold.
type Kind uint8

const (
	_        Kind = iota // the zero value is no event
	Decide               // somebody approves or denies
	Use                  // the waiting filter takes the approval
	Expire               // the deadline has passed
	Withdraw             // the agent, its connection or its gateway has gone
	Tell                 // the agent says what it is for
	Note                 // the target's estimate of it has come
)

func (k Kind) String() string {
	switch k {
	case Decide:
		return "decide"
	case Use:
		return "use"
	case Expire:
		return "expire"
	case Withdraw:
		return "withdraw"
	case Tell:
		return "tell"
	case Note:
		return "note"
	}
	return "nothing"
}

// Event is one thing that happens to a hold.
type Event struct {
	Kind     Kind
	Decision hold.Decision  // of Decide
	Purpose  string         // of Tell
	Estimate *hold.Estimate // of Note
	At       time.Time
}

// Errors of Apply. What a user sees is their text.
var (
	// ErrEnded: the hold has ended; nothing changes it any more.
	ErrEnded = errors.New("the hold has ended")
	// ErrIllegal: the event does not fit the state.
	ErrIllegal = errors.New("not possible in this state")
	// ErrTooLate: the deadline has passed.
	ErrTooLate = errors.New("the hold's time is over")
	// ErrForbidden: the rules do not let them decide.
	ErrForbidden = errors.New("may not decide")
	// ErrInvalid: a hold that nobody could approve, or that is malformed.
	ErrInvalid = errors.New("the action cannot be held")
)

// Ended reports whether a state is final.
func Ended(s hold.State) bool { return s != hold.Pending && s != hold.Approved }

// Apply is the one dispatcher of the state machine. It changes h, or leaves
// it as it was and says why not.
//
//	pending  --approve--> pending (below quorum) | approved
//	pending  --tell-----> pending (as long as nobody has decided)
//	pending  --note-----> pending
//	pending  --deny-----> denied
//	approved --use------> used
//	approved --deny-----> denied
//	pending, approved --expire--> expired, --withdraw--> withdrawn
func (r Rules) Apply(h *hold.Hold, e Event) error {
	if Ended(h.State) {
		return fmt.Errorf("%w: it is %s", ErrEnded, h.State)
	}
	late := !e.At.Before(h.Deadline)
	switch {
	case e.Kind == Withdraw:
		end(h, hold.Withdrawn, e.At)
	case e.Kind == Expire && late:
		end(h, hold.Expired, e.At)
	case e.Kind == Expire:
		return fmt.Errorf("%w: it has time until %s", ErrIllegal, h.Deadline.Format(time.RFC3339))
	case late:
		return ErrTooLate
	case e.Kind == Use && h.State == hold.Approved:
		end(h, hold.Used, e.At)
	case e.Kind == Decide:
		return r.decide(h, e)
	case e.Kind == Tell && h.State == hold.Pending && len(h.Decisions) == 0:
		h.Purpose = e.Purpose // not once somebody has decided: they have seen what is there
	case e.Kind == Note && h.State == hold.Pending:
		h.Estimate = e.Estimate
	default:
		return fmt.Errorf("%w: %s while %s", ErrIllegal, e.Kind, h.State)
	}
	return nil
}

func end(h *hold.Hold, s hold.State, at time.Time) {
	h.State = s
	h.Ended = at
}

func (r Rules) decide(h *hold.Hold, e Event) error {
	d := e.Decision
	if d.Approve && h.State == hold.Approved {
		return fmt.Errorf("%w: it is approved already", ErrIllegal)
	}
	group, err := r.mayDecide(h, d)
	if err != nil {
		return err
	}
	if err := checkShape(h, &d); err != nil {
		return err
	}
	d.Group, d.At = group, e.At
	h.Decisions = append(h.Decisions[:len(h.Decisions):len(h.Decisions)], d)
	switch {
	case !d.Approve:
		end(h, hold.Denied, e.At)
	case approvals(h) >= r.quorum(h):
		h.State = hold.Approved
	}
	return nil
}
