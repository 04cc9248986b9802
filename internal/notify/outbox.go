// Package notify tells other systems what happens, at once: webhooks and OpenTelemetry collectors
// get each event (package export) of every session. An event is written into an outbox
// before its frame is acknowledged, and stays there until every sink has it: at least once, in order, with an id that
// is the same each time. It owns the outbox, the cursors of the sinks, retries, and the sinks themselves; and it hands the
// spans of gateways' Envoys on to the collector (Relay).
package notify

import (
	"context"
	"errors"
	"time"

	"dragoman.dev/dragoman/internal/export"
)

const (
	// DefaultMaxBytes is what may wait in the outbox.
	DefaultMaxBytes = 256 << 20
	// progressKept is how long it is known how far a session was told of after its last frame.
	progressKept = 14 * 24 * time.Hour
	// trimBatch is how many events are deleted at a time.
	trimBatch = 500
)

// ErrBusy says that another process sends to a sink now.
var ErrBusy = errors.New("another process sends to this sink")

// Outbox keeps events until all sinks have them. It is safe for concurrent use. outboxtest in this package's tests says what
// each kind promises.
type Outbox interface {
	// Progress is the last frame of a session whose events were kept; known is false for a new one.
	Progress(ctx context.Context, session string) (seq uint64, known bool, err error)
	// Add keeps events and how far their sessions are, all or nothing. When more waits than there is room for, the
	// oldest events go, and are counted at the sinks that did not get them.
	Add(ctx context.Context, events []export.Event) error
	// Next reads what comes next for a sink, at most so many events and about so many bytes. Whoever has got some has the
	// turn of this sink until Done, or until more time than an attempt may take has passed; others get ErrBusy.
	Next(ctx context.Context, sink string, limit int, bytes int64) ([]Item, error)
	// Done moves a sink's cursor; dropped are those of the events that the sink will never take. What no
	// sink waits for is deleted. ErrBusy: the turn was lost, and nothing is moved.
	Done(ctx context.Context, sink string, upTo int64, sent, dropped int) error
	// Backlogs tells how far the sinks are.
	Backlogs(ctx context.Context) ([]Backlog, error)
	Close() error
}

// Item is one event in the outbox.
type Item struct {
	N     int64
	Event export.Event
}

// Backlog is what one sink has not got yet.
type Backlog struct {
	Sink          string
	Waiting       int64 // events
	Sent, Dropped int64 // since the outbox was made
}
