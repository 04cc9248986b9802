package postgres

import (
	"dragoman.dev/dragoman/filters/postgres/wire"
)

// keepBuffer is the largest buffer that a session keeps between batches of rows.
const keepBuffer = 256 << 10

// scratch is where rewritten rows of the batch are appended; what was given away before stays as it is.
func (c *conn) scratch() []byte {
	if c.buffer == nil {
		c.buffer = make([]byte, 0, 16<<10)
	}
	return c.buffer
}

// commit ends the batch: what it holds leaves once it is recorded.
func (c *conn) commit() {
	if c.s == nil || c.s.Ended() {
		return
	}
	err := c.s.Commit()
	if c.buffer != nil {
		c.buffer = c.buffer[:0]
		if c.relay.queue.len() == 0 || cap(c.buffer) > keepBuffer {
			c.buffer = nil
		}
	}
	if err != nil {
		c.notRecorded(err)
	}
	c.refusable = false
}

// notRecorded refuses a batch that could not be recorded. When it was all requests and nothing was in
// flight before, the session goes on; otherwise something would be lost, and it ends.
func (c *conn) notRecorded(err error) {
	c.t.rt.Log().Error("record", "session", c.s.ID(), "error", err)
	r := &c.relay
	if !c.refusable || c.wait != waitNone || r.copyIn || c.client.Mid() || c.state != stReady {
		c.host.Write(wire.AppendError(nil, fatal(codeDiskFull, "the session cannot be recorded, so it ends", "", "Ask whoever runs this gateway.")), false)
		c.close()
		c.s.End("fault", err.Error())
		return
	}
	rep := wire.AppendError(nil, refusal(codeDiskFull, "the action cannot be recorded, so it is refused", "rule: record.", "Try again later, or ask whoever runs this gateway."))
	var out []byte
	failed := false
	for i := r.queue.len() - 1; i >= 0; i-- {
		r.undo(r.queue.at(i))
	}
	for i := range r.queue.len() {
		if !failed {
			out, failed = append(out, rep...), true
		}
		if k := r.queue.at(i); k.kind == eQuery || k.kind == eSync || k.kind == eFunction || k.kind == eInject && k.ready {
			out, failed = wire.AppendReady(out, r.tx), false
		}
	}
	r.queue.truncate(0)
	r.discard = failed
	r.unsettled = 0
	r.copyWait = false
	// Not recorded: there is nothing of the target in it, and no place to keep it.
	c.host.Write(out, false)
}
