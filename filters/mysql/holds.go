package mysql

import (
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/policy"
)

// holding is a message that waits for people. The protocol has no way to tell the client: it waits, the hold is in the record
// and in the list of approvals, and its id in the error when it fails.
type holding struct {
	what    string // kind of message, part of what is approved
	text    string
	exact   [][]byte // what else is approved: statement, parameters
	again   func() []*judged
	forward func()
}

// holdAll keeps a message until people have decided about it as a whole: once for each rule that holds a statement of
// it, since their approvers may differ.
func (c *conn) holdAll(list, held []*judged, h holding) {
	for _, j := range list {
		c.announce(j)
	}
	var next func(i int)
	next = func(i int) {
		for i < len(held) && i > 0 && sameHold(&held[i].d, held[:i]) {
			i++
		}
		if i == len(held) {
			h.forward()
			return
		}
		c.hold(list, held[i], h, func() { next(i + 1) })
	}
	next(0)
}

func (c *conn) hold(list []*judged, j *judged, h holding, allowed func()) {
	c.wait = waitHold
	names := innerTexts(list)
	act := j.action
	act.Text = h.text + names
	parts := append([][]byte{[]byte(h.what), []byte(h.text), []byte(names)}, h.exact...)
	page, mode := c.s.Opened().Page, c.mode.SQLMode
	var held *session.Held
	held = c.s.Hold(session.Holding{Ordinal: j.ordinal, Action: act, Digest: statement.Digest(parts...), Decision: statement.OnceOnly(j.d, len(list) != 1 || names != ""), Timeout: c.cfg.Limits.HoldTimeout, SQLMode: &mode},
		func(res check.HoldResponse, err error) {
			if c.state != stReady || c.wait != waitHold {
				return
			}
			c.wait = waitNone
			if err != nil || res.State != hold.Used {
				status, e := notApproved(res, err, j, held.Hold.ID)
				c.refuseAll(list, j, status, noted(e, notice.Of(notice.Outcome(res, err), &j.d, held.Hold.ID, page)))
				c.commit()
				c.work()
				return
			}
			c.lookAgain(list, h, allowed)
		})
}

// lookAgain judges an approved message as names are now: an approval is bound to what was shown.
func (c *conn) lookAgain(list []*judged, h holding, allowed func()) {
	was := c.env()
	c.namesDirty = true
	c.stale = true
	c.prepareNames(func() {
		if c.state != stReady {
			return
		}
		if h.again != nil && c.env() != was {
			now := h.again()
			for i, j := range list {
				if len(now) != len(list) || !sameMeaning(j, now[i]) {
					c.refuseAll(list, j, "blocked", denied(statement.What(&j.st.Action)+" was approved, but the schema has changed while it waited",
						"rule: approval. The approval is bound to what was shown; the statement means something else now.", "Send it again, so that it is looked at as it is."))
					c.commit()
					c.work()
					return
				}
				if now[i].d.Verdict == policy.Block {
					c.refuseAll(list, j, "blocked", blocked(now[i]))
					c.commit()
					c.work()
					return
				}
				j.st, j.action, j.d, j.plan = now[i].st, now[i].action, now[i].d, now[i].plan
			}
		}
		if no, ok := c.stands(list); !ok {
			c.refuseAll(list, no, "blocked", blocked(no))
		} else {
			allowed()
		}
		c.commit()
		c.work()
	})
	c.commit()
}

// notApproved is the status and the error for a hold that did not let the action run.
func notApproved(res check.HoldResponse, err error, j *judged, id string) (string, *wire.Error) {
	name := statement.What(&j.st.Action)
	because := statement.Because(&j.d) + " hold: " + id
	switch {
	case err != nil:
		return "withdrawn", denied(name+" could not be held for approval", because, "The authorization service does not answer; try again later.")
	case res.State == hold.Denied:
		return "denied", denied(name+" was denied", statement.OrElse(res.Message, statement.Denials(res.Decisions))+" "+because, statement.Hint(&j.d))
	case res.State == hold.Expired:
		return "expired", denied("nobody approved "+name+" in time", because, "Send it again and ask an approver to look at it.")
	case res.State == hold.Withdrawn:
		return "withdrawn", &wire.Error{Number: errInterrupted, State: stateCancelled, Message: "Query execution was interrupted: the hold was withdrawn"}
	}
	return "denied", denied(name+" was not approved", because, statement.Hint(&j.d))
}
