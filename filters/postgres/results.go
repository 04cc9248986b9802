package postgres

import (
	"bytes"

	"dragoman.dev/dragoman/filters/postgres/rows"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/sql"
)

// columns is what masks each column of a result, and the format of each.
type columns struct {
	maskers rows.Columns
	formats []int16
	any     bool
}

// whole are those that are masked whatever their values, as record.Result names them.
func (c *columns) whole() string {
	if c == nil {
		return ""
	}
	return mask.WholeColumns(len(c.maskers), func(i int) *mask.Masker { return c.maskers[i] })
}

// shape is what the target said of a prepared statement's result: as a
// RowDescription's body, or that there are no rows.
type shape struct {
	body []byte
	none bool
	// cols are the columns made of it for a plan and names.
	cols *columns
	plan *mask.Plan
	env  *env
}

// rowsState is where in a result's data the target is.
type rowsState struct {
	row  *rows.RowStream  // a row that comes in pieces
	copy *rows.CopyStream // a masked COPY to the client
}

func (s *rowsState) reset() { *s = rowsState{} }

// known reports whether it is known what a portal returns under its plan.
func (po *portal) known(c *conn) bool {
	pr := po.prepared
	return pr != nil && pr.shape != nil && pr.env == c.env && pr.st == po.st
}

// columnsOf makes the columns of a RowDescription for a run.
func (c *conn) columnsOf(run *run, body []byte) (*columns, error) {
	var stack [16]wire.Column
	desc, err := wire.DecodeRowDescription(stack[:0], body)
	if err != nil {
		return nil, err
	}
	out := &columns{formats: make([]int16, len(desc))}
	for i := range desc {
		out.formats[i] = desc[i].Format
	}
	if run.plan.Empty() {
		return out, nil
	}
	out.maskers = make(rows.Columns, len(desc))
	outputs := run.source.Outputs
	for i := range desc {
		d := &desc[i]
		var o sql.Output
		if len(outputs) == len(desc) {
			o = outputs[i]
		} else {
			o.Unknown = true
		}
		out.maskers[i] = c.masker(run.plan, o, d)
	}
	out.any = out.maskers.Any()
	return out, nil
}

// masker combines what the statement and what the target say of a column's origin: if
// either knows of a masked one, the value is masked.
func (c *conn) masker(plan *mask.Plan, o sql.Output, d *wire.Column) *mask.Masker {
	cols, direct, unknown := o.Origins, o.Direct, o.Unknown
	if d.Table != 0 && d.Attr >= 0 { // a system column holds nothing of what is masked
		from, ok := c.env.column(d.Table, d.Attr)
		if !ok {
			unknown = true
			c.stale = c.stale || c.db.look(c.now())
		}
		if len(from) > 0 {
			cols = append(append([]sql.Column(nil), cols...), from...)
		}
	}
	return plan.Masker(cols, direct, unknown, c.env.maskType(d.Type, d.Mod))
}

// rowDescription is the head of a result of a simple Query.
func (c *conn) rowDescription(e *entry, run *run, m *wire.Piece) bool {
	if run.plan != nil {
		cols, err := c.columnsOf(run, m.Body)
		if err != nil {
			return false
		}
		run.columns = cols
	}
	c.s.Respond(e.action, m.Raw)
	return true
}

// described is part of the answer to a Describe.
func (c *conn) described(e *entry, m *wire.Piece) bool {
	switch m.Type {
	case wire.ParameterDescription:
		oids, err := wire.DecodeParameterDescription(m.Body)
		if err != nil || e.portal != nil {
			return false
		}
		if e.prepared != nil {
			e.prepared.oids = oids
		}
		c.s.Respond(e.action, m.Raw)
		return true
	case wire.RowDescription, wire.NoData:
	default:
		return false
	}
	if !c.keepShape(e, m) {
		return false
	}
	if !e.internal {
		c.s.Respond(e.action, m.Raw)
	}
	c.relay.queue.pop()
	c.inject()
	return true
}

// keepShape notes what a statement or portal returns.
func (c *conn) keepShape(e *entry, m *wire.Piece) bool {
	none := m.Type == wire.NoData
	pr := e.prepared
	if po := e.portal; po != nil {
		pr = po.prepared
		if po.run != nil && po.run.plan != nil && !none {
			if sh := po.shape(c); sh != nil && sh.cols != nil && sh.plan == po.run.plan && sh.env == c.env && bytes.Equal(sh.body, m.Body) {
				po.run.columns = sh.cols
				return true
			}
			cols, err := c.columnsOf(po.run, m.Body)
			if err != nil {
				return false
			}
			po.run.columns = cols
		}
	}
	if pr == nil || pr.bySQL {
		return true
	}
	if sh := pr.shape; sh == nil || sh.none != none || !bytes.Equal(sh.body, m.Body) {
		pr.shape = &shape{body: bytes.Clone(m.Body), none: none}
	}
	if po := e.portal; po != nil && po.run != nil && po.run.columns != nil {
		pr.shape.cols, pr.shape.plan, pr.shape.env = po.run.columns, po.run.plan, c.env
	}
	return true
}

func (po *portal) shape(*conn) *shape {
	if po.prepared == nil {
		return nil
	}
	return po.prepared.shape
}

// runColumns gives the columns of a run whose rows come, making them of the
// statement's description when the portal itself was not described.
func (c *conn) runColumns(e *entry, run *run) *columns {
	if run.columns != nil || e.portal == nil {
		return run.columns
	}
	sh := e.portal.shape(c)
	if sh == nil || sh.none {
		return nil
	}
	if sh.cols != nil && sh.plan == run.plan && sh.env == c.env && sameFormats(sh.cols.formats, e.portal.formats) {
		run.columns = sh.cols
		return run.columns
	}
	cols, err := c.columnsOf(run, sh.body)
	if err != nil {
		return nil
	}
	// A statement's description has no formats: the Bind says them.
	for i := range cols.formats {
		cols.formats[i] = wire.Format(e.portal.formats, i)
	}
	sh.cols, sh.plan, sh.env = cols, run.plan, c.env
	run.columns = cols
	return cols
}

func sameFormats(have []int16, codes []byte) bool {
	for i, f := range have {
		if f != wire.Format(codes, i) {
			return false
		}
	}
	return true
}

// dataRow is one row, or the first piece of one.
func (c *conn) dataRow(e *entry, run *run, m *wire.Piece) bool {
	run.rows++
	a := &c.relay.answer
	a.action, a.drop = e.action, false
	if run.plan == nil {
		run.bytes += m.Len
		c.s.Respond(e.action, m.Raw)
		return true
	}
	cols := c.runColumns(e, run)
	if cols == nil {
		return false
	}
	if !cols.any {
		run.bytes += m.Len
		c.s.Respond(e.action, m.Raw)
		return true
	}
	if !m.Whole() {
		stream, err := rows.NewRowStream(int(m.Len), cols.formats, cols.maskers, rows.Limits{})
		if err != nil {
			return false
		}
		a.rows.row, run.shown = stream, cols
		return c.rowPiece(e, run, m)
	}
	dst := c.scratch()
	out, masked, err := rows.RewriteDataRow(dst, m.Body, cols.formats, cols.maskers)
	if err != nil {
		return false
	}
	raw := m.Raw
	if masked > 0 {
		raw = out[len(dst):]
		c.buffer = out
		run.shown = cols
	}
	run.masked += int64(masked)
	run.bytes += int64(len(raw))
	c.s.Respond(e.action, raw)
	return true
}

// rowPiece is a piece of a long row that is masked.
func (c *conn) rowPiece(e *entry, run *run, m *wire.Piece) bool {
	a := &c.relay.answer
	dst := c.scratch()
	out, masked, err := a.rows.row.Write(dst, m.Body)
	if err != nil {
		return false
	}
	c.buffer = out
	run.masked += int64(masked)
	run.bytes += int64(len(out) - len(dst))
	c.s.Respond(e.action, out[len(dst):])
	if m.Last {
		a.rows.row = nil
	}
	return true
}

// answeredMore is a later piece of a long message of the target.
func (c *conn) answeredMore(m *wire.Piece) bool {
	a := &c.relay.answer
	if a.drop {
		return true
	}
	e := c.relay.queue.front()
	if e != nil && e.internal && c.relay.job != nil {
		return c.jobPiece(m)
	}
	if e != nil && (m.Type == wire.DataRow && a.rows.row != nil || m.Type == wire.CopyData && a.rows.copy != nil) {
		run := c.currentRun(e)
		ok := false
		if run != nil && m.Type == wire.DataRow {
			ok = c.rowPiece(e, run, m)
		} else if run != nil {
			ok = c.copyOut(e, run, m)
		}
		if !ok {
			c.badAnswer("row data")
		}
		return ok
	}
	if e != nil {
		if run := c.currentRun(e); run != nil {
			run.bytes += int64(len(m.Raw))
		}
	}
	c.s.Respond(a.action, m.Raw)
	return true
}
