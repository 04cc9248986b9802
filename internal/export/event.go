// Package export turns records into events for other systems: what a session was, and each
// action when it has ended. It owns that form, which the exports to files, the collectors and the
// webhooks share; how one of them writes it is theirs (package ocsf, telemetry, notify). Events have what was
// asked and decided, and how much came back; no answers of the target.
package export

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/record"
)

// Kinds of events.
const (
	SessionOpened = "session.opened"
	ActionEnded   = "action.ended"
	SessionClosed = "session.closed"
)

// Event is one thing that is over. Its ID is the same however often it is made from the record.
type Event struct {
	ID      string    `json:"id"` // session and the sequence number of the frame that ended it
	Kind    string    `json:"kind"`
	Time    time.Time `json:"time"` // of that frame
	Session string    `json:"session"`
	Seq     uint64    `json:"seq"`
	// Open is who and where, in every event.
	Open record.Open `json:"open"`

	// Of ActionEnded: Action is nil only when the record has none; Result is nil when the session ended first.
	Ordinal uint64                `json:"ordinal,omitempty"`
	Began   time.Time             `json:"began,omitzero"`
	Action  *record.ActionPayload `json:"action,omitempty"`
	Hold    *hold.Hold            `json:"hold,omitempty"` // as it ended
	Result  *record.Result        `json:"result,omitempty"`
	Trace   *Trace                `json:"trace,omitempty"` // nil: Envoy made no span for it

	// Of SessionClosed.
	Close *record.Close `json:"close,omitempty"`
	Lost  bool          `json:"lost,omitempty"` // recovery made the end
}

// Trace is Envoy's span of which an action is the child, in lower-case hexadecimal (W3C Trace Context).
type Trace struct {
	ID   string `json:"id"`
	Span string `json:"span"`
}

// maxOpen bounds how many actions of a session are remembered until they end; a session that has
// more at a time gives the oldest without its result.
const maxOpen = 10_000

// Assembler makes the events of one session from its frames.
type Assembler struct {
	session string
	open    record.Open
	opened  bool
	began   map[uint64]*Event
}

// NewAssembler is for one session.
func NewAssembler(session string) *Assembler {
	return &Assembler{session: session, began: map[uint64]*Event{}}
}

// Add takes the next frame. What cannot be decoded is left out: the record has it.
func (a *Assembler) Add(f record.Frame) []Event {
	switch f.Kind {
	case record.KindOpen:
		if json.Unmarshal(f.Payload, &a.open) != nil {
			a.open = record.Open{}
		}
		a.opened = true
		return []Event{a.event(SessionOpened, f)}
	case record.KindAction:
		return a.action(f)
	case record.KindHold:
		var h hold.Hold
		if f.Action > 0 && json.Unmarshal(f.Payload, &h) == nil {
			a.of(f).Hold = &h
		}
	case record.KindNote:
		var n record.Note
		if f.Action > 0 && a.began[f.Action] != nil && json.Unmarshal(f.Payload, &n) == nil {
			if trace, span, ok := n.Trace(); ok {
				a.of(f).Trace = &Trace{ID: trace, Span: span}
			}
		}
	case record.KindResult:
		var r record.Result
		if json.Unmarshal(f.Payload, &r) == nil {
			e := a.of(f)
			e.Result = &r
			delete(a.began, f.Action)
			return []Event{a.finished(*e, f)}
		}
	case record.KindClose:
		return a.end(f)
	}
	return nil
}

func (a *Assembler) event(kind string, f record.Frame) Event {
	return Event{ID: fmt.Sprintf("%s/%d", a.session, f.Seq), Kind: kind, Time: f.Time, Session: a.session, Seq: f.Seq, Open: a.open}
}

// of is the action that a frame belongs to.
func (a *Assembler) of(f record.Frame) *Event {
	e := a.began[f.Action]
	if e == nil {
		e = &Event{Ordinal: f.Action, Began: f.Time}
		a.began[f.Action] = e
	}
	return e
}

func (a *Assembler) action(f record.Frame) []Event {
	var p record.ActionPayload
	if json.Unmarshal(f.Payload, &p) != nil {
		return nil
	}
	var out []Event
	if len(a.began) >= maxOpen {
		out = append(out, a.unfinished(f, slices.Min(keys(a.began))))
	}
	a.of(f).Action = &p
	return out
}

func keys(m map[uint64]*Event) []uint64 {
	all := make([]uint64, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	return all
}

// unfinished gives up on an action's result. Its ID has the ordinal, too: several may end with one frame.
func (a *Assembler) unfinished(f record.Frame, ordinal uint64) Event {
	e := a.finished(*a.began[ordinal], f)
	e.ID = fmt.Sprintf("%s.%d", e.ID, ordinal)
	delete(a.began, ordinal)
	return e
}

func (a *Assembler) finished(e Event, f record.Frame) Event {
	out := a.event(ActionEnded, f)
	out.Ordinal, out.Began, out.Action, out.Hold, out.Result, out.Trace = e.Ordinal, e.Began, e.Action, e.Hold, e.Result, e.Trace
	return out
}

func (a *Assembler) end(f record.Frame) []Event {
	var out []Event
	open := keys(a.began)
	slices.Sort(open)
	for _, ordinal := range open {
		out = append(out, a.unfinished(f, ordinal))
	}
	e := a.event(SessionClosed, f)
	e.Lost = f.Recovered
	var c record.Close
	if json.Unmarshal(f.Payload, &c) == nil {
		e.Close = &c
	}
	return append(out, e)
}

// Allowed reports whether an action went to its target, as far as the verdict and the hold say.
func (e *Event) Allowed() bool {
	if e.Action == nil {
		return false
	}
	switch e.Verdict() {
	case "allow":
		return true
	case "hold":
		return e.Hold != nil && (e.Hold.State == hold.Approved || e.Hold.State == hold.Used)
	}
	return false
}

// Verdict is what policy said of an action; without one it blocks.
func (e *Event) Verdict() string {
	if e.Action == nil {
		return "block"
	}
	return e.Action.Decision.Verdict.String()
}
