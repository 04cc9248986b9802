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
		if end.Status&wire.StatusOutParams != 0 {
			// MySQL says that more follows here only, not behind the row (its send_out_parameters).
			a.more = end.Status & wire.StatusMoreResults
		}
		if end.Status&wire.StatusCursorExists != 0 && r.com == wire.ComStmtExecute {
			c.resultDone(r, end)
		}
		return true
	case phRows:
		if end, is := c.terminator(m); is {
			c.forward(r, m)
			end.Status |= a.more
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
	r.answer = answer{phase: phColumns, left: int(n), drop: r.answer.drop, known: c.knownHead(run, int(n))}
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

// fetches prepares for the rows of a cursor, which are masked by the policy of now.
func (c *conn) fetches(r *command) {
	r.answer.phase = phRows
	run := r.runs[0]
	if h := run.head; h != nil && (h.plan != run.plan || h.env != c.env()) {
		run.head = c.newHead(run, h.defs)
	}
}

// row is one row, or the first piece of one.
func (c *conn) row(r *command, m *wire.Piece) bool {
	run := r.current()
	if run == nil || run.head == nil {
		return false
	}
	r.answer.skip = false
	if r.answer.drop || !run.head.any {
		run.rows++
		c.forward(r, m)
		return true
	}
	if !m.Whole() || len(m.Raw) != len(m.Body)+4 { // of several packets
		run.rows++
		r.answer.skip = true
		c.tooLongRow(r)
		return true
	}
	return c.maskedRows(r, run, m.Raw)
}

// rowsAtOnce takes the rows that are there as a whole; false means that the session has ended.
func (c *conn) rowsAtOnce(r *command) bool {
	run := r.current()
	if c.job != nil || r.answer.phase != phRows || run == nil || run.head == nil || r.answer.drop {
		return true
	}
	raw, n, end := c.server.Rows()
	if n == 0 {
		return true
	}
	c.seq, r.answer.skip = end+1, false
	if run.head.any {
		if !c.maskedRows(r, run, raw) {
			c.badAnswer("a row")
			return false
		}
		return true
	}
	run.rows += int64(n)
	run.bytes += int64(len(raw))
	c.s.Respond(r.action, raw)
	return true
}

// maskedRows masks rows of one packet each.
func (c *conn) maskedRows(r *command, run *run, raw []byte) bool {
	rewrite := rows.Text
	if r.com != wire.ComQuery {
		rewrite = rows.Binary
	}
	out, total := c.scratch(), 0
	from, all := len(out), raw
	for len(raw) > 0 {
		end := 4 + (int(raw[0]) | int(raw[1])<<8 | int(raw[2])<<16)
		at := len(out)
		with, masked, err := rewrite(append(out, raw[:4]...), raw[4:end], run.head.cols)
		size := len(with) - at - 4
		if err != nil || size >= wire.MaxPacket {
			return false // not understood, or a mask has made it longer than a packet
		}
		with[at], with[at+1], with[at+2] = byte(size), byte(size>>8), byte(size>>16)
		out, raw = with, raw[end:]
		total += masked
		run.rows++
	}
	if total == 0 {
		run.bytes += int64(len(all))
		c.s.Respond(r.action, all)
		return true
	}
	run.masked += int64(total)
	run.bytes += int64(len(out) - from)
	*c.buffer = out
	c.s.Respond(r.action, out[from:])
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
