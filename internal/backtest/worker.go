package backtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// worker reads and judges one record after the other. What it keeps is its own.
type worker struct {
	r       *run
	handle  policy.Handle
	decoder decoder
	masks   masks
	// analyses are of the protocol of the session that is read now.
	analyses analyses
	protocol string
	tally    *tally
}

func newWorker(r *run) *worker {
	w := &worker{r: r, decoder: newDecoder(), masks: newMasks(), analyses: newAnalyses(), tally: newTally(r.opt.Examples)}
	w.handle.Swap(r.opt.Engine)
	return w
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil && !w.r.places.full() {
		i := int(w.r.next.Add(1)) - 1
		if i >= len(w.r.files) {
			return
		}
		if err := w.file(ctx, i); err != nil {
			w.tally.unreadable(w.r.files[i].name, err)
		}
		w.r.read.Add(1)
	}
}

// session is one session that is judged.
type session struct {
	id      string
	started time.Time
	who     string
	open    record.Open
	judge   *policy.SessionJudge
	actions int64
}

func (w *worker) file(ctx context.Context, i int) error {
	settled := false
	settle := func(want bool) bool { settled = true; return w.r.places.settle(i, want) }
	defer func() {
		if !settled {
			settle(false)
		}
	}()
	rec, err := w.r.opt.Open(w.r.files[i].name)
	if err != nil {
		return err
	}
	defer rec.Close()
	first, err := rec.Next()
	if err == io.EOF {
		return nil // nothing but its name so far
	}
	if err != nil {
		return err
	}
	s, err := w.begin(first)
	if err != nil {
		return err
	}
	if !settle(w.wants(s)) {
		return nil
	}
	w.protocol = s.open.Target.Protocol
	w.connect(s)
	err = w.frames(ctx, s, rec)
	if s.actions > 0 {
		w.tally.sessions++
		w.r.sessions.Add(1)
	}
	return err
}

func (w *worker) begin(f record.Frame) (*session, error) {
	s := &session{started: f.Time}
	if f.Kind != record.KindOpen {
		return nil, fmt.Errorf("the record does not begin with the session's opening")
	}
	if err := json.Unmarshal(f.Payload, &s.open); err != nil {
		return nil, fmt.Errorf("the session's opening: %w", err)
	}
	o := &s.open
	s.id, s.who = o.Session.ID, o.Identity.Chain()
	s.judge = w.handle.Session(o.Identity, o.Target, o.Session)
	return s, nil
}

func (w *worker) wants(s *session) bool {
	o, id := &w.r.opt, &s.open.Identity
	return (o.Target == "" || s.open.Target.Name == o.Target) &&
		(o.Identity == "" || id.Subject == o.Identity || slices.Contains(id.Actors, o.Identity)) &&
		(o.Until.IsZero() || s.started.Before(o.Until))
}

func (w *worker) within(t time.Time) bool {
	return !t.Before(w.r.opt.Since) && (w.r.opt.Until.IsZero() || t.Before(w.r.opt.Until))
}

func (w *worker) frames(ctx context.Context, s *session, rec Record) error {
	for ctx.Err() == nil {
		f, err := rec.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if f.Kind != record.KindAction || !w.within(f.Time) {
			continue
		}
		p := w.decoder.decode(f.Payload)
		if p == nil {
			w.tally.undecoded++
			continue
		}
		w.action(s, f.Action, f.Time, p)
	}
	return nil
}

// connect judges the opening of the session. Those that were refused left no record.
func (w *worker) connect(s *session) {
	if !w.within(s.started) {
		return
	}
	o := &s.open
	a := action.Connect(o.Target.Name, o.Session.User, o.Session.Database)
	old := decision{Verdict: policy.Allow, Rule: o.Decision.Rule}
	if len(o.Decision.Approvers) > 0 { // an approved hold is recorded as allowed
		old.Verdict, old.Approvers, old.Quorum = policy.Hold, o.Decision.Approvers, o.Decision.Quorum
	}
	w.action(s, 0, s.started, &payload{Action: a, Decision: old})
}

// action judges one action again and counts the difference.
func (w *worker) action(s *session, ordinal uint64, at time.Time, p *payload) {
	// Ctrl-C ends a run between actions: half a verdict would be a wrong one.
	ctx := context.Background()
	if w.r.opt.Engine.Volatile() {
		ctx = policy.At(ctx, at)
	}
	n := w.again(ctx, s.judge, p)
	s.actions++
	w.r.actions.Add(1)
	w.tally.count(s, ordinal, at, p, n, w.changes(p, n))
}

// bounded is text for a report.
func bounded(s string) string {
	const most = 500
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
