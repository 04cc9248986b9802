package postgres

import (
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/record"
)

// holdDone is how a held message goes on.
type holdDone struct {
	allowed func()
	refused func(status string, rep wire.Report)
}

// holdAction keeps a message until people decide about j; other client messages wait. The client is told.
// with are all actions of the message, and again judges it anew.
func (c *conn) holdAction(j *judged, act action.Action, digest string, with []*judged, again rejudge, done holdDone) {
	c.wait = waitHold
	page := c.s.Opened().Page
	var h *session.Held
	h = c.s.Hold(session.Holding{Ordinal: j.ordinal, Action: act, Digest: digest, Decision: statement.OnceOnly(j.d, len(with) != 1 || inner(with...) != ""), Timeout: c.cfg.Limits.HoldTimeout}, func(res check.HoldResponse, err error) {
		if c.state != stReady || c.wait != waitHold {
			return
		}
		c.wait = waitNone
		goOn := func(status string, rep wire.Report) {
			switch {
			case c.relay.discard: // an earlier message of the pipeline failed meanwhile, so the target skips this one
				for _, j := range with {
					c.s.Result(j.ordinal, record.Result{Status: "error", Message: "not run: an earlier message of the pipeline failed"})
				}
			case status != "":
				done.refused(status, rep)
			default:
				done.allowed()
			}
			c.commit()
			if c.wait == waitNone {
				c.work()
			}
		}
		if err != nil || res.State != hold.Used {
			status, rep := held(res, err, j)
			goOn(status, noted(rep, notice.Of(notice.Outcome(res, err), &j.d, h.Hold.ID, page)))
			return
		}
		c.lookAgain(with, again, goOn)
		c.commit()
	})
	detail := statement.Because(&j.d)
	if len(j.d.Approvers) > 0 {
		detail += " Approvers: " + strings.Join(j.d.Approvers, ", ") + "."
	}
	c.s.Respond(j.ordinal, wire.AppendNotice(nil, wire.Report{Severity: "NOTICE", Code: codeOK,
		Message: fmt.Sprintf("%s waits for approval as %s until %s", what(j), h.Hold.ID, h.Hold.Deadline.UTC().Format(time.RFC3339)),
		Detail:  detail + "\n" + notice.Of(notice.Held, &j.d, h.Hold.ID, page).Line(),
		Hint:    "An approver can run: dragoman approvals approve " + h.Hold.ID}))
}

// inner are the texts of the statements that the actions run by name: who approves an EXECUTE sees what it
// executes, and approves that.
func inner(list ...*judged) string {
	var b strings.Builder
	for _, j := range list {
		for st := j.st; st.Inner != nil && st.Effects&runsOther != 0; st = st.Inner {
			fmt.Fprintf(&b, "\n-- %s is:\n%s", st.Name, st.Inner.Action.Text)
		}
	}
	return b.String()
}

// held is the status and the error for a hold that did not let the action run.
func held(res check.HoldResponse, err error, j *judged) (string, wire.Report) {
	name := what(j)
	switch {
	case err != nil:
		return "withdrawn", refusal(codePrivilege, name+" could not be held for approval", statement.Because(&j.d),
			"The authorization service does not answer; try again later.")
	case res.State == hold.Denied:
		return "denied", refusal(codePrivilege, name+" was denied", statement.OrElse(res.Message, statement.Denials(res.Decisions))+" "+statement.Because(&j.d), statement.Hint(&j.d))
	case res.State == hold.Expired:
		return "expired", refusal(codePrivilege, "nobody approved "+name+" in time", statement.Because(&j.d), "Send it again and ask an approver to look at it.")
	case res.State == hold.Withdrawn:
		return "withdrawn", refusal(codeCancelled, "canceling statement due to user request", "The hold was withdrawn.", "")
	}
	return "denied", refusal(codePrivilege, name+" was not approved", statement.Because(&j.d), statement.Hint(&j.d))
}
