package session

import (
	"log/slog"

	"dragoman.dev/dragoman/internal/session"
)

// What is the same for every session of a process, whatever carries its bytes, is in internal/session.
type (
	Options     = session.Options
	Limits      = session.Limits
	Held        = session.Held
	Holding     = session.Holding
	Cancel      = session.Cancel
	Span        = session.Span
	SpanOpening = session.SpanOpening
	Batch       = session.Batch
)

// DefaultHoldTimeout is how long a hold waits when neither policy nor the target says.
const DefaultHoldTimeout = session.DefaultHoldTimeout

// ErrEnded says that the session was over before it could be used.
var ErrEnded = session.ErrEnded

// ErrUnrecorded says that a session is not opened because its record cannot be begun.
var ErrUnrecorded = session.ErrUnrecorded

// Runtime is what all connections of an Envoy process share, with sessions that are connections.
type Runtime struct{ *session.Runtime }

// New makes a Runtime of its parts.
func New(opt Options) *Runtime { return &Runtime{session.New(opt)} }

// Broken makes a Runtime that refuses every session because of err.
func Broken(log *slog.Logger, err error) *Runtime { return &Runtime{session.Broken(log, err)} }

// NewRuntime makes the Runtime of an Envoy process from its environment, as internal/session does.
func NewRuntime(env func(string) string, log *slog.Logger) (*Runtime, error) {
	rt, err := session.NewRuntime(env, log)
	return &Runtime{rt}, err
}

// SpanKey makes a key of what a Span is for.
func SpanKey(parts ...string) string { return session.SpanKey(parts...) }
