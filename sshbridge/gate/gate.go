// Package gate is how an action of a bridged session comes to run, or not: judged, recorded with
// its decision, held for people where policy says so. SSH and Kubernetes use it, so that there is
// one such path behind the bridge. It decodes nothing and moves no bytes.
package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// Gate is that of one session. It is safe for concurrent use.
type Gate struct {
	Span    *session.Span
	Judge   *policy.SessionJudge
	Timeout time.Duration // of holds whose policy gives none
	Log     *slog.Logger
	Now     func() time.Time

	last    atomic.Int64 // when something was judged or recorded, in ns
	waiting atomic.Int32 // holds
}

// Passed is an action that may run now. The zero value is none.
type Passed struct {
	Ordinal  uint64
	Decision policy.Decision
	Began    time.Time
}

// Refusal is an action that may not run.
type Refusal struct {
	Words  string        // for people
	Notice notice.Notice // the same for programs; zero where it is neither policy's nor a hold's doing
}

// Error is all of it, for protocols whose errors are text: a line of words, and one for programs.
func (r *Refusal) Error() string {
	if r.Notice.Code == "" {
		return r.Words
	}
	return told(r.Words, r.Notice)
}

// maxNotice is how many bytes of a line programs are told.
const maxNotice = 4096

func told(words string, n notice.Notice) string {
	if line := n.Within(maxNotice); line != "" {
		return words + "\n" + Printable(line, maxNotice)
	}
	return words
}

// Pass judges an action, records it with its decision, and waits for people where policy says
// so. With a nil error exactly what digest stands for may run. waiting is called once when a hold begins,
// to tell the client; it must not block for long. ctx withdraws a hold.
func (g *Gate) Pass(ctx context.Context, act action.Action, digest string, waiting func(string)) (Passed, error) {
	began := g.Now()
	g.last.Store(began.UnixNano())
	d := g.Judge.Judge(ctx, &act, nil)
	return g.decided(ctx, act, d, digest, began, waiting)
}

// Refuse records an action that is refused without asking policy.
func (g *Gate) Refuse(ctx context.Context, act action.Action, rule, reason, hint string) error {
	_, err := g.decided(ctx, act, policy.Decision{Rule: rule, Reason: reason, Hint: hint, Revision: g.Judge.Revision()}, "", g.Now(), nil)
	return err
}

func (g *Gate) decided(ctx context.Context, act action.Action, d policy.Decision, digest string, began time.Time, waiting func(string)) (Passed, error) {
	payload, err := record.AppendAction(nil, &act, &d)
	if err != nil {
		return Passed{}, err
	}
	p := Passed{Decision: d, Began: began}
	err = g.Span.Commit(func(b *session.Batch) {
		p.Ordinal = b.Action(payload)
		if d.Verdict == policy.Block {
			b.Result(p.Ordinal, record.Result{Status: "blocked", Message: d.Reason})
		}
	})
	if err != nil {
		g.Log.Error("an action is refused: it cannot be recorded", "err", err)
		return Passed{}, &Refusal{Words: "dragoman: refused: it cannot be recorded"}
	}
	switch d.Verdict {
	case policy.Allow:
		return p, nil
	case policy.Hold:
		return p, g.hold(ctx, p, act, digest, waiting)
	}
	return Passed{}, &Refusal{blockedText(d), notice.Of(notice.Blocked, &d, "", "")}
}

func blockedText(d policy.Decision) string {
	s := "dragoman: blocked: " + Printable(d.Reason, 2048)
	if d.Hint != "" {
		s += "; " + Printable(d.Hint, 2048)
	}
	if d.Rule != "" {
		s += " [" + Printable(d.Rule, 256) + "]"
	}
	return s
}

// hold waits for people.
func (g *Gate) hold(ctx context.Context, p Passed, act action.Action, digest string, waiting func(string)) error {
	type outcome struct {
		res check.HoldResponse
		err error
	}
	g.waiting.Add(1)
	defer func() { g.last.Store(g.Now().UnixNano()); g.waiting.Add(-1) }()
	done, page := make(chan outcome, 1), g.Span.Opened().Page
	held, err := g.Span.Hold(session.Holding{Ordinal: p.Ordinal, Action: act, Digest: digest, Decision: p.Decision, Timeout: g.Timeout},
		func(res check.HoldResponse, err error) { done <- outcome{res, err} })
	if err != nil {
		return &Refusal{Words: "dragoman: refused: it cannot be recorded"}
	}
	if waiting != nil {
		waiting(told(waitText(held.Hold), notice.Of(notice.Held, &p.Decision, held.Hold.ID, page)))
	}
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		held.Withdraw()
		o = <-done
	}
	if o.err == nil && o.res.State == hold.Used {
		return nil
	}
	status, words := "denied", o.res.Message
	switch {
	case o.err != nil:
		status, words = "lost", "nobody could be asked"
		g.Log.Error("a hold failed", "hold", held.Hold.ID, "err", o.err)
	case o.res.State == hold.Withdrawn:
		status, words = "withdrawn", "it was withdrawn"
	case o.res.State == hold.Expired:
		status = "expired"
	}
	if words == "" {
		words = "it was not approved"
	}
	g.Result(p, record.Result{Status: status, Message: words})
	return &Refusal{"dragoman: " + status + ": " + Printable(words, 1024) + " [" + held.Hold.ID + "]",
		notice.Of(notice.Outcome(o.res, o.err), &p.Decision, held.Hold.ID, page)}
}

func waitText(h hold.Hold) string {
	s := "dragoman: held for approval (" + h.ID + ")"
	if h.Reason != "" {
		s += ": " + Printable(h.Reason, 512)
	}
	if len(h.Approvers) > 0 {
		s += "; waiting for " + Printable(strings.Join(h.Approvers, ", "), 256)
	}
	return s + " until " + h.Deadline.UTC().Format("15:04:05") + " UTC"
}

// Result records how an action ended.
func (g *Gate) Result(p Passed, r record.Result) {
	r.Duration = g.Now().Sub(p.Began)
	if err := g.Span.Commit(func(b *session.Batch) { b.Result(p.Ordinal, r) }); err != nil {
		g.Log.Debug("a result is not recorded", "err", err) // the session is over, or its record
	}
}

// Record keeps one message of an action, to the target or from it, before what it stands for moves. The message is its parts, one
// after the other.
func (g *Gate) Record(p Passed, request bool, message ...[]byte) error {
	g.last.Store(g.Now().UnixNano())
	return g.Span.Commit(func(b *session.Batch) {
		if request {
			b.Request(p.Ordinal, message...)
		} else {
			b.Response(p.Ordinal, message...)
		}
	})
}

// Plan is the compiled masks of an action that may run.
func (g *Gate) Plan(from policy.Planner, p Passed) (*mask.Plan, error) {
	return from.Get(p.Decision.Mask, g.Span.Opened().MaskKey)
}

// Digest binds an approval to exact bytes; each part with its length.
func Digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Plain is an action without objects.
func Plain(kind, verb, text string) action.Action {
	return action.Action{Kind: kind, Verbs: []string{verb}, Reads: []action.Object{}, Writes: []action.Object{}, Functions: []action.Function{},
		Features: map[string]any{}, Text: text, Params: []action.Param{}, Fingerprint: kind + " " + verb}
}

// Printable is s without control characters, cut.
func Printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}
