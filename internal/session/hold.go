package session

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
)

// DefaultHoldTimeout is how long a hold waits when neither policy nor the target says.
const DefaultHoldTimeout = 5 * time.Minute

// Held is an action that waits for people.
type Held struct {
	Hold   hold.Hold
	action uint64
	ctx    context.Context
	cancel context.CancelFunc
	// withdrawn makes a decision that comes at the same time void.
	withdrawn atomic.Bool
}

// Withdraw ends the wait; the hold's done is still called, with state Withdrawn. It may be called from anywhere.
func (h *Held) Withdraw() {
	h.withdrawn.Store(true)
	h.cancel()
}

// holdID makes a hold's id: 128 random bits.
func holdID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "hld_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Holding is an action that people shall decide about.
type Holding struct {
	Ordinal  uint64 // of the action's frame
	Action   action.Action
	Digest   string // of the exact bytes and parameters
	Decision policy.Decision
	// Timeout is for decisions that have none; zero means DefaultHoldTimeout.
	Timeout time.Duration
	SQLMode *string // the session's, of MySQL (hold.Hold)
}

// newHold makes a hold of what is to be decided.
func (c *core) newHold(h Holding) *Held {
	timeout := h.Timeout
	if h.Decision.Timeout > 0 {
		timeout = h.Decision.Timeout
	}
	if timeout <= 0 {
		timeout = DefaultHoldTimeout
	}
	now, d := c.rt.Now(), &h.Decision
	held := &Held{action: h.Ordinal, Hold: hold.Hold{ID: holdID(), Session: c.id, Target: c.opened.Target.Name, Identity: c.opened.Identity,
		Action: h.Action, Digest: h.Digest, Rule: d.Rule, Reason: d.Reason, Approvers: d.Approvers, Quorum: max(d.Quorum, 1),
		SQLMode: h.SQLMode, ShapeFor: d.ShapeFor, ShapePool: d.ShapePool,
		Created: now, Deadline: now.Add(timeout), State: hold.Pending}}
	held.ctx, held.cancel = context.WithCancel(context.Background())
	return held
}

// ask asks authz, and blocks until people have decided.
func (rt *Runtime) ask(h *Held) (check.HoldResponse, error) {
	defer h.cancel()
	return rt.opt.Authorizer.Hold(h.ctx, check.HoldRequest{Node: rt.opt.Node, Hold: h.Hold})
}

// outcome is how a hold ended, and its last frame's content.
func (h *Held) outcome(now time.Time, res check.HoldResponse, err error) (hold.Hold, check.HoldResponse, error) {
	if h.withdrawn.Load() {
		res, err = check.HoldResponse{State: hold.Withdrawn}, nil
	}
	if err == nil && res.State == hold.Used && res.Digest != h.Hold.Digest {
		res, err = check.HoldResponse{}, errors.New("the approval is for another action")
	}
	last := h.Hold
	last.State, last.Decisions, last.Ended = res.State, res.Decisions, now
	if err != nil {
		last.State = hold.Withdrawn
	}
	return last, res, err
}
