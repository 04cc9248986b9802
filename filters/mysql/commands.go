package mysql

import (
	"encoding/binary"
	"slices"

	"dragoman.dev/dragoman/internal/action"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
)

// waiting is why client messages are not taken at the moment.
type waiting uint8

const (
	waitNone     waiting = iota
	waitAnswer           // until the command that is under way is answered
	waitJob              // until names or catalog have been read
	waitHold             // until people have decided
	waitAnalysis         // until a long text has been analysed
)

// command is the command that is under way.
type command struct {
	com      byte
	action   uint64
	runs     []*run // one a statement
	at       int
	answer   answer
	prepared *prepared // that a COM_STMT_PREPARE makes, or that is run
	infile   bool      // the client sends a file
	stream   bool      // the rest of the client's message is still coming
	done     func(ok bool)
}

// onCommandBytes takes client bytes of an established session.
func (c *conn) onCommandBytes(b []byte) {
	c.s.Touch()
	if c.run != nil && (c.run.infile || c.run.stream) {
		c.take(b)
		c.commit()
		return
	}
	if c.wait != waitNone || len(c.in) > 0 || c.stalled != nil {
		c.lookAhead(b)
		return
	}
	c.take(b)
	c.commit()
}

// take handles the messages in b; when one has to wait, it and what follows are kept.
func (c *conn) take(b []byte) {
	c.client.Feed(b)
	for c.state == stReady && c.mayTake() {
		m, ok, err := c.client.Next()
		if err != nil {
			c.endSession("protocol", broken("invalid packet: "+err.Error()))
			return
		}
		if !ok {
			break
		}
		if c.handle(&m) {
			c.stalled = kept(&m)
			break
		}
	}
	if c.state != stReady {
		return
	}
	if c.mayTake() {
		c.client.Keeps() // the head of a message whose rest is to come
		return
	}
	if rest := c.client.Rest(); len(rest) > 0 {
		c.lookAhead(slices.Clone(rest))
	}
}

// mayTake reports whether the client's next bytes are for now.
func (c *conn) mayTake() bool {
	return c.wait == waitNone || c.wait == waitAnswer && c.run != nil && (c.run.infile || c.run.stream)
}

// kept is a piece with bytes of its own.
func kept(m *wire.Piece) *wire.Piece {
	p := *m
	p.Raw, p.Body = slices.Clone(m.Raw), slices.Clone(m.Body)
	return &p
}

// work goes on with what waited.
func (c *conn) work() {
	if c.working {
		return
	}
	c.working = true
	defer func() { c.working = false }()
	for c.state == stReady && c.mayTake() {
		if f := c.then; f != nil {
			c.then = nil
			f()
			continue
		}
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
	if c.state == stReady {
		c.pause(len(c.in) >= maxLookAhead)
		c.commit()
	}
}

// handle takes one client message, or a piece of one; true means that it has to wait and must be given again.
func (c *conn) handle(m *wire.Piece) bool {
	if r := c.run; r != nil {
		c.during(r, m)
		return false
	}
	if !m.First {
		c.continued(m)
		return false
	}
	c.seq = m.End + 1
	if len(m.Body) == 0 {
		c.refuseCommand(m, 0, unknownCommand(0))
		return false
	}
	switch com := m.Body[0]; com {
	case wire.ComQuery:
		return c.onQuery(m)
	case wire.ComStmtPrepare:
		return c.onPrepare(m)
	case wire.ComStmtExecute:
		return c.onExecute(m)
	case wire.ComStmtLongData:
		c.onLongData(m)
	case wire.ComStmtClose:
		c.onClose(m)
	case wire.ComStmtFetch, wire.ComStmtReset:
		c.onStatement(m)
	case wire.ComQuit:
		c.quit(m)
	case wire.ComInitDB:
		return c.onInitDB(m)
	case wire.ComFieldList:
		return c.onFieldList(m)
	case wire.ComProcessKill:
		c.onProcessKill(m)
	case wire.ComPing, wire.ComStatistics, wire.ComSetOption, wire.ComResetConnection:
		c.onPlain(m)
	default:
		c.refuseCommand(m, 0, unknownCommand(com))
	}
	return false
}

// unknownCommand refuses a command, and says what to do where people ask for it.
func unknownCommand(com byte) *wire.Error {
	e := &wire.Error{Number: errUnknownCom, State: stateConnection, Message: "Unknown command"}
	switch com {
	case wire.ComChangeUser:
		e.Message += ": the user of a session is not changed (rule: change_user.) Hint: open a new connection"
	case wire.ComBinlogDump, wire.ComBinlogDumpGTID, wire.ComRegisterSlave, wire.ComTableDump:
		e.Message += ": replication is refused (rule: replication.): its stream carries whole rows, which can be neither judged nor masked"
	}
	return e
}

// during takes what a client sends while its command is under way: a file, or the rest of a long message.
func (c *conn) during(r *command, m *wire.Piece) {
	c.s.Request(r.action, m.Raw)
	switch {
	case r.infile:
		c.seq = m.End + 1
		if m.Whole() && len(m.Body) == 0 {
			r.infile = false
		}
	case m.Last:
		r.stream = false
		c.seq = m.End + 1
	}
}

// continued is a later piece of a long message that is refused, or needs no answer.
func (c *conn) continued(m *wire.Piece) {
	if p := c.passing; p != nil {
		p.add(m.Raw)
		c.s.Request(0, m.Raw)
		if m.Last {
			c.passing = nil
		}
		return
	}
	if !m.Last {
		return
	}
	c.seq = m.End + 1
	if f := c.dropped; f != nil {
		c.dropped = nil
		f()
	}
}

// refuseCommand answers a command with an error; the session goes on. The rest of a long message is dropped first.
func (c *conn) refuseCommand(m *wire.Piece, action uint64, e *wire.Error) {
	if m != nil && !m.Last {
		c.dropped = func() { c.s.Respond(action, c.say(e)) }
		return
	}
	c.s.Respond(action, c.say(e))
}

// begun puts a command under way.
func (c *conn) begun(m *wire.Piece, r *command) {
	r.stream = m != nil && !m.Last
	c.run, c.wait = r, waitAnswer
}

// onPlain passes a command that touches neither data nor names.
func (c *conn) onPlain(m *wire.Piece) {
	if !m.Whole() || len(m.Body) > 16 {
		c.refuseCommand(m, 0, unknownCommand(0))
		return
	}
	com := m.Body[0]
	c.s.Request(0, m.Raw)
	c.begun(m, &command{com: com, done: func(ok bool) {
		if ok && com == wire.ComResetConnection {
			clear(c.prepared)
			clear(c.bySQL)
			c.temps = nil
			c.namesDirty = true
		}
	}})
}

// onInitDB is USE as a command.
func (c *conn) onInitDB(m *wire.Piece) bool {
	if !m.Whole() || len(m.Body) > 1<<10 {
		c.refuseCommand(m, 0, unknownCommand(0))
		return false
	}
	name := string(m.Body[1:])
	st := plainStatement("use", "USE "+name)
	st.Name = name
	c.simple(m, st, &command{com: wire.ComInitDB, done: func(bool) { c.namesDirty = true }})
	return false
}

// onFieldList is the old way to ask for a table's columns.
func (c *conn) onFieldList(m *wire.Piece) bool {
	if !m.Whole() || len(m.Body) > 1<<10 {
		c.refuseCommand(m, 0, unknownCommand(0))
		return false
	}
	table, _, _ := cutNUL(m.Body[1:])
	c.simple(m, plainStatement("show", "SHOW COLUMNS FROM "+table), &command{com: wire.ComFieldList})
	return false
}

func cutNUL(b []byte) (string, []byte, bool) {
	i := slices.Index(b, 0)
	if i < 0 {
		return string(b), nil, false
	}
	return string(b[:i]), b[i+1:], true
}

// plainStatement is the statement that a command stands for.
func plainStatement(verb, text string) *sql.Statement {
	return &sql.Statement{Action: action.Action{Kind: action.KindSQL, Verbs: []string{verb}, Reads: []action.Object{}, Writes: []action.Object{},
		Functions: []action.Function{}, Params: []action.Param{}, Features: map[string]any{}, Text: text, Fingerprint: verb}}
}

// simple judges a command that stands for one statement, and passes it as it is.
func (c *conn) simple(m *wire.Piece, st *sql.Statement, r *command) {
	j := c.decide(st, moment{})
	switch j.d.Verdict {
	case policy.Allow:
		c.announce(j)
		r.action, r.runs = j.ordinal, []*run{c.start(j)}
		c.s.Request(j.ordinal, m.Raw)
		c.begun(m, r)
	default:
		e := blocked(j)
		c.refused(j, "blocked", e)
		c.refuseCommand(m, j.ordinal, e)
	}
}

func statementID(body []byte) (uint32, bool) {
	if len(body) < 5 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(body[1:]), true
}
