package mysql

import (
	"fmt"
	"slices"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// onQuery takes COM_QUERY: all its statements are judged, and all or none of them go on.
func (c *conn) onQuery(m *wire.Piece) bool {
	if !m.Whole() || len(m.Body)-1 > c.cfg.maxStatement() {
		c.refuseCommand(m, 0, c.tooLong())
		return false
	}
	text := string(m.Body[1:])
	if c.settle(text) {
		return true
	}
	b, wait := c.analyze(text)
	if wait {
		return true
	}
	c.aside = nil
	if len(b.Statements) == 1 && c.isKill(b.Statements[0]) {
		c.kill(m, b.Statements[0])
		return false
	}
	c.query(c.judgeAll(b.Statements), b.Text)
	return false
}

func (c *conn) tooLong() *wire.Error {
	return &wire.Error{Number: errTooLarge, State: stateConnection, Message: fmt.Sprintf("the statement is longer than %d bytes (rule: max_statement.) Hint: send it in parts, or pass long values as parameters", c.cfg.maxStatement())}
}

// judgeAll judges the statements of a message in order. Nothing is recorded or sent yet.
func (c *conn) judgeAll(list []*sql.Statement) []*judged {
	out := make([]*judged, 0, len(list))
	o := overlay{conn: c}
	for _, st := range list {
		st = o.withInner(o.read(st))
		out = append(out, c.decide(st, moment{multi: len(list) > 1, unresolved: c.uncertain()}))
		o.apply(st)
	}
	return out
}

// query decides what becomes of a judged message.
func (c *conn) query(list []*judged, text string) {
	var held []*judged
	for _, j := range list {
		switch j.d.Verdict {
		case policy.Allow:
		case policy.Hold:
			held = append(held, j)
		default:
			e := blocked(j)
			if len(list) > 1 {
				e.Message += " Nothing of this message was run."
			}
			c.refuseAll(list, j, "blocked", e)
			return
		}
	}
	if held == nil {
		c.forwardQuery(list, text)
		return
	}
	c.holdAll(list, held, holding{what: "query", text: text,
		again:   func() []*judged { return c.judgeAll(c.t.analyzer.Analyze(text, c.env()).Statements) },
		forward: func() { c.forwardQuery(list, text) }})
}

// refuseAll records all statements of a message of which one is refused, and says so.
func (c *conn) refuseAll(list []*judged, why *judged, status string, e *wire.Error) {
	for _, j := range list {
		c.refused(j, status, e)
	}
	c.refuseCommand(nil, why.ordinal, e)
}

// forwardQuery sends a message of which all statements may run, without its comments.
func (c *conn) forwardQuery(list []*judged, text string) {
	r := &command{com: wire.ComQuery}
	for _, j := range list {
		c.announce(j)
		r.runs = append(r.runs, c.start(j))
	}
	if len(list) > 0 {
		r.action = list[0].ordinal
	}
	c.s.Request(r.action, c.packet(wire.ComQuery, text))
	c.begun(nil, r)
}

// packet is a command with a text, without its comments and with ours before it.
func (c *conn) packet(com byte, text string) []byte {
	out := c.scratch()
	from := len(out)
	size := 1 + len(c.prefix) + len(text)
	if size >= wire.MaxPacket {
		b, next := wire.AppendPacket(nil, 0, append(append([]byte{com}, c.prefix...), text...))
		c.seq = next
		return b
	}
	out = append(out, byte(size), byte(size>>8), byte(size>>16), 0, com)
	out = append(append(out, c.prefix...), text...)
	*c.buffer, c.seq = out, 1
	return out[from:]
}

// overlay is what the statements of a message do to the names of prepared statements, one after the other.
type overlay struct {
	conn  *conn
	names map[string]*sql.Statement // nil value: removed
	// shifted says that one of them may have changed how texts are read or what names mean.
	shifted bool
}

// read is a statement as far as it is known how the target will read it: what a statement that runs by name changes is seen
// here only, since the analysis of a message does not know what it is.
func (o *overlay) read(st *sql.Statement) *sql.Statement {
	if !o.shifted {
		return st
	}
	b := mysql.Unparsed(st.Action.Text)
	b.Start, b.End = st.Start, st.End
	return b
}

const changesReading = sql.EffectNames | sql.EffectCatalog | sql.EffectOpaque

// maxBySQL bounds the names of prepared statements that a session's SQL makes.
const maxBySQL = 1000

// withInner gives a statement that runs another one by name with that one as Inner, on a copy.
func (o *overlay) withInner(st *sql.Statement) *sql.Statement {
	if st.Effects&sql.EffectExecute == 0 {
		return st
	}
	inner, known := o.names[st.Name]
	if !known {
		p := o.conn.bySQL[st.Name]
		if p == nil {
			return st
		}
		inner = p.current(o.conn)
	}
	if inner == nil {
		return st
	}
	b := *st
	b.Inner, b.Outputs = inner, inner.Outputs
	b.Effects |= inner.Effects
	return &b
}

func (o *overlay) apply(st *sql.Statement) {
	if st.Effects&sql.EffectExecute != 0 && (st.Inner == nil || st.Effects&changesReading != 0) {
		o.shifted = true
	}
	if st.Effects&(sql.EffectPrepare|sql.EffectDeallocate) == 0 {
		return
	}
	if o.names == nil {
		o.names = map[string]*sql.Statement{}
	}
	o.names[st.Name] = st.Inner
}

// named takes what a statement that has run did to the names of prepared statements.
func (c *conn) named(st *sql.Statement) {
	switch {
	case st.Effects&sql.EffectPrepare != 0 && st.Inner != nil && len(c.bySQL) < maxBySQL:
		c.bySQL[st.Name] = &prepared{text: st.Inner.Action.Text, st: st.Inner, env: c.env()}
	case st.Effects&(sql.EffectPrepare|sql.EffectDeallocate) != 0:
		delete(c.bySQL, st.Name)
	}
}

// sameHold reports whether the same people were asked already.
func sameHold(d *policy.Decision, asked []*judged) bool {
	return slices.ContainsFunc(asked, func(j *judged) bool {
		return j.d.Rule == d.Rule && j.d.Quorum == d.Quorum && slices.Equal(j.d.Approvers, d.Approvers)
	})
}

// innerTexts are the texts of the statements that the actions run by name: who approves an EXECUTE sees what it
// executes, and approves that.
func innerTexts(list []*judged) string {
	out := ""
	for _, j := range list {
		if st := j.st; st.Inner != nil && st.Effects&sql.EffectExecute != 0 {
			out += fmt.Sprintf("\n-- %s is:\n%s", st.Name, st.Inner.Action.Text)
		}
	}
	return out
}
