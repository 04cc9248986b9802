package postgres

import (
	"errors"

	"dragoman.dev/dragoman/filters/postgres/rows"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
)

// copyBegins is the target's readiness for a COPY.
func (c *conn) copyBegins(e *entry, run *run, m *wire.Piece) bool {
	isBinary, n, err := wire.CopyFormat(m.Body)
	if err != nil || m.Type == wire.CopyBothResponse {
		return false // replication, which is refused at login
	}
	if m.Type != wire.CopyOutResponse {
		if !c.relay.copyWait {
			return false // what the client has sent since would be taken otherwise than it was accounted for
		}
		if c.wait == waitIdle {
			c.endSession("protocol", fatal(codeProtocol, "unexpected message during COPY from the client", "", ""))
			return false
		}
		c.relay.answer.copyAction = run.ordinal
		c.relay.copyIn, c.relay.copyWait, c.relay.copySync = true, false, false
	}
	if m.Type != wire.CopyInResponse && run.plan != nil && !c.maskCopy(run, isBinary, n) {
		return false
	}
	c.s.Respond(e.action, m.Raw)
	return true
}

// takesCopy notes that a statement which was sent may have the target take COPY data.
func (c *conn) takesCopy(st *sql.Statement) {
	if st.Effects&sql.EffectCopyIn != 0 || st.Action.Has(action.FeatureUnparsed) {
		c.relay.copyWait = true
	}
}

// copyEnds is called when an entry of the account is done: if it was the last, the target takes no COPY data, nor is
// it about to. Nothing is ever sent behind a COPY that is under way.
func (c *conn) copyEnds() {
	if c.relay.queue.len() <= 1 {
		c.relay.copyIn, c.relay.copyWait = false, false
	}
}

// onCopy passes COPY data, and its end; outside of COPY they are dropped, as a server does.
func (c *conn) onCopy(m *wire.Piece) {
	r := &c.relay
	r.pass, r.drop, r.copySync = r.answer.copyAction, !r.copyIn && !m.Last, false
	if !r.copyIn {
		return
	}
	c.s.Request(r.pass, m.Raw)
	if m.Type != wire.CopyData {
		r.copyIn, r.copyWait = false, true
	}
}

// copyMaskers are the masks of a COPY's columns, of which there are n.
func (c *conn) copyMaskers(plan *mask.Plan, st *sql.Statement, isBinary bool, n int) rows.Columns {
	maskers := make(rows.Columns, n)
	for i := range maskers {
		o := sql.Output{Unknown: true}
		if len(st.Outputs) == n {
			o = st.Outputs[i]
		}
		maskers[i] = plan.Masker(o.Origins, o.Direct, o.Unknown, c.copyType(o, isBinary))
	}
	return maskers
}

// ruleMaskedCopy is the rule of a COPY that is written in a way in which its masked columns cannot be told apart.
const ruleMaskedCopy = "masked-copy"

// copyable blocks a COPY to the client whose masked columns could not be masked once its rows come, and says what to do.
func (c *conn) copyable(j *judged) {
	if j.plan == nil || j.st.Copy == nil || j.st.Effects&sql.EffectCopyIn != 0 || j.d.Verdict == policy.Block {
		return
	}
	isBinary := j.st.Copy.Format == "binary"
	maskers := c.copyMaskers(j.plan, j.st, isBinary, len(j.st.Outputs))
	opts, ok := c.copyOptions(j.st, isBinary)
	if !ok || !maskers.Any() {
		return
	}
	_, err := rows.NewCopyStream(opts, maskers, rows.Limits{})
	hint := ""
	switch {
	case errors.Is(err, rows.ErrEncoding):
		hint = "write ENCODING 'UTF8' in the COPY's options, or SET client_encoding TO 'UTF8' before it"
	case errors.Is(err, rows.ErrNull):
		hint = `leave the NULL option away (it is \N then), or use FORMAT csv`
	default:
		return
	}
	j.d = policy.Decision{Verdict: policy.Block, Rule: ruleMaskedCopy, Reason: err.Error(), Hint: hint, Revision: j.d.Revision}
}

// maskCopy prepares the masking of a COPY to the client.
func (c *conn) maskCopy(run *run, isBinary bool, n int) bool {
	if n == 0 {
		n = len(run.source.Outputs)
	}
	maskers := c.copyMaskers(run.plan, run.source, isBinary, n)
	if !maskers.Any() {
		return true
	}
	opts, ok := c.copyOptions(run.source, isBinary)
	if !ok {
		return false
	}
	stream, err := rows.NewCopyStream(opts, maskers, rows.Limits{})
	if err != nil {
		c.t.rt.Log().Error("masked COPY", "session", c.s.ID(), "error", err)
		return false
	}
	c.relay.answer.rows.copy = stream
	return true
}

// copyType is the type of a COPY's column, as far as its origin tells.
func (c *conn) copyType(o sql.Output, isBinary bool) mask.Type {
	if o.Direct && len(o.Origins) > 0 && c.env != nil && c.env.catalog != nil {
		if t, ok := c.env.columnType(o.Origins); ok {
			return t
		}
	}
	if isBinary {
		return mask.Type{} // NULL is the one value that is right for every type
	}
	return mask.TextType
}

// copyOut is COPY data for the client, whole or a piece.
func (c *conn) copyOut(e *entry, run *run, m *wire.Piece) bool {
	a := &c.relay.answer
	a.action, a.drop = e.action, false
	if a.rows.copy == nil {
		run.bytes += int64(len(m.Raw))
		c.s.Respond(e.action, m.Raw)
		return true
	}
	dst := c.scratch()
	out, masked, err := a.rows.copy.Write(dst, m.Body)
	if err != nil {
		c.t.rt.Log().Error("masked COPY", "session", c.s.ID(), "error", err)
		return false
	}
	c.buffer = out
	run.masked += int64(masked)
	run.bytes += int64(len(out) - len(dst))
	c.s.Respond(e.action, out[len(dst):])
	return true
}

// copyOutDone is the end of a COPY to the client.
func (c *conn) copyOutDone(e *entry, _ *run, m *wire.Piece) bool {
	a := &c.relay.answer
	if a.rows.copy != nil {
		if err := a.rows.copy.Close(); err != nil {
			return false
		}
		a.rows.copy = nil
	}
	c.s.Respond(e.action, m.Raw)
	return true
}
