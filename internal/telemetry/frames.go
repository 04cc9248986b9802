package telemetry

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// maxOpen bounds how many actions of a session are remembered until they end.
const maxOpen = 10_000

// counted is how far a session is counted.
type counted struct {
	next         uint64 // frame
	target       string
	actions      map[uint64]act
	frames, wire prometheus.Counter // of the target
}

func (t *Telemetry) follow(target string) *counted {
	s := &counted{actions: map[uint64]act{}}
	t.aim(s, target)
	return s
}

func (t *Telemetry) aim(s *counted, target string) {
	s.target, s.frames, s.wire = target, t.frames.WithLabelValues(target), t.wire.WithLabelValues(target)
}

// act is what is counted of an action.
type act struct {
	verdict policy.Verdict
	hold    *held
}

type held struct {
	State          hold.State
	Created, Ended time.Time
	Decisions      []struct{ At time.Time }
}

// allowed: it went to the target.
func (a act) allowed() bool {
	switch a.verdict {
	case policy.Allow:
		return true
	case policy.Hold:
		return a.hold != nil && (a.hold.State == hold.Approved || a.hold.State == hold.Used)
	}
	return false
}

// Frame implements audit.Feed. Frames from before this process are not counted, nor those that come again.
func (t *Telemetry) Frame(session string, f record.Frame) {
	s := t.sessions[session]
	if s == nil {
		s = t.follow(other)
		t.sessions[session] = s
	}
	if f.Seq != s.next {
		return
	}
	s.next++
	if f.Kind == record.KindOpen {
		var open record.Open
		if json.Unmarshal(f.Payload, &open) == nil && slices.Contains(t.opt.Targets, open.Target.Name) {
			t.aim(s, open.Target.Name)
		}
	}
	now := !f.Time.Before(t.started)
	if now {
		t.lag.Observe(max(0, t.opt.Now().Sub(f.Time).Seconds()))
		s.frames.Inc()
		s.wire.Add(float64(len(f.Payload)))
	}
	t.event(s, f, now)
	if f.Kind == record.KindClose {
		delete(t.sessions, session)
	}
}

// Commit and Drop implement audit.Feed: what comes again is not counted again.
func (*Telemetry) Commit(context.Context) error { return nil }
func (*Telemetry) Drop()                        {}

// event follows what a session does, and counts it if it is of now. What cannot be decoded is not counted.
func (t *Telemetry) event(s *counted, f record.Frame, now bool) {
	switch f.Kind {
	case record.KindOpen:
		if now {
			t.opened.WithLabelValues(s.target).Inc()
		}
	case record.KindAction:
		var p record.ActionPayload
		if t.decoder.Decode(f.Payload, &p) == nil && len(s.actions) < maxOpen {
			s.actions[f.Action] = act{verdict: p.Decision.Verdict}
		}
	case record.KindHold:
		h := &held{}
		if json.Unmarshal(f.Payload, h) == nil && f.Action > 0 && len(s.actions) < maxOpen {
			a := s.actions[f.Action] // one that is not known was blocked, as far as can be told
			a.hold = h
			s.actions[f.Action] = a
		}
	case record.KindResult:
		var r record.Result
		if record.DecodeResult(f.Payload, &r) == nil {
			if now {
				t.action(s.target, s.actions[f.Action], &r)
			}
			delete(s.actions, f.Action)
		}
	case record.KindClose:
		if now {
			t.end(s, f)
		}
	}
}

func (t *Telemetry) end(s *counted, f record.Frame) {
	for _, a := range s.actions {
		t.action(s.target, a, nil)
	}
	var c record.Close
	_ = json.Unmarshal(f.Payload, &c) // no reason is "other"
	reason, _, _ := strings.Cut(c.Reason, ":")
	t.closed.WithLabelValues(s.target, known(reason, reasons)).Inc()
}

func (t *Telemetry) action(target string, a act, r *record.Result) {
	result := "lost"
	if r != nil {
		result = known(r.Status, results)
		t.rows.WithLabelValues(target).Add(float64(max(0, r.Rows)))
		t.bytes.WithLabelValues(target).Add(float64(max(0, r.Bytes)))
		t.masked.WithLabelValues(target).Add(float64(max(0, r.Masked)))
		if a.allowed() {
			t.duration.WithLabelValues(target).Observe(max(0, r.Duration.Seconds()))
		}
	}
	t.actions.WithLabelValues(target, a.verdict.String(), result).Inc()
	h := a.hold
	if h == nil || h.State == hold.Pending {
		return
	}
	state := known(string(h.State), ends)
	t.holds.WithLabelValues(target, state).Inc()
	end := h.Ended
	if n := len(h.Decisions); end.IsZero() && n > 0 {
		end = h.Decisions[n-1].At
	}
	if !end.IsZero() {
		t.wait.WithLabelValues(target, state).Observe(max(0, end.Sub(h.Created).Seconds()))
	}
}
