package mysql

import (
	"strconv"

	"dragoman.dev/dragoman/filters/mysql/rows"
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
	drop  bool // the rest of the result is not for the client
	skip  bool // the rest of a long message is not for the client
	cols  int  // columns that follow the parameters
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

// resultAnswer is part of a result.
func (c *conn) resultAnswer(r *command, m *wire.Piece) bool {
	a := &r.answer
	switch a.phase {
	case phHead:
		return m.Whole() && c.resultHead(r, m)
	case phColumns:
		return m.Whole() && c.column(r, m)
	case phColumnsEnd:
		end, err := wire.DecodeEOF(m.Body)
		if !m.Whole() || err != nil {
			return false
		}
		c.forward(r, m)
		a.phase = phRows
		if end.Status&wire.StatusCursorExists != 0 && r.com == wire.ComStmtExecute {
			c.resultDone(r, end)
		}
		return true
	case phRows:
		if end, is := c.terminator(m); is {
			c.forward(r, m)
			c.resultDone(r, end)
			return true
		}
		return c.row(r, m)
	}
	return false
}

// terminator reports whether a message ends rows, and what it says.
func (c *conn) terminator(m *wire.Piece) (wire.OK, bool) {
	if !m.Whole() || len(m.Body) == 0 || m.Body[0] != wire.HeadEOF {
		return wire.OK{}, false
	}
	if c.caps&wire.CapDeprecateEOF != 0 {
		ok, err := wire.DecodeOK(m.Body)
		return ok, err == nil
	}
	ok, err := wire.DecodeEOF(m.Body)
	return ok, err == nil
}

// resultHead is the first packet of a result.
func (c *conn) resultHead(r *command, m *wire.Piece) bool {
	run := r.current()
	switch m.Body[0] {
	case wire.HeadOK:
		ok, err := wire.DecodeOK(m.Body)
		if err != nil {
			return false
		}
		c.forward(r, m)
		if run != nil {
			run.rows = int64(ok.Affected)
		}
		c.resultDone(r, ok)
		return true
	case wire.HeadInfile:
		return c.infile(r, run, m)
	}
	n, rest, err := wire.Lenenc(m.Body)
	if err != nil || n == 0 || n > 1<<16 || len(rest) != 0 || run == nil {
		return false
	}
	c.forward(r, m)
	r.answer = answer{phase: phColumns, left: int(n), drop: r.answer.drop}
	return true
}

// infile is the target's wish for a file of the client. It is passed on only when the statement was judged as one that
// sends a file: a target could otherwise have any file of the client's.
func (c *conn) infile(r *command, run *run, m *wire.Piece) bool {
	if run == nil || !run.action.Has("client_file") || r.com != wire.ComQuery {
		return false
	}
	c.forward(r, m)
	r.infile = true
	if len(c.in) > 0 {
		in := c.in
		c.in = nil
		c.take(in)
	}
	return true
}

// column is a definition of a result's column.
func (c *conn) column(r *command, m *wire.Piece) bool {
	a := &r.answer
	def, err := wire.DecodeColumn(m.Body)
	if err != nil {
		return false
	}
	a.defs = append(a.defs, def)
	c.forward(r, m)
	if a.left--; a.left > 0 {
		return true
	}
	a.phase = phColumnsEnd
	if c.caps&wire.CapDeprecateEOF != 0 {
		a.phase = phRows
	}
	if run := r.current(); run != nil {
		run.cols, run.defs = c.columnsOf(run, a.defs), a.defs
	}
	return true
}

// fetches prepares for the rows of a cursor, which are masked by the policy of now.
func (c *conn) fetches(r *command) {
	r.answer.phase = phRows
	run := r.runs[0]
	run.cols = c.columnsOf(run, run.defs)
}

// row is one row, or the first piece of one.
func (c *conn) row(r *command, m *wire.Piece) bool {
	run := r.current()
	if run == nil {
		return false
	}
	run.rows++
	r.answer.skip = false
	if r.answer.drop || !rows.Any(run.cols) {
		c.forward(r, m)
		return true
	}
	if !m.Whole() {
		r.answer.skip = true
		c.tooLongRow(r)
		return true
	}
	rewrite := rows.Text
	if r.com != wire.ComQuery {
		rewrite = rows.Binary
	}
	body, masked, err := rewrite(nil, m.Body, run.cols)
	if err != nil {
		return false
	}
	run.masked += int64(masked)
	if masked == 0 {
		c.forward(r, m)
		return true
	}
	if len(body) >= wire.MaxPacket {
		return false // a mask has made it longer than a packet
	}
	from := len(c.buffer)
	c.buffer, _ = wire.AppendPacket(c.buffer, m.Seq, body)
	run.bytes += int64(len(c.buffer) - from)
	c.s.Respond(r.action, c.buffer[from:])
	return true
}

// tooLongRow puts an error in the place of a row that is too long to be masked, and of all that follow.
func (c *conn) tooLongRow(r *command) {
	e := &wire.Error{Number: errTooLarge, State: stateConnection, Message: "a row is too long to be masked (rule: row_size.) Hint: select less of it, or leave masked columns out"}
	c.s.Respond(r.action, c.say(e))
	r.answer.drop = true
	for _, run := range r.runs {
		c.finish(run, "error", e.State, e.Message, "")
	}
}

// resultDone is the end of one result.
func (c *conn) resultDone(r *command, end wire.OK) {
	c.status = end.Status
	run := r.current()
	if p := r.prepared; p != nil && r.com == wire.ComStmtExecute {
		p.cursor, p.long = nil, nil
		if end.Status&wire.StatusCursorExists != 0 {
			p.cursor = run
		}
	}
	r.answer = answer{drop: r.answer.drop}
	if end.Status&wire.StatusMoreResults == 0 {
		for _, left := range r.runs[r.at:] { // more than one only when the target made something else of the text
			c.runOver(left)
		}
		c.over(r, true)
		return
	}
	switch {
	case run == nil:
	case r.at+1 < len(r.runs) && !opaque(run):
		c.runOver(run)
		r.at++
	default:
		run.extra = true // a procedure's next result, or one that was not looked for
	}
}

// runOver is the end of a statement that has run.
func (c *conn) runOver(r *run) {
	c.finish(r, "ok", "", "", strconv.FormatInt(r.rows, 10))
	c.afterRun(r)
}

// opaque reports whether a statement may give any number of results.
func opaque(r *run) bool { return r.st.Effects&sql.EffectOpaque != 0 }

// afterRun takes the effects of a statement that has run.
func (c *conn) afterRun(r *run) {
	eff := r.st.Effects
	if !warnings(r) {
		c.lastClean = r.plan.Empty() || c.clean(r, r.plan)
	}
	if eff&(sql.EffectNames|sql.EffectOpaque) != 0 {
		c.namesDirty = true
	}
	if eff&(sql.EffectCatalog|sql.EffectOpaque) != 0 {
		if r.st.Name != "" && r.action.Has("temporary") {
			c.newTemp = append(c.newTemp, r.action.Writes[0].Schema+"\x00"+r.st.Name)
		} else {
			c.t.catalog.changed()
			for _, t := range c.temps { // it may have gone, or changed
				c.newTemp = append(c.newTemp, t.DB+"\x00"+t.Name)
			}
		}
	}
	if eff&sql.EffectExecute != 0 {
		return
	}
	c.named(r.st)
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
	if run != nil && run.st.Effects&(sql.EffectOpaque|sql.EffectCatalog) != 0 {
		c.namesDirty = true
		c.t.catalog.changed() // part of it may have been done
	}
	if r.prepared != nil {
		r.prepared.long = nil
	}
	c.over(r, false)
}

// prepareAnswer is part of the answer to COM_STMT_PREPARE.
func (c *conn) prepareAnswer(r *command, m *wire.Piece) bool {
	if !m.Whole() {
		return false
	}
	a := &r.answer
	eof := c.caps&wire.CapDeprecateEOF == 0
	switch a.phase {
	case phHead:
		ok, err := wire.DecodePrepared(m.Body)
		if err != nil {
			return false
		}
		p := r.prepared
		p.id, p.params = ok.ID, ok.Params
		c.prepared[p.id], c.last = p, p.id
		a.left, a.cols = ok.Params, ok.Columns
		a.phase = phParams
		c.forward(r, m)
		c.prepareNext(r, eof)
		return true
	case phParams, phColumns:
		if _, err := wire.DecodeColumn(m.Body); err != nil {
			return false
		}
		a.left--
		c.forward(r, m)
		if a.left > 0 {
			return true
		}
		if eof {
			a.phase++ // the EOF behind parameters or columns
			if a.phase == phRows {
				a.phase = phColumnsEnd
			}
			return true
		}
	case phParamsEnd, phColumnsEnd:
		if _, err := wire.DecodeEOF(m.Body); err != nil {
			return false
		}
		c.forward(r, m)
	default:
		return false
	}
	switch a.phase {
	case phParams, phParamsEnd:
		a.phase, a.left, a.cols = phColumns, a.cols, 0
		if a.left == 0 {
			c.over(r, true)
		}
	default:
		c.over(r, true)
	}
	return true
}

// prepareNext goes to what follows the head.
func (c *conn) prepareNext(r *command, _ bool) {
	a := &r.answer
	if a.left > 0 {
		return
	}
	a.phase, a.left = phColumns, a.cols
	if a.left == 0 {
		c.over(r, true)
	}
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
