package mysql

import wire "dragoman.dev/dragoman/internal/mysqlwire"

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
