package postgres

import (
	"fmt"
	"slices"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
)

// onQuery takes a simple Query: all its statements are judged, and all or none of them go on.
func (c *conn) onQuery(m *wire.Piece) bool {
	if !m.Whole() || int(m.Len) > c.cfg.maxStatement()+1 {
		c.relay.drop = !m.Last
		c.refuseQuery(0, c.tooLong())
		return false
	}
	text, err := wire.QueryText(m.Body)
	if err != nil {
		c.endSession("protocol", fatal(codeProtocol, "invalid Query message", "", ""))
		return false
	}
	if c.settle(string(text)) {
		return true
	}
	statements, wait := c.analyze(string(text))
	if wait {
		return true
	}
	list, wait := c.judgeAll(statements)
	if wait {
		return true
	}
	c.aside = nil
	c.query(list, text)
	return false
}

func (c *conn) tooLong() wire.Report {
	return refusal(codeTooComplex, fmt.Sprintf("the statement is longer than %d bytes", c.cfg.maxStatement()), "rule: max_statement.",
		"Send it in parts, or pass long values as parameters.")
}

// judgeAll judges the statements of one message in order, each with what those before it do to
// the names of statements and cursors (what they do to tables the analysis knows). Nothing is recorded or sent yet, so that the message can be taken again.
func (c *conn) judgeAll(statements []*sql.Statement) ([]*judged, bool) {
	list := make([]*judged, 0, len(statements))
	names := overlay{conn: c, pipeline: c.relay.pipeline}
	unresolved := c.uncertain()
	for _, st := range statements {
		st, wait := names.withInner(st)
		if wait {
			return nil, c.waitFor(waitIdle)
		}
		j := c.decide(st, moment{multi: len(statements) > 1, unresolved: unresolved})
		list = append(list, j)
		names.apply(st)
	}
	return list, false
}

// query decides what becomes of a judged simple Query.
func (c *conn) query(list []*judged, text []byte) {
	var held []*judged
	for _, j := range list {
		switch j.d.Verdict {
		case policy.Allow:
		case policy.Hold:
			held = append(held, j)
		default:
			rep := blocked(what(j), &j.d)
			if len(list) > 1 {
				rep.Hint += " Nothing of this message was run."
			}
			c.refuseAll(list, j, rep)
			return
		}
	}
	if held == nil {
		c.forwardQuery(list, text)
		return
	}
	c.holdQuery(list, held, string(text))
}

// refuseAll records all statements of a message of which one is refused.
func (c *conn) refuseAll(list []*judged, why *judged, rep wire.Report) {
	for _, j := range list {
		c.refused(j, "blocked", rep)
	}
	c.refuseQuery(why.ordinal, rep)
}

// forwardQuery sends a message of which all statements may run.
func (c *conn) forwardQuery(list []*judged, text []byte) {
	r := &c.relay
	e := r.queue.push(eQuery, r.pipeline)
	e.prefix = len(c.prefix)
	names := overlay{conn: c, pipeline: r.pipeline, entry: e}
	var first uint64
	for i, j := range list {
		if j.ordinal == 0 {
			c.announce(j)
		}
		if first == 0 {
			first = j.ordinal
		}
		e.runs = append(e.runs, c.start(j))
		names.run = i
		names.apply(j.st)
		c.takesCopy(j.st)
	}
	e.action = first
	c.s.Request(first, wire.AppendQuery(nil, c.prefix, text))
	c.endPipeline()
}

// holdQuery keeps a message until people decide about it as a whole: once for
// each rule that holds a statement of it, since their approvers may differ.
func (c *conn) holdQuery(list, held []*judged, text string) {
	for _, j := range list {
		c.announce(j)
	}
	var next func(i int)
	next = func(i int) {
		for i < len(held) && i > 0 && sameHold(&held[i].d, held[:i]) {
			i++
		}
		if i == len(held) {
			c.forwardQuery(list, []byte(text))
			return
		}
		act := held[i].action
		names := inner(list...)
		act.Text = text + names
		c.holdAction(held[i], act, statement.Digest([]byte("query"), []byte(text), []byte(names)), list, c.rejudgeQuery(text), holdDone{
			allowed: func() { next(i + 1) },
			refused: func(status string, rep wire.Report) {
				for _, j := range list {
					c.refused(j, status, rep)
				}
				c.refuseQuery(held[i].ordinal, rep)
			},
		})
	}
	next(0)
}

func (c *conn) rejudgeQuery(text string) rejudge {
	return func() ([]*judged, bool) {
		statements, wait := c.analyzeHere(text)
		if wait {
			return nil, true
		}
		return c.judgeAll(statements)
	}
}

// sameHold reports whether the same people were asked already.
func sameHold(d *policy.Decision, asked []*judged) bool {
	return slices.ContainsFunc(asked, func(j *judged) bool {
		return j.d.Rule == d.Rule && j.d.Quorum == d.Quorum && slices.Equal(j.d.Approvers, d.Approvers)
	})
}

// onFunctionCall takes the fast-path call, which names a function by OID only.
func (c *conn) onFunctionCall(m *wire.Piece) bool {
	if c.settle("") {
		return true
	}
	st := &sql.Statement{Returns: true, Effects: sql.EffectOpaque, Action: action.Action{Kind: action.KindFunction, Verbs: []string{"call"},
		Reads: []action.Object{}, Writes: []action.Object{}, Functions: []action.Function{{Opaque: true}}, Params: []action.Param{},
		Features: map[string]any{action.FeatureFunctionCall: true, action.FeatureOpaque: true}, Text: "function call"}}
	j := c.decide(st, moment{})
	if !c.cfg.AllowFunctionCall || !m.Whole() || j.d.Verdict != policy.Allow {
		j.d.Verdict = policy.Block
		if !c.cfg.AllowFunctionCall {
			j.d.Rule, j.d.Reason = "function_call", "This target does not allow the fast-path function call."
		}
		rep := blocked("FunctionCall", &j.d)
		rep.Hint = "Call the function in a SELECT."
		c.relay.drop = !m.Last
		c.refused(j, "blocked", rep)
		c.refuseQuery(j.ordinal, rep)
		return false
	}
	c.announce(j)
	r := &c.relay
	e := r.queue.push(eFunction, r.pipeline)
	e.action, e.runs = j.ordinal, []*run{c.start(j)}
	c.s.Request(j.ordinal, m.Raw)
	c.endPipeline()
	return false
}
