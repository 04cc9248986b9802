package session

import (
	"context"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/record"
)

// Core is an authorised session whose bytes its owner moves, on one worker at a time. It
// gives the record and the ends of a session; that nothing moves before it is recorded
// is up to the owner.
type Core struct{ core }

// Authorize asks authz to open a session. It blocks.
func (rt *Runtime) Authorize(ctx context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	return rt.authorize(ctx, req)
}

// Start begins the record of a session that authz has opened. Add makes it a live one.
func (rt *Runtime) Start(req check.OpenRequest, mode record.Mode, limits Limits, res check.OpenResponse) (Core, error) {
	c, err := rt.start(req, mode, limits, res)
	return Core{c}, err
}

// Add lets control messages find the session, until Shut.
func (rt *Runtime) Add(s Live) { rt.live.add(s) }

// Ask asks authz about a hold, and blocks until people have decided.
func (rt *Runtime) Ask(h *Held) (check.HoldResponse, error) { return rt.ask(h) }

// Runtime is what the session was started by.
func (c *Core) Runtime() *Runtime { return c.rt }

// Writer is the session's record.
func (c *Core) Writer() *record.Writer { return c.w }

// NextAction counts an action and gives its ordinal.
func (c *Core) NextAction() uint64 {
	c.actions++
	return c.actions
}

// Delivered counts bytes for the client.
func (c *Core) Delivered(n int) { c.bytes += int64(n) }

// Touched notes activity at a time; IdleLimit is the limit that it counts for, zero without one.
func (c *Core) Touched(at time.Time) { c.active = at }

// IdleLimit is how long the session may do nothing; zero is for ever.
func (c *Core) IdleLimit() time.Duration { return c.idle }

// ArmTimer calls tick at the next moment at which the session may have to end.
func (c *Core) ArmTimer(tick func()) { c.arm(tick) }

// Over says why the session must end now, "" when it need not. One that is busy is not idle.
func (c *Core) Over(busy bool) string { return c.over(busy) }

// Shut writes the last frame and lets go of everything. Once.
func (c *Core) Shut(s Live, reason, message string) { c.shut(s, reason, message) }

// Ended reports whether the session is over.
func (c *Core) Ended() bool { return c.ended }

// NewHold makes a hold of what is to be decided; nothing is recorded or asked yet.
func (c *Core) NewHold(h Holding) *Held { return c.newHold(h) }

// Action is the ordinal of the action that waits.
func (h *Held) Action() uint64 { return h.action }

// Outcome is how the hold ended at now, when authz answered res and err: the content
// of its last frame, and what its owner is told.
func (h *Held) Outcome(now time.Time, res check.HoldResponse, err error) (hold.Hold, check.HoldResponse, error) {
	return h.outcome(now, res, err)
}
