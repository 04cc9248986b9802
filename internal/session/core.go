package session

import (
	"errors"
	"fmt"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// core is what every authorised session is, whatever carries its bytes: who it is for, its
// record, and when it must end. It is not safe for concurrent use.
type core struct {
	rt      *Runtime
	id      string
	opened  check.OpenResponse
	info    policy.Session
	w       *record.Writer
	actions uint64
	bytes   int64 // delivered
	timer   *time.Timer
	ends    time.Time
	idle    time.Duration
	active  time.Time
	ended   bool
}

// ErrUnrecorded says that a session is not opened because its record cannot be begun.
var ErrUnrecorded = errors.New("the session cannot be recorded")

// start begins the record of a session that authz has opened.
func (rt *Runtime) start(req check.OpenRequest, mode record.Mode, limits Limits, res check.OpenResponse) (core, error) {
	if res.Decision.Verdict != policy.Allow {
		return core{}, &check.Refusal{Code: check.CodeForbidden, Rule: res.Decision.Rule, Message: res.Decision.Reason}
	}
	c := core{rt: rt, id: res.Session, opened: res, info: req.Session, idle: limits.Idle, ends: res.Ends, active: rt.Now()}
	c.info.ID = res.Session
	if c.info.Started.IsZero() {
		c.info.Started = c.active
	}
	w, err := rt.opt.Spool.Begin(mode, record.Open{Session: c.info, Target: res.Target, Identity: res.Identity,
		Node: rt.opt.Node, Decision: res.Decision})
	if err != nil {
		return core{}, fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	// The session counts only once its first frame is written.
	if err := w.Flush(); err != nil {
		w.Abandon()
		return core{}, fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	c.w = w
	return c, nil
}

// ID is the session's id.
func (c *core) ID() string { return c.id }

// Opened is what authz answered. It holds secrets.
func (c *core) Opened() *check.OpenResponse { return &c.opened }

// Info is what policy sees of the session.
func (c *core) Info() policy.Session { return c.info }

// Input is the policy input of the session, its Action empty.
func (c *core) Input() policy.Input {
	return policy.Input{Version: policy.InputVersion, Identity: c.opened.Identity, Target: c.opened.Target, Session: c.info}
}

// DropCredentials forgets the target's credentials once they have been used.
func (c *core) DropCredentials() { c.opened.Credentials = check.Credentials{} }

// Ident implements Live.
func (c *core) Ident() (id, token string) { return c.id, c.opened.Identity.TokenID }

// arm sets the one timer of a session to the next moment at which it may have to end.
func (c *core) arm(tick func()) {
	next := c.ends
	if c.idle > 0 {
		if at := c.active.Add(c.idle); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if next.IsZero() || c.ended {
		return
	}
	c.timer = time.AfterFunc(max(next.Sub(c.rt.Now()), time.Millisecond), tick)
}

// over says why the session must end now, "" when it need not. One that is busy is not idle.
func (c *core) over(busy bool) string {
	now := c.rt.Now()
	switch {
	case !c.ends.IsZero() && !now.Before(c.ends):
		return "the session's time is over"
	case c.idle > 0 && !busy && now.Sub(c.active) >= c.idle:
		return "the session was idle for too long"
	case c.idle > 0 && busy:
		c.active = now
	}
	return ""
}

// shut writes the last frame and lets go of everything.
func (c *core) shut(s Live, reason, message string) {
	c.ended = true
	if c.timer != nil {
		c.timer.Stop()
	}
	err := c.w.Close(record.Close{Reason: reason, Message: message, Actions: c.actions, Bytes: c.bytes,
		Duration: c.rt.Now().Sub(c.info.Started)})
	if err != nil {
		c.rt.opt.Log.Error("record could not be closed", "session", c.id, "error", err)
	}
	c.rt.live.remove(s) // last: whoever counts sessions finds the record of one that is gone closed
}
