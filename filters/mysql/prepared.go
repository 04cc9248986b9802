package mysql

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// prepared is a statement that the target has under a number, or by SQL under a name.
type prepared struct {
	id     uint32
	text   string
	st     *sql.Statement
	env    mysql.Env // that st was analysed against
	params int
	types  []wire.ParamType // of the last execution
	long   map[int]*longParam
	cursor *run // whose rows a fetch gives
}

// longParam is a parameter that is sent in pieces before the statement is run.
type longParam struct {
	head []byte // as much as is kept
	size int64
	sum  hash.Hash
}

// maxLong is how much of a long parameter is kept for policy and record.
const maxLong = 64 << 10

// add takes a piece of the value.
func (l *longParam) add(data []byte) {
	l.sum.Write(data)
	l.size += int64(len(data))
	if l.size <= maxLong {
		l.head = append(l.head, data...)
	}
}

// passing is a message of more than is kept, whose rest is passed on as it comes: a piece of a parameter.
type passing struct {
	param   *longParam
	payload wire.Payload
	skip    int // bytes of the payload before the value
}

func (p *passing) add(raw []byte) {
	p.payload.Each(raw, func(b []byte) {
		n := min(p.skip, len(b))
		p.skip -= n
		p.param.add(b[n:])
	})
}

// param is the parameter as policy and people see it; a longer one is known by its size and digest.
func (l *longParam) param() action.Param {
	switch {
	case l.size > int64(len(l.head)):
		return action.Param{Value: fmt.Sprintf("%d bytes, sha256 %x", l.size, l.sum.Sum(nil)), Encoding: "digest"}
	case !utf8.Valid(l.head):
		return action.Param{Value: base64.StdEncoding.EncodeToString(l.head), Encoding: "base64"}
	}
	return action.Param{Value: string(l.head)}
}

// current is the statement's analysis for the names of now.
func (p *prepared) current(c *conn) *sql.Statement {
	if env := c.env(); p.env != env {
		b := c.t.analyzer.Analyze(p.text, env)
		if len(b.Statements) != 1 || !c.readable(p.text) {
			return mysql.Unparsed(p.text)
		}
		p.st, p.env = b.Statements[0], env
	}
	return p.st
}

// onPrepare takes a statement that is to be prepared, and judges it as far as that can be done without parameters.
func (c *conn) onPrepare(m *wire.Piece) bool {
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
	switch {
	case len(b.Statements) > 1:
		c.refuseCommand(m, 0, &wire.Error{Number: 1295, State: "HY000", Message: "This command is not supported in the prepared statement protocol yet: several statements"})
		return false
	case len(c.prepared) >= c.cfg.maxPrepared():
		c.refuseCommand(m, 0, &wire.Error{Number: errTooMany, State: stateAccess, Message: "too many prepared statements in this session (rule: max_prepared.) Hint: close those that are not needed"})
		return false
	}
	p := &prepared{text: b.Text, st: mysql.Unparsed(b.Text), env: c.env()}
	if len(b.Statements) == 1 {
		p.st = b.Statements[0]
	}
	if !c.t.policy.Engine().UsesParams() || p.st.Action.Has("kill") {
		o := overlay{conn: c}
		if j := c.decide(o.withInner(p.st), moment{unresolved: c.uncertain()}); j.d.Verdict == policy.Block {
			e := blocked(j)
			c.refused(j, "blocked", e)
			c.refuseCommand(m, j.ordinal, e)
			return false
		}
	}
	c.s.Request(0, c.packet(wire.ComStmtPrepare, b.Text))
	c.begun(nil, &command{com: wire.ComStmtPrepare, prepared: p})
	return false
}

// lastPrepared is the number by which clients of MariaDB name the statement that was prepared last.
const lastPrepared = 0xffffffff

func (c *conn) find(id uint32) *prepared {
	if id == lastPrepared {
		id = c.last
	}
	return c.prepared[id]
}

func unknownStatement(id uint32, what string) *wire.Error {
	return &wire.Error{Number: errUnknownStmt, State: "HY000", Message: fmt.Sprintf("Unknown prepared statement handler (%d) given to %s", id, what)}
}

// onExecute runs a prepared statement: it is judged with its parameters.
func (c *conn) onExecute(m *wire.Piece) bool {
	x, err := wire.DecodeExecute(m.Body)
	if err != nil {
		c.endSession("protocol", broken("invalid COM_STMT_EXECUTE"))
		return false
	}
	p := c.find(x.ID)
	if p == nil {
		c.refuseCommand(m, 0, unknownStatement(x.ID, "mysqld_stmt_execute"))
		return false
	}
	if c.settle(p.text) {
		return true
	}
	o := overlay{conn: c}
	st := o.withInner(p.current(c))
	params, ok := c.params(m, &x, p)
	if !ok {
		return false
	}
	j := c.decide(st, moment{params: params, unresolved: c.uncertain()})
	if !m.Whole() && j.d.Verdict != policy.Block && (j.d.Verdict == policy.Hold || c.t.policy.Engine().UsesParams()) || j.d.Verdict == policy.Allow && hiddenParam(params) && c.t.policy.Engine().UsesParams() {
		e := denied("the parameters are too long to be judged or held", "rule: parameter_size. Policy looks at parameters, or people have to approve them.", "Send shorter parameters.")
		c.refused(j, "blocked", e)
		c.refuseCommand(m, j.ordinal, e)
		return false
	}
	c.execute(m, p, j)
	return false
}

func hiddenParam(list []action.Param) bool {
	for i := range list {
		if list[i].Encoding == "digest" {
			return true
		}
	}
	return false
}

// params decodes the parameters; of a message that is too long to be held they are not known.
func (c *conn) params(m *wire.Piece, x *wire.Execute, p *prepared) ([]action.Param, bool) {
	if !m.Whole() {
		out := make([]action.Param, p.params)
		for i := range out {
			out[i] = action.Param{Value: "not kept: the message is too long", Encoding: "digest"}
		}
		return out, true
	}
	out, types, err := x.Params(p.params, p.types, func(i int) (action.Param, bool) {
		l := p.long[i]
		if l == nil {
			return action.Param{}, false
		}
		return l.param(), true
	})
	if err != nil || x.Rounds > 1 {
		c.endSession("protocol", broken("invalid COM_STMT_EXECUTE"))
		return nil, false
	}
	p.types = types
	return out, true
}

// execute does what was decided.
func (c *conn) execute(m *wire.Piece, p *prepared, j *judged) {
	list := []*judged{j}
	raw, seq := m.Raw, c.seq
	forward := func(m *wire.Piece, raw []byte) {
		r := &command{com: wire.ComStmtExecute, runs: []*run{c.start(j)}, action: j.ordinal, prepared: p}
		// The number may be that of the statement that was prepared last.
		if binary.LittleEndian.Uint32(raw[5:]) != p.id {
			raw = append([]byte(nil), raw...)
			binary.LittleEndian.PutUint32(raw[5:], p.id)
		}
		c.seq = seq
		c.s.Request(j.ordinal, raw)
		c.begun(m, r)
	}
	switch j.d.Verdict {
	case policy.Allow:
		c.announce(j)
		forward(m, raw)
	case policy.Hold:
		raw = append([]byte(nil), raw...)
		params := j.action.Params
		c.holdAll(list, list, holding{what: "execute", text: p.text, exact: [][]byte{raw[9:], record.AppendParams(nil, params)},
			again: func() []*judged {
				o := overlay{conn: c}
				return []*judged{c.decide(o.withInner(p.current(c)), moment{params: params, unresolved: c.uncertain()})}
			},
			forward: func() { forward(nil, raw) }})
	default:
		e := blocked(j)
		c.refused(j, "blocked", e)
		c.refuseCommand(m, j.ordinal, e)
	}
}

// onLongData passes a piece of a parameter. The target keeps it until the statement is run, which is judged; nothing
// answers it.
func (c *conn) onLongData(m *wire.Piece) {
	id, ok := statementID(m.Body)
	if !ok || len(m.Body) < 7 {
		c.endSession("protocol", broken("invalid COM_STMT_SEND_LONG_DATA"))
		return
	}
	p := c.find(id)
	if p == nil {
		return // as a server does
	}
	i := int(binary.LittleEndian.Uint16(m.Body[5:]))
	if i >= p.params {
		return
	}
	if p.long == nil {
		p.long = map[int]*longParam{}
	}
	l := p.long[i]
	if l == nil {
		l = &longParam{sum: sha256.New()}
		p.long[i] = l
	}
	if m.Whole() {
		l.add(m.Body[7:])
	} else {
		c.passing = &passing{param: l, skip: 7}
		c.passing.add(m.Raw)
	}
	out := append([]byte(nil), m.Raw...)
	binary.LittleEndian.PutUint32(out[5:], p.id)
	c.s.Request(0, out)
}

// onClose forgets a statement. Nothing answers it.
func (c *conn) onClose(m *wire.Piece) {
	id, ok := statementID(m.Body)
	if p := c.find(id); ok && p != nil && m.Whole() {
		delete(c.prepared, p.id)
		b, _ := wire.AppendPacket(nil, 0, binary.LittleEndian.AppendUint32([]byte{wire.ComStmtClose}, p.id))
		c.s.Request(0, b)
	}
}

// onStatement passes COM_STMT_RESET, and COM_STMT_FETCH of a cursor under the masks of its statement.
func (c *conn) onStatement(m *wire.Piece) {
	id, ok := statementID(m.Body)
	p := c.find(id)
	if !ok || p == nil || !m.Whole() {
		c.refuseCommand(m, 0, unknownStatement(id, "mysqld_stmt_fetch"))
		return
	}
	r := &command{com: m.Body[0], prepared: p}
	if r.com == wire.ComStmtReset {
		p.long, p.cursor = nil, nil
		c.s.Request(0, m.Raw)
		c.begun(m, r)
		return
	}
	if p.cursor == nil {
		c.refuseCommand(m, 0, &wire.Error{Number: 1421, State: "HY000", Message: fmt.Sprintf("The statement (%d) has no open cursor.", id)})
		return
	}
	again := *p.cursor
	if again.d.Revision != c.judge.Revision() {
		j := *again.judged
		if c.pass(&j); j.d.Verdict == policy.Block {
			c.refuseCommand(m, j.ordinal, blocked(&j))
			return
		}
		again.judged = &j
	}
	r.runs, r.action = []*run{&again}, again.ordinal
	c.s.Request(again.ordinal, m.Raw)
	c.begun(m, r)
	c.fetches(r)
}
