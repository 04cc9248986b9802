package session

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// DefaultHoldTimeout is how long a hold waits when neither policy nor the target says.
const DefaultHoldTimeout = 5 * time.Minute

// Held is an action that waits for people.
type Held struct {
	Hold   hold.Hold
	action uint64
	cancel context.CancelFunc
	// withdrawn makes a decision that comes at the same time void.
	withdrawn bool
}

// Withdraw ends the wait; the hold's done is still called, with state Withdrawn.
func (h *Held) Withdraw() {
	h.withdrawn = true
	h.cancel()
}

// Waits is the hold that the session waits for, nil when none.
func (s *Session) Waits() *Held { return s.hold }

// holdID makes a hold's id: 128 random bits.
func holdID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "hld_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Hold keeps an action until people decide. It records the hold and asks authz
// in a goroutine; done is called on the worker, unless the connection is gone by then,
// with nil only if exactly this action may run now. A session holds one action at a
// time. The caller tells the client about the hold that is given back.
func (s *Session) Hold(ordinal uint64, act action.Action, digest string, d policy.Decision, timeout time.Duration,
	done func(check.HoldResponse, error)) *Held {
	now := s.rt.Now()
	if d.Timeout > 0 {
		timeout = d.Timeout
	}
	if timeout <= 0 {
		timeout = DefaultHoldTimeout
	}
	h := hold.Hold{ID: holdID(), Session: s.id, Target: s.opened.Target.Name, Identity: s.opened.Identity, Action: act,
		Digest: digest, Rule: d.Rule, Reason: d.Reason, Approvers: d.Approvers, Quorum: max(d.Quorum, 1),
		Created: now, Deadline: now.Add(timeout), State: hold.Pending}
	ctx, cancel := context.WithCancel(context.Background())
	held := &Held{Hold: h, action: ordinal, cancel: cancel}
	s.hold = held
	s.Frame(record.KindHold, ordinal, h)
	go func() {
		defer cancel()
		res, err := s.rt.opt.Authorizer.Hold(ctx, check.HoldRequest{Node: s.rt.opt.Node, Hold: h})
		s.conn.Post(func() { s.decided(held, res, err, done) })
	}()
	return held
}

// decided is the end of a hold, on the worker.
func (s *Session) decided(held *Held, res check.HoldResponse, err error, done func(check.HoldResponse, error)) {
	if s.ended || s.hold != held {
		return
	}
	s.hold = nil
	if held.withdrawn {
		res, err = check.HoldResponse{State: hold.Withdrawn}, nil
	}
	if err == nil && res.State == hold.Used && res.Digest != held.Hold.Digest {
		res, err = check.HoldResponse{}, errors.New("the approval is for another action")
	}
	h := held.Hold
	h.State, h.Decisions, h.Ended = res.State, res.Decisions, s.rt.Now()
	if err != nil {
		h.State = hold.Withdrawn
	}
	s.Frame(record.KindHold, held.action, h)
	s.active = h.Ended
	done(res, err)
}
