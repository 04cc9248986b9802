package mysql

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"dragoman.dev/dragoman/filters/statement"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
)

// KILL ends what a session of one's own runs, or the session. All sessions log in to the target as the same user, so
// the server would let each end every other: the gateway knows whose they are. A number is that of the greeting, which
// the gateway gave, or the server's own.

// owner is the secret by which sessions are found: whose they are, and at which target.
func (c *conn) owner() []byte {
	id := c.s.Opened().Identity
	b, _ := json.Marshal([]any{id.Subject, id.Actors, id.OnBehalfOf, id.Issuer}) // strings
	return []byte(statement.Digest([]byte("mysql"), []byte(c.cfg.Target.Name), b))
}

func (c *conn) isKill(st *sql.Statement) bool {
	_, ok := st.Action.Features["kill"]
	return ok && len(st.Action.Verbs) == 1
}

// onProcessKill is KILL as a command.
func (c *conn) onProcessKill(m *wire.Piece) {
	if !m.Whole() || len(m.Body) != 5 {
		c.refuseCommand(m, 0, unknownCommand(0))
		return
	}
	id := binary.LittleEndian.Uint32(m.Body[1:])
	st := plainStatement("kill", "KILL "+strconv.FormatUint(uint64(id), 10))
	st.Action.Features["kill"] = "connection " + strconv.FormatUint(uint64(id), 10)
	c.kill(m, st)
}

// kill judges a KILL of a session of one's own, finds the session and does to it what is asked.
func (c *conn) kill(m *wire.Piece, st *sql.Statement) {
	word, number, _ := strings.Cut(fmt.Sprint(st.Action.Features["kill"]), " ")
	id, err := strconv.ParseUint(number, 10, 32)
	key := c.t.rt.FindCancel(uint32(id), c.owner())
	if err == nil && key != nil {
		own := *st
		own.Action.Features = map[string]any{"kill": st.Action.Features["kill"]} // it acts on nobody else's session
		st = &own
	}
	j := c.decide(st, moment{})
	if j.d.Verdict != policy.Allow {
		e := blocked(j)
		c.refused(j, "blocked", e)
		c.refuseCommand(m, j.ordinal, e)
		return
	}
	owner, ok := (*conn)(nil), false
	if key != nil {
		owner, ok = key.Session.(*conn)
	}
	if !ok {
		e := &wire.Error{Number: errUnknownThread, State: "HY000", Message: fmt.Sprintf("Unknown thread id: %d", id)}
		c.refused(j, "error", e)
		c.refuseCommand(m, j.ordinal, e)
		return
	}
	c.announce(j)
	c.wait = waitJob
	asked := key.Post(func() {
		thread, held := owner.killed(word)
		c.host.Post(func() { c.forwardKill(j, word, thread, held) })
	})
	if !asked {
		c.host.Post(func() { c.forwardKill(j, word, 0, true) })
	}
}

// killed is called on the session that is meant. A held statement is withdrawn; anything else is for the target.
func (c *conn) killed(word string) (thread uint32, done bool) {
	if c.state != stReady {
		return 0, true
	}
	c.s.Frame(record.KindNote, 0, record.Note{What: "kill " + word})
	c.commit()
	if h := c.s.Waits(); h != nil {
		h.Withdraw()
		if word == "query" {
			return 0, true
		}
	}
	return c.thread, false
}

// forwardKill sends KILL with the server's number.
func (c *conn) forwardKill(j *judged, word string, thread uint32, done bool) {
	if c.state != stReady || c.wait != waitJob {
		return
	}
	c.wait = waitNone
	if done {
		r := c.start(j)
		c.finish(r, "ok", "", "", "")
		b, next := wire.AppendPacket(nil, c.seq, wire.AppendOK(nil, wire.OK{Status: c.status}))
		c.seq = next
		c.s.Respond(j.ordinal, b)
		c.commit()
		c.work()
		return
	}
	body := append([]byte{wire.ComQuery}, fmt.Sprintf("KILL %s %d", strings.ToUpper(word), thread)...)
	b, next := wire.AppendPacket(nil, 0, body)
	c.seq = next
	c.s.Request(j.ordinal, b)
	c.begun(nil, &command{com: wire.ComQuery, action: j.ordinal, runs: []*run{c.start(j)}})
	c.commit()
}
