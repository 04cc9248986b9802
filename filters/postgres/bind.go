package postgres

import (
	"slices"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
)

// onBind takes the parameters of a statement: it is judged with them, and this is
// where it is held, since the target may already compute with them.
func (c *conn) onBind(m *wire.Piece) bool {
	b, err := c.decodeBind(m)
	if err != nil {
		c.endSession("protocol", fatal(codeProtocol, "invalid Bind message", "", ""))
		return false
	}
	if !plainName(b.Statement) || !plainName(b.Portal) {
		c.relay.drop = !m.Last
		c.refuseMessage(0, nameRefused())
		return false
	}
	if len(c.relay.portals) >= maxKnown {
		c.relay.drop = !m.Last
		c.refuseMessage(0, refusal(codeTooMany, "too many portals and cursors in this session", "rule: max_portals.", "End the transaction, or connect again."))
		return false
	}
	r := &c.relay
	s, wait := r.statements.lookup(string(b.Statement), r.pipeline)
	text := ""
	if s.prepared != nil {
		text = s.prepared.text
	}
	if c.settle(text) {
		return true
	}
	if wait && r.queue.len() > 0 {
		return c.waitFor(waitIdle)
	}
	st, pr := unknownStatement, s.prepared
	if pr != nil {
		if st, wait = pr.current(c); wait {
			return true
		}
		if c.dirty() && r.queue.len() > 0 && !r.open && needsNames(st) {
			return c.waitFor(waitIdle)
		}
	}
	names := overlay{conn: c, pipeline: r.pipeline}
	if st, wait = names.withInner(st); wait {
		return c.waitFor(waitIdle)
	}
	uncertain := c.uncertain()
	j := c.decide(st, moment{params: params(&b, pr), unresolved: uncertain})
	if pr != nil && !uncertain && j.st == pr.st {
		j.sheet = pr.sheetFor(j)
	}
	return c.bind(m, &b, pr, j)
}

// decodeBind decodes a Bind, or the head of one that is too long to be held.
func (c *conn) decodeBind(m *wire.Piece) (wire.BindBody, error) {
	if m.Whole() {
		return wire.DecodeBind(m.Body)
	}
	b, _, err := wire.DecodeBindHead(m.Body)
	return b, err
}

// bind does what was decided about a Bind.
func (c *conn) bind(m *wire.Piece, b *wire.BindBody, pr *prepared, j *judged) bool {
	if !m.Whole() && j.d.Verdict != policy.Block && (j.d.Verdict == policy.Hold || c.t.policy.Engine().UsesParams()) {
		rep := refusal(codeTooComplex, "the parameters are too long to be judged or held",
			"rule: bind_size. Policy looks at parameters, or people have to approve them.", "Send less than 1 MiB of parameters in one statement.")
		c.relay.drop = !m.Last
		c.refused(j, "blocked", rep)
		c.refuseMessage(j.ordinal, rep)
		return false
	}
	switch j.d.Verdict {
	case policy.Allow:
		c.announce(j)
		c.forwardBind(m, b, pr, j)
	case policy.Hold:
		c.announce(j)
		raw := slices.Clone(m.Raw)
		var text string
		if pr != nil {
			text = pr.text
		}
		names, act := inner(j), j.action
		act.Text += names
		c.holdAction(j, act, statement.Digest([]byte("bind"), []byte(text), oidBytes(pr), b.Formats, b.Values, []byte(names)), []*judged{j}, c.rejudgeBind(pr, j.action.Params), holdDone{
			allowed: func() {
				p := wire.Piece{Type: wire.Bind, Raw: raw, Body: raw[5:], Len: int64(len(raw) - 5), First: true, Last: true}
				body, err := wire.DecodeBind(p.Body)
				if err == nil {
					c.forwardBind(&p, &body, pr, j)
				}
			},
			refused: func(status string, rep wire.Report) {
				c.refused(j, status, rep)
				c.refuseMessage(j.ordinal, rep)
			},
		})
	default:
		rep := blocked(what(j), &j.d)
		if pr == nil {
			rep = refusal(codeNoStatement, "prepared statement \""+string(b.Statement)+"\" does not exist", statement.Because(&j.d), "")
		}
		c.relay.drop = !m.Last
		c.refused(j, "blocked", rep)
		c.refuseMessage(j.ordinal, rep)
	}
	return false
}

func (c *conn) rejudgeBind(pr *prepared, params []action.Param) rejudge {
	if pr == nil {
		return nil
	}
	return func() ([]*judged, bool) {
		st, wait := pr.current(c)
		if wait {
			return nil, true
		}
		names := overlay{conn: c, pipeline: c.relay.pipeline}
		if st, wait = names.withInner(st); wait {
			return nil, c.waitFor(waitIdle)
		}
		return []*judged{c.decide(st, moment{params: params, unresolved: c.uncertain()})}, false
	}
}

// forwardBind sends a Bind that may run.
func (c *conn) forwardBind(m *wire.Piece, b *wire.BindBody, pr *prepared, j *judged) {
	r := &c.relay
	run := c.start(j)
	po := &portal{st: run.source, run: run, prepared: pr, formats: slices.Clone(b.Results)}
	e := r.queue.push(eBind, r.pipeline)
	e.action, e.portal = j.ordinal, po
	if pr != nil {
		e.prefix = pr.prefix
	}
	name := string(b.Portal)
	r.change(e, spacePortal, name, slot{portal: po}, 0)
	r.open, r.bound, r.pass, r.drop = true, true, j.ordinal, false
	c.s.Request(j.ordinal, m.Raw)
	if m.Last {
		c.describeOwn(po, name)
	} else {
		po.undescribed = j.plan != nil
	}
}

// describeOwn asks the target what a portal returns when a plan masks and the
// answer is not known: a client need not ask, but masking must know.
func (c *conn) describeOwn(po *portal, name string) {
	if po.run.plan == nil || !po.st.Returns || po.known(c) {
		return
	}
	c.s.Unrecorded(wire.AppendNamed(nil, wire.Describe, 'P', name))
	e := c.relay.queue.push(eDescribe, c.relay.pipeline)
	e.internal, e.portal = true, po
}
