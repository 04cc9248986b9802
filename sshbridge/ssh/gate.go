package ssh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/internal/sshwire"
)

// passed is an action that may run now. The zero value is none.
type passed struct {
	ordinal  uint64
	decision policy.Decision
	began    time.Time
}

// refusal is an action that may not run; its text is for the client.
type refusal struct{ words string }

func (r *refusal) Error() string { return r.words }

// pass judges an action, records it with its decision, and waits for people where policy says
// so. With a nil error exactly what digest stands for may run. waiting is called once when a hold begins,
// to tell the client; it must not block for long. ctx withdraws a hold.
func (c *conn) pass(ctx context.Context, act action.Action, digest string, waiting func(string)) (passed, error) {
	began := c.server.opt.Now()
	d := c.judge.Judge(ctx, &act, nil)
	return c.decided(ctx, act, d, digest, began, waiting)
}

// refuse records an action that is refused without asking policy.
func (c *conn) refuse(act action.Action, rule, reason, hint string) error {
	_, err := c.decided(c.ctx, act, policy.Decision{Rule: rule, Reason: reason, Hint: hint, Revision: c.judge.Revision()}, "", c.server.opt.Now(), nil)
	return err
}

func (c *conn) decided(ctx context.Context, act action.Action, d policy.Decision, digest string, began time.Time, waiting func(string)) (passed, error) {
	payload, err := json.Marshal(record.ActionPayload{Action: act, Decision: d})
	if err != nil {
		return passed{}, err
	}
	p := passed{decision: d, began: began}
	err = c.span.Commit(func(b *session.Batch) {
		p.ordinal = b.Action(payload)
		if d.Verdict == policy.Block {
			b.Result(p.ordinal, record.Result{Status: "blocked", Message: d.Reason})
		}
	})
	if err != nil {
		c.log.Error("an action is refused: it cannot be recorded", "err", err)
		return passed{}, &refusal{"dragoman: refused: it cannot be recorded"}
	}
	switch d.Verdict {
	case policy.Allow:
		return p, nil
	case policy.Hold:
		return p, c.hold(ctx, p, act, digest, waiting)
	}
	return passed{}, &refusal{blockedText(d)}
}

func blockedText(d policy.Decision) string {
	s := "dragoman: blocked: " + printable(d.Reason, 2048)
	if d.Hint != "" {
		s += "; " + printable(d.Hint, 2048)
	}
	if d.Rule != "" {
		s += " [" + printable(d.Rule, 256) + "]"
	}
	return s
}

// hold waits for people.
func (c *conn) hold(ctx context.Context, p passed, act action.Action, digest string, waiting func(string)) error {
	type outcome struct {
		res check.HoldResponse
		err error
	}
	done := make(chan outcome, 1)
	held, err := c.span.Hold(session.Holding{Ordinal: p.ordinal, Action: act, Digest: digest, Decision: p.decision, Timeout: c.target.Hold},
		func(res check.HoldResponse, err error) { done <- outcome{res, err} })
	if err != nil {
		return &refusal{"dragoman: refused: it cannot be recorded"}
	}
	if waiting != nil {
		waiting(waitText(held.Hold))
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
		c.log.Error("a hold failed", "hold", held.Hold.ID, "err", o.err)
	case o.res.State == hold.Withdrawn:
		status, words = "withdrawn", "it was withdrawn"
	case o.res.State == hold.Expired:
		status = "expired"
	}
	if words == "" {
		words = "it was not approved"
	}
	c.result(p, record.Result{Status: status, Message: words})
	return &refusal{"dragoman: " + status + ": " + printable(words, 1024) + " [" + held.Hold.ID + "]"}
}

func waitText(h hold.Hold) string {
	s := "dragoman: held for approval (" + h.ID + ")"
	if h.Reason != "" {
		s += ": " + printable(h.Reason, 512)
	}
	if len(h.Approvers) > 0 {
		s += "; waiting for " + printable(strings.Join(h.Approvers, ", "), 256)
	}
	return s + " until " + h.Deadline.UTC().Format("15:04:05") + " UTC"
}

// result records how an action ended.
func (c *conn) result(p passed, r record.Result) {
	r.Duration = c.server.opt.Now().Sub(p.began)
	if err := c.span.Commit(func(b *session.Batch) { b.Result(p.ordinal, r) }); err != nil {
		c.log.Debug("a result is not recorded", "err", err) // the session is over, or its record
	}
}

// digestOf binds an approval to exact bytes; each part with its length.
func digestOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// plain is an action without objects.
func plain(kind, verb, text string) action.Action {
	return action.Action{Kind: kind, Verbs: []string{verb}, Reads: []action.Object{}, Writes: []action.Object{}, Functions: []action.Function{},
		Features: map[string]any{}, Text: text, Params: []action.Param{}, Fingerprint: kind + " " + verb}
}

// recordRequest records bytes for the target before they move.
func (c *conn) recordRequest(p passed, channel uint32, b []byte) error {
	return c.span.Commit(func(batch *session.Batch) { batch.Request(p.ordinal, sshwire.AppendData(nil, channel, b)) })
}
