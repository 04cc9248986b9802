package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dragoman.dev/dragoman/filters/postgres/wire"
)

// job is a query of our own: one row with one text. It runs over the session's own connection,
// while nothing of the client's is in flight, under a name of its own: a simple
// Query would destroy the client's unnamed statement.
type job struct {
	value   []byte
	left    int // bytes of a value that comes in pieces
	rows    int
	failed  string
	done    func(value string, err error)
	release func() // ends a task that other sessions wait for
}

// jobName is the statement and portal of a job.
const jobName = "dragoman"

// maxJobValue bounds a job's answer.
const maxJobValue = 256 << 20

// runJob sends the query; done is called when its answer is complete. Client
// messages wait until then.
func (c *conn) runJob(query string, done func(value string, err error)) {
	r := &c.relay
	r.job = &job{done: done}
	c.wait = waitJob
	out := wire.AppendParse(nil, jobName, "", []byte(query), []byte{0, 0})
	out = wire.AppendBindPlain(out, jobName, jobName)
	out = wire.AppendExecute(out, jobName)
	out = wire.AppendNamed(out, wire.Close, 'P', jobName)
	out = wire.AppendNamed(out, wire.Close, 'S', jobName)
	out = wire.AppendEmpty(out, wire.Sync)
	for _, k := range [...]kind{eParse, eBind, eExecute, eClose, eClose, eSync} {
		r.queue.push(k, r.pipeline).internal = true
	}
	c.s.Unrecorded(out)
}

// jobAnswer is a message that answers a job.
func (c *conn) jobAnswer(e *entry, m *wire.Piece) bool {
	j := c.relay.job
	expected := map[kind]byte{eParse: wire.ParseComplete, eBind: wire.BindComplete, eExecute: wire.CommandComplete,
		eClose: wire.CloseComplete, eSync: wire.ReadyForQuery}[e.kind]
	switch {
	case m.Type == wire.DataRow && e.kind == eExecute:
		return c.jobRow(j, m)
	case m.Type != expected:
		c.badAnswer("an unexpected answer to the gateway's own query")
		return false
	case m.Type == wire.ReadyForQuery:
		c.relay.queue.pop()
		c.relay.tx = m.Body[0]
		c.relay.job = nil
		c.jobDone(j)
		return c.state != stClosed
	}
	c.relay.queue.pop()
	return true
}

// jobRow takes the row: int16 columns, int32 length, the text.
func (c *conn) jobRow(j *job, m *wire.Piece) bool {
	j.rows++
	b := m.Body
	if j.rows > 1 || len(b) < 6 || binary.BigEndian.Uint16(b) != 1 || m.Len > maxJobValue {
		c.badAnswer("an unexpected row for the gateway's own query")
		return false
	}
	j.value = append([]byte(nil), b[6:]...)
	return true
}

func (c *conn) jobPiece(m *wire.Piece) bool {
	j := c.relay.job
	j.value = append(j.value, m.Raw...)
	return true
}

// jobDone hands the answer on.
func (c *conn) jobDone(j *job) {
	if c.wait == waitJob {
		c.wait = waitNone
	}
	switch {
	case j.failed != "":
		j.done("", errors.New(j.failed))
	case j.rows != 1:
		j.done("", fmt.Errorf("%d rows", j.rows))
	default:
		j.done(string(j.value), nil)
	}
}

// fail ends a job whose connection is gone.
func (j *job) fail(c *conn) {
	c.relay.job = nil
	if j.release != nil {
		j.release()
	}
}
