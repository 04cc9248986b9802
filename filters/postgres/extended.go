package postgres

import (
	"slices"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
)

// prepared is a statement that the target has under a name.
type prepared struct {
	text   string
	prefix int      // characters of our comment before it
	oids   []uint32 // types of its parameters, as far as they are known
	st     *sql.Statement
	env    *env // that st was analysed against
	// bySQL says that the text is a PREPARE, and st what it prepares.
	bySQL bool
	sheet *statement.Sheet
	// shape is what the target last said of its result, for the plan and env then in force.
	shape *shape
}

// portal is a bound statement, or a cursor.
type portal struct {
	st       *sql.Statement
	run      *run // nil for a cursor of SQL
	prepared *prepared
	formats  []byte // of the result columns, as Bind gave them
	withHold bool   // may outlive its transaction
	// undescribed: our own Describe waits until the Bind is complete
	undescribed bool
}

// unknownStatement stands for a name that we do not know: nothing can be said of it.
var unknownStatement = &sql.Statement{Returns: true, Action: action.Action{Kind: action.KindSQL, Verbs: []string{"execute"},
	Reads: []action.Object{}, Writes: []action.Object{}, Functions: []action.Function{}, Params: []action.Param{},
	Features: map[string]any{action.FeatureUnresolved: true}}}

// current is the statement's analysis for the names of now; wait says that it is being made.
func (p *prepared) current(c *conn) (st *sql.Statement, wait bool) {
	if p.env == c.env {
		return p.st, false
	}
	list, wait := c.analyzeHere(p.text)
	if wait {
		return nil, true
	}
	c.aside = nil
	switch {
	case p.bySQL && (len(list) != 1 || list[0].Inner == nil || list[0].Effects&sql.EffectPrepare == 0):
		return unknownStatement, false
	case p.bySQL:
		p.st, p.env = list[0].Inner, c.env
	case len(list) == 1:
		p.st, p.env, p.shape = list[0], c.env, nil
	}
	return p.st, false
}

// onParse takes a statement that is to be prepared.
func (c *conn) onParse(m *wire.Piece) bool {
	if !m.Whole() {
		c.relay.drop = !m.Last
		c.refuseMessage(0, c.tooLong())
		return false
	}
	p, err := wire.DecodeParse(m.Body)
	if err != nil {
		c.endSession("protocol", fatal(codeProtocol, "invalid Parse message", "", ""))
		return false
	}
	if len(p.Text) > c.cfg.maxStatement() {
		c.refuseMessage(0, c.tooLong())
		return false
	}
	if c.badName(p.Name) {
		return false
	}
	if c.settle(string(p.Text)) {
		return true
	}
	list, wait := c.analyze(string(p.Text))
	if wait {
		return true
	}
	if len(list) > 1 {
		c.refuseMessage(0, refusal("42601", "cannot insert multiple commands into a prepared statement", "", ""))
		return false
	}
	st := emptyStatement
	if len(list) == 1 {
		st = list[0]
	}
	if c.parse(m, &p, st) {
		return true
	}
	c.aside = nil
	return false
}

// emptyStatement is a statement without any text.
var emptyStatement = &sql.Statement{Action: action.Action{Kind: action.KindSQL, Verbs: []string{}, Reads: []action.Object{},
	Writes: []action.Object{}, Functions: []action.Function{}, Params: []action.Param{}, Features: map[string]any{}}}

// parse judges a Parse as far as that can be done without parameters, and sends it on.
func (c *conn) parse(m *wire.Piece, p *wire.ParseBody, st *sql.Statement) bool {
	r := &c.relay
	if len(r.statements) >= c.cfg.maxPrepared() {
		c.refuseMessage(0, refusal(codeTooMany, "too many prepared statements in this session", "rule: max_prepared.", "Close those that are not needed."))
		return false
	}
	names := overlay{conn: c, pipeline: r.pipeline}
	full, wait := names.withInner(st)
	if wait {
		return c.waitFor(waitIdle)
	}
	if st != emptyStatement && !c.t.policy.Engine().UsesParams() {
		j := c.decide(full, moment{unresolved: c.uncertain()})
		if j.d.Verdict == policy.Block {
			rep := blocked(what(j), &j.d)
			c.refused(j, "blocked", rep)
			c.refuseMessage(j.ordinal, rep)
			return false
		}
	}
	pr := &prepared{text: string(p.Text), prefix: len(c.prefix), oids: p.OIDs(), st: st, env: c.env}
	e := r.queue.push(eParse, r.pipeline)
	e.prepared, e.prefix = pr, pr.prefix
	r.change(e, spaceStatement, string(p.Name), slot{prepared: pr}, 0)
	r.open = true
	if c.prefix == "" {
		c.s.Request(0, m.Raw)
	} else {
		c.s.Request(0, wire.AppendParse(nil, string(p.Name), c.prefix, p.Text, p.Types))
	}
	return false
}

// onDescribe passes a Describe.
func (c *conn) onDescribe(m *wire.Piece) bool {
	what, name, err := wire.DecodeNamed(m.Body)
	if err != nil {
		c.endSession("protocol", fatal(codeProtocol, "invalid Describe message", "", ""))
		return false
	}
	if c.badName(name) {
		return false
	}
	r := &c.relay
	ns := r.statements
	if what == 'P' {
		ns = r.portals
	}
	s, wait := ns.lookup(string(name), r.pipeline)
	if wait && r.queue.len() > 0 {
		return c.waitFor(waitIdle)
	}
	e := r.queue.push(eDescribe, r.pipeline)
	if what == 'P' {
		e.portal = s.portal
		if s.portal != nil && s.portal.run != nil {
			e.action = s.portal.run.ordinal
		}
	} else {
		e.prepared = s.prepared
	}
	r.open = true
	c.s.Request(e.action, m.Raw)
	return false
}

// onClose passes a Close.
func (c *conn) onClose(m *wire.Piece) bool {
	what, name, err := wire.DecodeNamed(m.Body)
	if err != nil {
		c.endSession("protocol", fatal(codeProtocol, "invalid Close message", "", ""))
		return false
	}
	if c.badName(name) {
		return false
	}
	r := &c.relay
	e := r.queue.push(eClose, r.pipeline)
	sp := spaceStatement
	if what == 'P' {
		sp = spacePortal
	}
	r.change(e, sp, string(name), slot{}, 0)
	r.open = true
	c.s.Request(0, m.Raw)
	return false
}

// onExecute runs a portal that was judged at its Bind; it is judged again when policy
// has changed since, or when it is no run of ours (a cursor).
func (c *conn) onExecute(m *wire.Piece) bool {
	name, _, err := wire.DecodeExecute(m.Body)
	if err != nil {
		c.endSession("protocol", fatal(codeProtocol, "invalid Execute message", "", ""))
		return false
	}
	if c.badName(name) {
		return false
	}
	r := &c.relay
	s, wait := r.portals.lookup(string(name), r.pipeline)
	if wait && r.queue.len() > 0 {
		return c.waitFor(waitIdle)
	}
	po := s.portal
	if po == nil || po.run == nil || po.run.over || po.run.d.Revision != c.judge.Revision() {
		return c.executeAgain(m, string(name), po)
	}
	c.forwardExecute(m, po)
	return false
}

// executeAgain judges what an Execute runs, as a run of its own.
func (c *conn) executeAgain(m *wire.Piece, name string, po *portal) bool {
	st := unknownStatement
	m2 := moment{unresolved: c.uncertain()}
	if po != nil {
		st = po.st
		if po.run != nil {
			st, m2.params = po.run.st, po.run.action.Params
		}
	}
	j := c.decide(st, m2)
	forward := func(m *wire.Piece) {
		np := &portal{st: st, run: c.start(j)}
		if po != nil {
			cp := *po
			cp.run = np.run
			np = &cp
		}
		c.describeOwn(np, name)
		e := c.forwardExecute(m, np)
		c.relay.change(e, spacePortal, name, slot{portal: np}, 0)
	}
	switch j.d.Verdict {
	case policy.Allow:
		c.announce(j)
		forward(m)
	case policy.Hold:
		c.announce(j)
		raw := slices.Clone(m.Raw)
		names, act := inner(j), j.action
		act.Text += names
		c.holdAction(j, act, statement.Digest([]byte("execute"), []byte(st.Action.Text), raw, record.AppendParams(nil, act.Params), []byte(names)), []*judged{j}, nil, holdDone{
			allowed: func() { forward(&wire.Piece{Type: wire.Execute, Raw: raw, Body: raw[5:], First: true, Last: true}) },
			refused: func(status string, rep wire.Report) {
				c.refused(j, status, rep)
				c.refuseMessage(j.ordinal, rep)
			},
		})
	default:
		rep := blocked(what(j), &j.d)
		if po == nil {
			rep = refusal(codeNoPortal, "portal \""+name+"\" does not exist", statement.Because(&j.d), "")
		}
		c.refused(j, "blocked", rep)
		c.refuseMessage(j.ordinal, rep)
	}
	return false
}

func (c *conn) forwardExecute(m *wire.Piece, po *portal) *entry {
	r := &c.relay
	if po.undescribed {
		po.undescribed = false
		name, _, _ := wire.DecodeExecute(m.Body)
		c.describeOwn(po, string(name))
	}
	e := r.queue.push(eExecute, r.pipeline)
	e.action, e.portal = po.run.ordinal, po
	if po.prepared != nil {
		e.prefix = po.prepared.prefix
	}
	names := overlay{conn: c, pipeline: r.pipeline, entry: e}
	names.apply(po.run.st)
	c.takesCopy(po.run.st)
	e = r.queue.at(r.queue.len() - 1)
	r.open, r.executed = true, true
	if po.run.st.Effects&(sql.EffectEnd|sql.EffectOpaque) != 0 {
		r.ended = true
	}
	c.s.Request(e.action, m.Raw)
	return e
}
