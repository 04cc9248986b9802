package postgres

import "dragoman.dev/dragoman/filters/postgres/wire"

// inject answers what we answer ourselves, as far as it is its turn.
func (c *conn) inject() {
	r := &c.relay
	for e := r.queue.front(); e != nil; e = r.queue.front() {
		switch e.kind {
		case eInject:
			out := e.inject
			if e.ready {
				out = wire.AppendReady(out, r.tx)
			}
			c.s.Respond(e.action, out)
		default:
			return
		}
		r.queue.pop()
	}
}

// refuseQuery says no to a simple Query; nothing of it has gone to the target.
func (c *conn) refuseQuery(action uint64, rep wire.Report) {
	r := &c.relay
	if c.mustAbort() {
		c.abort(action, rep)
		c.s.Unrecorded(wire.AppendEmpty(nil, wire.Sync))
		r.queue.push(eSync, r.pipeline)
	} else {
		e := r.queue.push(eInject, r.pipeline)
		e.action, e.ready, e.inject = action, true, wire.AppendError(nil, rep)
	}
	c.endPipeline()
	c.inject()
}

// refuseMessage says no to a message of the extended protocol; the client's next messages
// are skipped up to its Sync, as a server does after an error.
func (c *conn) refuseMessage(action uint64, rep wire.Report) {
	r := &c.relay
	if c.mustAbort() {
		c.abort(action, rep)
	} else {
		e := r.queue.push(eInject, r.pipeline)
		e.action, e.inject = action, wire.AppendError(nil, rep)
	}
	r.open, r.discard = true, true
	c.inject()
}

// mustAbort reports that earlier messages of this pipeline ran in an implicit
// transaction, which the Sync would commit although a later message was refused.
func (c *conn) mustAbort() bool {
	r := &c.relay
	return r.executed && (r.tx != wire.TxBlock || r.ended)
}

// noPortal is the name of a portal that never exists.
const noPortal = "dragoman_refused"

// abort makes the target fail the pipeline, and puts our error in the place of its own. See
// docs/decisions/0020-blocked-in-pipeline.md.
func (c *conn) abort(action uint64, rep wire.Report) {
	c.s.Unrecorded(wire.AppendEmpty(wire.AppendExecute(nil, noPortal), wire.Flush))
	e := c.relay.queue.push(eAbort, c.relay.pipeline)
	e.action, e.inject = action, wire.AppendError(nil, rep)
}
