package postgres

import "dragoman.dev/dragoman/filters/postgres/wire"

// failed is an ErrorResponse: it ends the message that it answers, and in the extended
// protocol all that follow it up to the Sync.
func (c *conn) failed(m *wire.Piece) bool {
	r := &c.relay
	if sev := wire.Field(m.Body, wire.FieldSeverityRaw); string(sev) == "FATAL" || string(sev) == "PANIC" {
		c.report(m, nil)
		c.fatal = true
		return true
	}
	e := r.queue.front()
	if e == nil {
		c.report(m, nil)
		return true
	}
	if e.internal && r.job != nil && e.portal == nil {
		r.job.failed = string(wire.Field(m.Body, wire.FieldMessage))
		c.skipToSync()
		return true
	}
	code := string(wire.Field(m.Body, wire.FieldCode))
	if e.kind == eAbort {
		c.s.Respond(e.action, e.inject)
		c.skipToSync()
		return true
	}
	c.report(m, e)
	if e.kind == eQuery || e.kind == eFunction {
		c.failRuns(e, code)
		return true // ReadyForQuery follows
	}
	if e.portal != nil {
		c.finish(e.portal.run, "error", code, "", "")
	}
	r.copyIn, r.copyWait = false, false
	c.skipToSync()
	return true
}

// failRuns ends the runs of a simple Query of which one failed.
func (c *conn) failRuns(e *entry, code string) {
	c.copyEnds()
	for i := e.at; i < len(e.runs); i++ {
		message := ""
		if i > e.at {
			message = "not run: an earlier statement of the message failed"
		}
		c.finish(e.runs[i], "error", code, message, "")
	}
	c.relay.undo(e)
	c.relay.namesDirty = c.relay.namesDirty || c.relay.txNames
	e.at = len(e.runs)
	c.relay.answer.rows.reset()
}

// skipToSync drops the entries of what the target skips after an error in the extended protocol: everything
// up to a Sync, simple queries included. When the Sync has not come yet, what
// the client sends up to it is not passed on.
func (c *conn) skipToSync() {
	r := &c.relay
	n := 0
	for n < r.queue.len() && r.queue.at(n).kind != eSync {
		n++
	}
	missing := n == r.queue.len()
	for i := n - 1; i >= 0; i-- {
		e := r.queue.at(i)
		r.undo(e)
		for _, run := range e.runs {
			c.finish(run, "error", "", "not run: an earlier message of the pipeline failed", "")
		}
		if e.portal != nil {
			c.finish(e.portal.run, "error", "", "not run: an earlier message of the pipeline failed", "")
		}
	}
	for range n {
		r.queue.pop()
	}
	r.namesDirty = r.namesDirty || r.txNames
	r.answer.rows.reset()
	switch {
	case missing && r.copySync:
		c.s.Request(0, wire.AppendEmpty(nil, wire.Sync))
		r.queue.push(eSync, r.pipeline)
		c.endPipeline()
	case missing:
		r.open, r.discard = true, true
	}
	r.copySync = false
	c.inject()
}

// lose ends the runs that will get no result any more.
func (c *conn) lose(status, message string) {
	if c.s == nil || c.s.Ended() {
		return
	}
	q := &c.relay.queue
	c.left = c.left || q.len() > 0
	for i := range q.len() {
		e := q.at(i)
		for _, run := range e.runs {
			c.finish(run, status, "", message, "")
		}
		if e.portal != nil {
			c.finish(e.portal.run, status, "", message, "")
		}
	}
	q.truncate(0)
}
