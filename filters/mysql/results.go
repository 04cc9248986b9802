package mysql

import (
	"strconv"

	"dragoman.dev/dragoman/filters/mysql/rows"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/sql"
)

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
