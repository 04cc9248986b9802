package mysql

import (
	"bytes"
	"slices"
	"sync"

	"dragoman.dev/dragoman/filters/mysql/rows"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/mask"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// remembered is what a session keeps of a statement that it has run, for when it runs again: analyses are shared
// (mysql.Analyzer), so the same text has the same one.
type remembered struct {
	st    *sql.Statement
	sheet *statement.Sheet
	head  *head
}

// head is the head of a result: its columns as the target described them, and what masks them.
type head struct {
	raw  []byte // packets of the definitions
	defs []wire.Column
	cols []rows.Column
	any  bool // some column is masked

	plan *mask.Plan // for which cols were made
	env  mysql.Env
}

// maxRemembered is how many statements a session remembers, maxHead how long the head of one may be.
const (
	maxRemembered = 8
	maxHead       = 4 << 10
)

// remember finds what is known of a statement, or begins it; nil for one that is remembered nowhere.
func (c *conn) remember(st *sql.Statement) *remembered {
	if st.Inner != nil {
		return nil
	}
	for i := range c.remembered {
		if c.remembered[i].st == st {
			return &c.remembered[i]
		}
	}
	if len(c.remembered) < maxRemembered {
		c.remembered = append(c.remembered, remembered{st: st})
		return &c.remembered[len(c.remembered)-1]
	}
	c.forgotten = (c.forgotten + 1) % maxRemembered
	c.remembered[c.forgotten] = remembered{st: st}
	return &c.remembered[c.forgotten]
}

// knownHead gives the head that a run's result had the last time, if its columns would be masked in the same way.
func (c *conn) knownHead(r *run, columns int) *head {
	if r == nil || r.extra {
		return nil
	}
	m := c.remember(r.source)
	if m == nil || m.head == nil || m.head.plan != r.plan || len(m.head.defs) != columns || m.head.env != c.env() {
		return nil
	}
	return m.head
}

// column is a definition of a result's column.
func (c *conn) column(r *command, m *wire.Piece) bool {
	a := &r.answer
	if h := a.known; h != nil && !bytes.HasPrefix(h.raw[a.at:], m.Raw) {
		// Another result than the last time.
		n := len(h.defs) - a.left
		a.known, a.defs, a.raw = nil, slices.Clone(h.defs[:n]), bytes.Clone(h.raw[:a.at])
	}
	if a.known == nil {
		def, err := wire.DecodeColumn(m.Body)
		if err != nil {
			return false
		}
		a.defs = append(a.defs, def)
		if len(a.raw) <= maxHead {
			a.raw = append(a.raw, m.Raw...)
		}
	}
	a.at += len(m.Raw)
	c.forward(r, m)
	if a.left--; a.left == 0 {
		c.columnsDone(r)
	}
	return true
}

// columnsDone prepares for the rows.
func (c *conn) columnsDone(r *command) {
	a := &r.answer
	a.phase = phColumnsEnd
	if c.caps&wire.CapDeprecateEOF != 0 {
		a.phase = phRows
	}
	run := r.current()
	if run == nil {
		return
	}
	if run.head = a.known; run.head != nil {
		return
	}
	run.head = c.newHead(run, a.defs)
	if run.extra || len(a.raw) > maxHead {
		return
	}
	if m := c.remember(run.source); m != nil {
		run.head.raw, m.head = a.raw, run.head
	}
}

// newHead makes the columns of a result.
func (c *conn) newHead(r *run, defs []wire.Column) *head {
	cols := c.columnsOf(r, defs)
	return &head{defs: defs, cols: cols, any: rows.Any(cols), plan: r.plan, env: c.env()}
}

// buffers are for rewritten rows of a batch.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// keepBuffer is the largest buffer that is used again.
const keepBuffer = 256 << 10

// scratch is where what is made anew in this batch is appended; what was given away before stays as it is.
func (c *conn) scratch() []byte {
	if c.buffer == nil {
		c.buffer = buffers.Get().(*[]byte)
	}
	return *c.buffer
}

// release gives the buffer back, once the batch has left.
func (c *conn) release() {
	if c.buffer == nil {
		return
	}
	if cap(*c.buffer) <= keepBuffer {
		*c.buffer = (*c.buffer)[:0]
		buffers.Put(c.buffer)
	}
	c.buffer = nil
}
