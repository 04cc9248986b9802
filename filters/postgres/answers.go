package postgres

import (
	"dragoman.dev/dragoman/internal/action"
	"time"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/sql"
)

// answer is the state of the target's side.
type answer struct {
	drop       bool   // the rest of a long message is not for the client
	action     uint64 // that the rest of a long message belongs to
	copyAction uint64 // that a COPY from the client belongs to
	rows       rowsState
}

// onAnswer takes the target's bytes.
func (c *conn) onAnswer(b []byte) {
	c.server.Feed(b)
	for c.state == stReady || c.state == stLoading {
		m, ok, err := c.server.Next()
		if err != nil {
			c.badAnswer(err.Error())
			return
		}
		if !ok {
			break
		}
		if !c.answered(&m) {
			return
		}
	}
	c.commit()
	if c.state == stReady {
		c.settled()
	}
}

// badAnswer ends the session: what the target sent cannot be understood, so
// nothing that follows could be masked.
func (c *conn) badAnswer(why string) {
	c.t.rt.Log().Error("message of the target", "target", c.cfg.Target.Name, "error", why)
	c.endSession("protocol", fatal(codeProtocol, "the target sent a message that the gateway does not understand", "", ""))
}

// answered handles one message of the target, or a piece of one; false means that the session has ended.
func (c *conn) answered(m *wire.Piece) bool {
	if !m.First {
		return c.answeredMore(m)
	}
	switch m.Type {
	case wire.NoticeResponse:
		c.report(m, nil)
		return true
	case wire.ParameterStatus, wire.NotificationResponse:
		c.respondAside(m)
		return true
	case wire.ErrorResponse:
		return c.failed(m)
	}
	e := c.relay.queue.front()
	if e == nil {
		c.badAnswer("an answer to nothing")
		return false
	}
	if e.internal && c.relay.job != nil && e.portal == nil {
		return c.jobAnswer(e, m)
	}
	ok := false
	switch e.kind {
	case eQuery, eExecute:
		ok = c.resultAnswer(e, m)
	case eParse:
		ok = m.Type == wire.ParseComplete && c.complete(e, m)
	case eBind:
		ok = m.Type == wire.BindComplete && c.complete(e, m)
	case eClose:
		ok = m.Type == wire.CloseComplete && c.complete(e, m)
	case eDescribe:
		ok = c.described(e, m)
	case eSync:
		ok = m.Type == wire.ReadyForQuery && c.syncAnswer(e, m)
	case eFunction:
		ok = c.functionAnswer(e, m)
	}
	if !ok && c.state != stClosed {
		c.badAnswer("message " + string(rune(m.Type)) + " out of turn")
	}
	return ok && c.state != stClosed
}

// complete is the one-message answer to an entry.
func (c *conn) complete(e *entry, m *wire.Piece) bool {
	r := &c.relay
	r.confirm(e, 0)
	c.s.Respond(e.action, m.Raw)
	r.queue.pop()
	c.inject()
	return true
}

// syncAnswer is ReadyForQuery.
func (c *conn) syncAnswer(_ *entry, m *wire.Piece) bool {
	if len(m.Body) != 1 {
		return false
	}
	c.relay.queue.pop()
	c.ready(m.Body[0], m.Raw)
	return true
}

// ready takes the transaction's state and passes it on.
func (c *conn) ready(tx byte, raw []byte) {
	r := &c.relay
	r.tx = tx
	if tx == wire.TxIdle {
		r.clearPortals()
		c.transactionEnded()
	}
	c.s.Respond(0, raw)
	c.inject()
}

// functionAnswer is what comes back from a FunctionCall.
func (c *conn) functionAnswer(e *entry, m *wire.Piece) bool {
	switch m.Type {
	case wire.FunctionCallResponse:
		run := e.runs[0]
		if run.plan != nil && run.plan.HasColumns() {
			return false // judged as unknown under masks, so it is never here
		}
		run.bytes += m.Len
		c.relay.answer.action, c.relay.answer.drop = e.action, false
		c.s.Respond(e.action, m.Raw)
		return true
	case wire.ReadyForQuery:
		c.finish(e.runs[0], "ok", "", "", "")
		c.afterRun(e.runs[0])
		return c.syncAnswer(e, m)
	}
	return false
}

// resultAnswer is part of the result of a simple Query or an Execute.
func (c *conn) resultAnswer(e *entry, m *wire.Piece) bool {
	run := c.currentRun(e)
	switch m.Type {
	case wire.ReadyForQuery:
		return e.kind == eQuery && c.queryDone(e, m)
	case wire.RowDescription:
		return e.kind == eQuery && run != nil && c.rowDescription(e, run, m)
	case wire.DataRow:
		return run != nil && c.dataRow(e, run, m)
	case wire.CopyData:
		return run != nil && c.copyOut(e, run, m)
	case wire.CopyDone:
		return run != nil && c.copyOutDone(e, run, m)
	case wire.CopyInResponse, wire.CopyOutResponse, wire.CopyBothResponse:
		return run != nil && c.copyBegins(e, run, m)
	case wire.CommandComplete, wire.EmptyQuery, wire.PortalSuspended:
		return c.runDone(e, run, m)
	}
	return false
}

// currentRun is the run whose result comes; nil when the target answers more than was asked.
func (c *conn) currentRun(e *entry) *run {
	if e.kind == eExecute {
		return e.portal.run
	}
	if e.at < len(e.runs) {
		return e.runs[e.at]
	}
	return nil
}

// runDone is the end of one statement's result.
func (c *conn) runDone(e *entry, run *run, m *wire.Piece) bool {
	r := &c.relay
	if m.Type == wire.PortalSuspended && e.kind != eExecute {
		return false
	}
	c.s.Respond(e.action, m.Raw)
	r.answer.rows.reset()
	c.copyEnds()
	if m.Type == wire.PortalSuspended {
		r.confirm(e, 0)
		r.queue.pop()
		c.inject()
		return true
	}
	r.confirm(e, e.at)
	if run != nil {
		tag, _ := wire.CommandTag(m.Body)
		c.finish(run, "ok", "", "", string(tag))
		c.afterRun(run)
	} else if m.Type != wire.EmptyQuery {
		return false // a statement that was not judged
	}
	if run != nil && !run.st.Action.Has(action.FeatureUnparsed) {
		e.at++ // of a text that cannot be parsed, nobody knows how many statements it has
	}
	for _, next := range e.runs[min(e.at, len(e.runs)):] {
		c.takesCopy(next.st)
	}
	if e.kind == eExecute {
		r.queue.pop()
		c.inject()
	}
	return true
}

// queryDone is the ReadyForQuery of a simple Query.
func (c *conn) queryDone(e *entry, m *wire.Piece) bool {
	c.copyEnds()
	for ; e.at < len(e.runs); e.at++ {
		c.finish(e.runs[e.at], "ok", "", "", "")
	}
	return c.syncAnswer(e, m)
}

// respondAside passes what comes at any time and belongs to no message.
func (c *conn) respondAside(m *wire.Piece) {
	a := &c.relay.answer
	a.action, a.drop = 0, false
	raw := m.Raw
	if p := c.relay.plan; !p.Empty() {
		if !m.Whole() {
			a.drop = true // its end could not be looked at
			return
		}
		raw = scrubAside(p, m)
	}
	c.s.Respond(0, raw)
}

// unsettling reports whether a statement may change what later names mean.
func (c *conn) unsettling(st *sql.Statement) bool {
	const always = sql.EffectNames | sql.EffectCatalog | sql.EffectOpaque
	if st.Effects&always != 0 {
		return true
	}
	return c.relay.txNames && st.Effects&sql.EffectEnd != 0 || st.Inner != nil && st.Effects&sql.EffectExecute != 0 && c.unsettling(st.Inner)
}

// afterRun takes the effects of a statement that has run.
func (c *conn) afterRun(run *run) {
	r := &c.relay
	eff := run.st.Effects
	if run.source != run.st && run.source != nil {
		eff |= run.source.Effects
	}
	if eff&(sql.EffectNames|sql.EffectOpaque) != 0 {
		r.namesDirty, r.txNames = true, true
	}
	if eff&sql.EffectCatalog != 0 {
		r.ddl, r.namesDirty, r.txNames = true, true, true
		c.stale = true
	}
	if eff&sql.EffectEnd != 0 && r.txNames {
		r.namesDirty = true
	}
}

func durationSince(now time.Time, unixNano int64) time.Duration {
	return now.Sub(time.Unix(0, unixNano))
}
