package mysql

import (
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/sql"
)

// phase is where in an answer the target is.
type phase uint8

const (
	phHead       phase = iota // OK, ERR, a number of columns, or a file is asked for
	phColumns                 // definitions of columns
	phColumnsEnd              // EOF behind them
	phRows                    // rows, then EOF or OK
	phParams                  // definitions of parameters (COM_STMT_PREPARE)
	phParamsEnd
)

// answer is the state of the target's answer to a command.
type answer struct {
	phase phase
	left  int
	defs  []wire.Column
	raw   []byte // of the definitions, as far as they are kept
	known *head  // the result so far is as the last time
	more  uint16 // StatusMoreResults, when it was said before the rows
	at    int    // in known's definitions
	drop  bool   // the rest of the result is not for the client
	skip  bool   // the rest of a long message is not for the client
	cols  int    // columns that follow the parameters
}

// maxRow is the longest row that is masked; what is longer passes only where nothing is masked.
const maxRow = wire.MaxPacket

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
		if r := c.run; r != nil && !c.rowsAtOnce(r) {
			return
		}
	}
	c.server.Keeps()
	c.commit()
	if c.state == stReady && c.wait == waitNone {
		c.work()
	}
}

// badAnswer ends the session: what the target sent cannot be understood, so nothing that follows could be masked.
func (c *conn) badAnswer(why string) {
	c.t.rt.Log().Error("message of the target", "target", c.cfg.Target.Name, "error", why)
	c.endSession("protocol", broken("the target sent a message that the gateway does not understand"))
}

// answered handles one message of the target, or a piece of one; false means that the session has ended.
func (c *conn) answered(m *wire.Piece) bool {
	if c.job != nil {
		return c.jobAnswer(m)
	}
	r := c.run
	if r == nil {
		return c.unasked(m)
	}
	c.seq = m.End + 1
	if !m.First {
		if !r.answer.skip {
			c.forward(r, m)
		}
		return true
	}
	if len(m.Body) == 0 && r.answer.phase != phRows {
		c.badAnswer("an empty packet")
		return false
	}
	if m.Whole() && len(m.Body) > 0 && m.Body[0] == wire.HeadErr {
		c.failed(r, m)
		return c.state != stClosed
	}
	ok := false
	switch r.com {
	case wire.ComQuery, wire.ComStmtExecute, wire.ComStmtFetch:
		ok = c.resultAnswer(r, m)
	case wire.ComStmtPrepare:
		ok = c.prepareAnswer(r, m)
	case wire.ComFieldList:
		ok = c.fieldListAnswer(r, m)
	default:
		ok = m.Whole() && c.plainAnswer(r, m)
	}
	if !ok && c.state != stClosed {
		c.badAnswer("a packet out of turn")
	}
	return ok && c.state != stClosed
}

// unasked is what a target says without being asked: why it ends the connection.
func (c *conn) unasked(m *wire.Piece) bool {
	if m.Whole() && len(m.Body) > 0 && m.Body[0] == wire.HeadErr {
		if e, err := wire.DecodeError(m.Body); err == nil {
			c.endSession("target", &wire.Error{Number: e.Number, State: e.State, Message: c.scrub(&e, nil)})
			return false
		}
	}
	c.badAnswer("an answer to nothing")
	return false
}

// forward passes a message on as it is.
func (c *conn) forward(r *command, m *wire.Piece) {
	if r.answer.drop {
		return
	}
	if run := r.current(); run != nil {
		run.bytes += int64(len(m.Raw))
	}
	c.s.Respond(r.action, m.Raw)
}

// current is the run whose result comes.
func (r *command) current() *run {
	if r.at < len(r.runs) {
		return r.runs[r.at]
	}
	return nil
}

// plainAnswer is the one packet that answers a command.
func (c *conn) plainAnswer(r *command, m *wire.Piece) bool {
	if r.com != wire.ComStatistics {
		ok, err := wire.DecodeOK(m.Body)
		if m.Body[0] == wire.HeadEOF {
			ok, err = wire.DecodeEOF(m.Body)
			if err != nil {
				ok, err = wire.DecodeOK(m.Body)
			}
		}
		if err != nil {
			return false
		}
		c.status = ok.Status
	}
	c.forward(r, m)
	for _, run := range r.runs {
		c.finish(run, "ok", "", "", "")
	}
	c.over(r, true)
	return true
}

// over is the end of a command.
func (c *conn) over(r *command, ok bool) {
	c.run = nil
	if c.wait == waitAnswer {
		c.wait = waitNone
	}
	if r.done != nil {
		r.done(ok)
	}
}

// failed is an ERR packet: it ends the command.
func (c *conn) failed(r *command, m *wire.Piece) {
	e, err := wire.DecodeError(m.Body)
	if err != nil {
		c.badAnswer("an error that is not understood")
		return
	}
	run := r.current()
	c.lastClean = run == nil || run.plan.Empty() || c.clean(run, run.plan)
	if r.answer.drop {
		c.over(r, false)
		return
	}
	out := m.Raw
	if said := c.scrub(&e, run); said != e.Message {
		e.Message = said
		out, _ = wire.AppendPacket(nil, m.Seq, e.Append(nil))
	}
	c.s.Respond(r.action, out)
	for i := r.at; i < len(r.runs); i++ {
		message := ""
		if i > r.at {
			message = "not run: an earlier statement of the message failed"
		}
		c.finish(r.runs[i], "error", e.State, message, "")
	}
	// Part of it may have been done: SET of several variables stops at the one that fails.
	if run != nil && run.st.Effects&changesReading != 0 {
		c.namesDirty = true
	}
	if run != nil && run.st.Effects&(sql.EffectOpaque|sql.EffectCatalog) != 0 {
		c.t.catalog.changed()
	}
	if r.prepared != nil {
		r.prepared.long = nil
	}
	c.over(r, false)
}

// fieldListAnswer is part of the answer to COM_FIELD_LIST.
func (c *conn) fieldListAnswer(r *command, m *wire.Piece) bool {
	if !m.Whole() {
		return false
	}
	c.forward(r, m)
	if m.Body[0] != wire.HeadEOF || len(m.Body) > 64 {
		return true
	}
	for _, run := range r.runs {
		c.finish(run, "ok", "", "", "")
	}
	c.over(r, true)
	return true
}
