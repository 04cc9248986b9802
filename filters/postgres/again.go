package postgres

import (
	"reflect"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/policy"
)

// The schema can change while an action waits for people: a view is replaced, a column renamed. An approval
// is bound to what was shown, so an approved action is looked at again before it goes to the
// target: when it means something else by now, it is refused.

// rejudge judges a held message anew, with the names of now; wait says that the analysis is still being
// made. Nil stands for a message whose meaning was fixed when it was bound.
type rejudge func() (list []*judged, wait bool)

// lookAgain calls done with the status and the error for actions that may not run any more, or with "".
func (c *conn) lookAgain(with []*judged, again rejudge, done func(status string, rep wire.Report)) {
	was := c.env
	finish := func() {
		if again != nil && c.env != was {
			list, wait := again()
			if wait {
				c.then = func() { c.lookAgain(with, again, done) }
				return
			}
			if no := c.takeAgain(with, list); no != nil {
				done("blocked", changedMeanwhile(no))
				return
			}
		}
		if no, ok := c.stands(with...); !ok {
			done("blocked", blocked(what(no), &no.d))
			return
		}
		done("", wire.Report{})
	}
	if again == nil || !c.mayAsk() {
		finish()
		return
	}
	if c.relay.queue.len() > 0 {
		c.waitFor(waitIdle)
		c.then = func() { c.refresh(finish) }
		return
	}
	c.refresh(finish)
}

// mayAsk reports whether a query of our own may go between the client's messages now: its Sync would end the
// implicit transaction of a pipeline, and with it portals.
func (c *conn) mayAsk() bool {
	r := &c.relay
	return r.tx != wire.TxFailed && !r.discard && !r.copyIn && !r.copyWait && (r.tx == wire.TxBlock && !r.ended || !r.bound && !r.executed)
}

// refresh compares names and catalog with the target's, however new they are.
func (c *conn) refresh(done func()) {
	r := &c.relay
	if c.state != stReady {
		return
	}
	if r.discard || r.tx == wire.TxFailed { // the client's messages have failed meanwhile
		done()
		return
	}
	if r.tx == wire.TxIdle {
		c.db.giveBack()
		c.prepareNames(done)
		return
	}
	c.runJob(versionQuery, func(value string, err error) {
		if err != nil {
			c.notPrepared("catalog's version", err, done)
			return
		}
		c.stale = c.stale || c.env == nil || value != c.env.version
		c.prepareNames(done)
	})
}

// takeAgain puts new judgements in the place of the old ones, if they are about the same; otherwise it
// gives the one that is not.
func (c *conn) takeAgain(with, list []*judged) *judged {
	for i, j := range with {
		if i >= len(list) || !sameMeaning(j, list[i]) {
			return j
		}
	}
	if len(list) != len(with) {
		return with[0]
	}
	for i, j := range with {
		if list[i].d.Verdict == policy.Block {
			return j
		}
		j.st, j.action, j.d, j.plan, j.moment, j.sheet = list[i].st, list[i].action, list[i].d, list[i].plan, list[i].moment, nil
	}
	return nil
}

// sameMeaning reports whether two analyses of one text found the same.
func sameMeaning(a, b *judged) bool {
	return reflect.DeepEqual(a.action.Features, b.action.Features) && statement.Same(a.st, b.st)
}

func changedMeanwhile(j *judged) wire.Report {
	return refusal(codePrivilege, what(j)+" was approved, but the schema has changed while it waited",
		"rule: approval. The approval is bound to what was shown; the statement means something else now.", "Send it again, so that it is looked at as it is.")
}
