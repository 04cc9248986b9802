package postgres

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/mask"
)

// waiting is why client messages are not taken at the moment.
type waiting uint8

const (
	waitNone     waiting = iota
	waitIdle             // until all that was sent is answered
	waitJob              // until names or catalog have been read
	waitHold             // until people have decided
	waitCopy             // until the target takes COPY data, or has taken them
	waitAnalysis         // until a long text has been analysed
)

// relay is the state of a session that is past its login.
type relay struct {
	queue      queue
	statements namespace
	portals    namespace
	seq        uint64 // of the last change
	tx         byte   // as of the target's last ReadyForQuery

	// the client's side
	pipeline uint64 // number of the pipeline that the client is in
	open     bool   // messages of it were sent, and no Sync yet
	bound    bool   // one of them was a Bind
	executed bool   // one of them was an Execute: an implicit transaction may have work
	ended    bool   // one of them ended a transaction block
	discard  bool   // a message of it was refused: the rest is skipped up to the Sync
	drop     bool   // the rest of a long message is dropped
	pass     uint64 // action that the rest of a long message belongs to
	copyIn   bool   // the target takes COPY data
	copyWait bool   // it is about to, or is about to answer that it has taken them
	copySync bool   // the client's last message was a Sync among COPY data, which the target would skip

	// what statements have done
	unsettled  int  // runs in the queue that change what names mean
	namesDirty bool // search_path, role or temporary objects may have changed
	txNames    bool // ... in this transaction, so that its end changes them again
	ddl        bool // this transaction changed the schema
	job        *job
	plan       *mask.Plan // of the last decision that masks: for reports that belong to no run
	answer     answer
}

// onRequest takes client bytes of an established session.
func (c *conn) onRequest(b []byte) {
	c.s.Touch()
	if c.wait != waitNone || len(c.in) > 0 || c.stalled != nil {
		c.lookAhead(b)
		if c.wait == waitHold {
			c.seeTerminate()
		}
		return
	}
	c.take(b)
	c.commit()
}

// take handles the messages in b; when one has to wait, it and what follows are kept.
func (c *conn) take(b []byte) {
	idle := c.idle()
	c.client.Feed(b)
	for c.state == stReady && c.wait == waitNone {
		m, ok, err := c.client.Next()
		if err != nil {
			c.endSession("protocol", fatal(codeProtocol, "invalid message: "+err.Error(), "", ""))
			return
		}
		if !ok {
			break
		}
		c.piece = m
		if c.handle(&c.piece) {
			c.stalled = kept(m)
			break
		}
	}
	if c.state != stReady {
		return
	}
	if rest := c.client.Rest(); len(rest) > 0 {
		c.lookAhead(slices.Clone(rest))
	}
	c.client.Feed(nil)
	c.piece = wire.Piece{} // borrowed
	c.refusable = idle
}

// kept is a piece with bytes of its own.
func kept(m wire.Piece) *wire.Piece {
	head := len(m.Raw) - len(m.Body)
	m.Raw = slices.Clone(m.Raw)
	m.Body = m.Raw[head:]
	return &m
}

// idle reports that nothing is in flight: a batch that begins now can be refused as a whole.
func (c *conn) idle() bool {
	r := &c.relay
	return r.queue.len() == 0 && !r.open && !r.discard && !r.copyIn && !c.client.Mid()
}

// work goes on with what waited.
func (c *conn) work() {
	if c.working {
		return
	}
	c.working = true
	defer func() { c.working = false }()
	for c.state == stReady && c.wait == waitNone {
		if m := c.stalled; m != nil {
			c.stalled = nil
			if c.handle(m) {
				c.stalled = m
			}
			continue
		}
		if len(c.in) == 0 {
			break
		}
		in := c.in
		c.in = nil
		c.take(in)
	}
	c.endWhenDone()
	if c.state == stReady {
		c.pause(len(c.in) >= maxLookAhead)
		c.commit()
	}
}

// waitFor makes client messages wait. It always reports true, for the handlers' results.
func (c *conn) waitFor(w waiting) bool {
	if c.wait == waitAnalysis { // which comes by itself, and then the message is looked at anew
		return true
	}
	c.wait = w
	if (w == waitIdle || w == waitCopy) && c.relay.open {
		// The target answers the messages before a Sync only when asked to.
		c.s.Unrecorded(wire.AppendEmpty(nil, wire.Flush))
	}
	return true
}

// settled is called whenever the account may have become empty.
func (c *conn) settled() {
	if c.relay.queue.len() == 0 {
		c.relay.unsettled = 0
		if c.wait == waitIdle {
			c.wait = waitNone
		}
	}
	if c.wait == waitCopy && !c.relay.copyWait {
		c.wait = waitNone
	}
	if c.wait == waitNone && (c.then != nil || c.stalled != nil || len(c.in) > 0) {
		c.goOn()
	}
}

// goOn does what waited, once the wait is over.
func (c *conn) goOn() {
	if f := c.then; f != nil {
		c.then = nil
		f()
		c.commit()
		return // it says when the client's messages go on
	}
	c.work()
}

// handle takes one client message, or a piece of one; true means that it has to
// wait and must be given again.
func (c *conn) handle(m *wire.Piece) bool {
	r := &c.relay
	if !m.First {
		c.continueMessage(m)
		return false
	}
	if m.Type == wire.Terminate {
		if r.queue.len() > 0 && !r.copyIn && !r.copyWait {
			return c.waitFor(waitIdle) // as a server does: what was sent before the goodbye is carried out
		}
		c.terminate()
		return false
	}
	if r.discard && m.Type != wire.Sync {
		r.drop = !m.Last
		return false
	}
	if r.copyWait {
		// What the target makes of a message depends on whether it takes COPY data when that comes.
		return c.waitFor(waitCopy)
	}
	if r.copyIn && !strings.ContainsRune("dcfHS", rune(m.Type)) {
		c.endSession("protocol", fatal(codeProtocol, "unexpected message during COPY from the client", "", ""))
		return false
	}
	if r.queue.len() >= maxInFlight {
		return c.waitFor(waitIdle)
	}
	switch m.Type {
	case wire.Query:
		return c.onQuery(m)
	case wire.Parse:
		return c.onParse(m)
	case wire.Bind:
		return c.onBind(m)
	case wire.Describe:
		return c.onDescribe(m)
	case wire.Execute:
		return c.onExecute(m)
	case wire.Close:
		return c.onClose(m)
	case wire.Sync:
		c.onSync(m)
	case wire.Flush:
		c.s.Request(0, m.Raw)
	case wire.CopyData, wire.CopyDone, wire.CopyFail:
		c.onCopy(m)
	case wire.FunctionCall:
		return c.onFunctionCall(m)
	default:
		c.endSession("protocol", fatal(codeProtocol, "unexpected message of the client", "", ""))
	}
	return false
}

// maxInFlight bounds the account of expected answers.
const maxInFlight = 8192

// continueMessage is a later piece of a long message, of which the first decided.
func (c *conn) continueMessage(m *wire.Piece) {
	r := &c.relay
	if !r.drop {
		c.s.Request(r.pass, m.Raw)
	}
	if m.Last {
		r.drop = false
	}
}

// terminate is the client's goodbye.
func (c *conn) terminate() {
	c.s.Request(0, wire.AppendEmpty(nil, wire.Terminate))
	c.lose("lost", "the client ended the session")
	c.close()
	c.s.End("client", "")
}

// onSync ends a pipeline.
func (c *conn) onSync(m *wire.Piece) {
	r := &c.relay
	if r.copyIn {
		r.copySync = true
		return
	}
	c.s.Request(0, m.Raw)
	r.queue.push(eSync, r.pipeline)
	c.endPipeline()
}

func (c *conn) endPipeline() {
	r := &c.relay
	r.pipeline++
	r.open, r.bound, r.executed, r.ended, r.discard = false, false, false, false, false
}
