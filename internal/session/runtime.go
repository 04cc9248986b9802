package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/record"
)

// Options make a Runtime. Authorizer and Spool are needed; Node names this Envoy.
type Options struct {
	Node       string
	Authorizer check.Authorizer
	Spool      *record.Spool
	Log        *slog.Logger     // nil: discard
	Now        func() time.Time // nil: time.Now
}

// Runtime is what all connections of an Envoy process share. A Runtime
// that could not be set up refuses every session with the reason.
type Runtime struct {
	opt     Options
	broken  error
	live    liveSessions
	cancels cancelKeys
	spans   spans
	close   []func()
	slack   []byte // never touched
}

// slack is how much more garbage Go's collector lets come together in an Envoy than it would by itself: the heap that lives there is of a
// few MiB, so that a busy gateway would collect all the time. It counts as living and takes no memory, since nothing is written there.
const slack = 16 << 20

// New makes a Runtime of its parts.
func New(opt Options) *Runtime {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	rt := &Runtime{opt: opt}
	switch {
	case opt.Authorizer == nil:
		rt.broken = errors.New("no authorization service is configured")
	case opt.Spool == nil:
		rt.broken = errors.New("no record spool is configured")
	}
	rt.live.init()
	rt.cancels.init()
	rt.spans.init()
	return rt
}

// Broken makes a Runtime that refuses every session because of err.
func Broken(log *slog.Logger, err error) *Runtime {
	rt := New(Options{Log: log})
	rt.broken = err
	return rt
}

// Err says why no session can be opened, nil when they can.
func (rt *Runtime) Err() error { return rt.broken }

// Log is the process's logger; Now its clock.
func (rt *Runtime) Log() *slog.Logger { return rt.opt.Log }

// Now is the clock.
func (rt *Runtime) Now() time.Time { return rt.opt.Now() }

// Node is this Envoy's node id.
func (rt *Runtime) Node() string { return rt.opt.Node }

// Sessions is how many sessions are live.
func (rt *Runtime) Sessions() int { return rt.live.count() }

// Unshipped is how many bytes wait in the spool for the control plane, ended sessions and live ones; done is true
// when there is no session of which it lacks anything.
func (rt *Runtime) Unshipped() (bytes int64, done bool) {
	if rt.opt.Spool == nil {
		return 0, true
	}
	return rt.opt.Spool.Used(), len(rt.opt.Spool.Backlogs(nil)) == 0
}

// EndSession ends a live session, whichever worker it is on: reason is one of
// record.Close's. It reports whether there was such a session.
func (rt *Runtime) EndSession(id, reason, message string) bool {
	return rt.live.end(id, reason, message)
}

// Close ends what the Runtime runs in the background. Sessions must have ended.
func (rt *Runtime) Close() {
	for _, f := range rt.close {
		f()
	}
}

// authorize asks authz to open a session. It blocks.
func (rt *Runtime) authorize(ctx context.Context, req check.OpenRequest) (check.OpenResponse, error) {
	if rt.broken != nil {
		return check.OpenResponse{}, &check.Refusal{Code: check.CodeUnavailable,
			Message: "this gateway cannot open sessions: " + rt.broken.Error()}
	}
	req.Node = rt.opt.Node
	res, err := rt.opt.Authorizer.Open(ctx, req)
	if err != nil {
		return check.OpenResponse{}, err
	}
	if len(res.Session) == 0 {
		return check.OpenResponse{}, fmt.Errorf("authz opened a session without an id")
	}
	return res, nil
}
