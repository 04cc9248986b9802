package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"dragoman.dev/dragoman/filters/postgres/wire"
)

// job is a query of our own: one row with one text. It runs over the session's own connection,
// while nothing of the client's is in flight, under a name of its own: a simple
// Query would destroy the client's unnamed statement.
type job struct {
	value   []byte
	rows    int
	failed  string
	fenced  bool // runs below a savepoint of its own
	done    func(value string, err error)
	release func() // ends a task that other sessions wait for
}

// jobName is the statement, portal and savepoint of a job.
const jobName = "dragoman"

// maxJobValue bounds a job's answer.
const maxJobValue = 256 << 20

// Inside the client's transaction a job runs below a savepoint that is rolled back: the locks that
// it took (printing a view's definition locks the tables behind it) are given back, and its failure does not
// fail the transaction.
var (
	fence   = []string{"SAVEPOINT " + jobName}
	unfence = []string{"ROLLBACK TO SAVEPOINT " + jobName, "RELEASE SAVEPOINT " + jobName}
)

// runJob sends the query; done is called when its answer is complete. Client
// messages wait until then.
func (c *conn) runJob(query string, done func(value string, err error)) {
	r := &c.relay
	r.job = &job{done: done, fenced: r.tx == wire.TxBlock}
	c.wait = waitJob
	texts := []string{query}
	if r.job.fenced {
		texts = slices.Concat(fence, texts, unfence)
	}
	c.sendJob(texts)
}

func (c *conn) sendJob(texts []string) {
	var out []byte
	r := &c.relay
	// A job that failed has left its statement and portal behind; a Close of none is no error.
	out = wire.AppendNamed(out, wire.Close, 'S', jobName)
	out = wire.AppendNamed(out, wire.Close, 'P', jobName)
	r.queue.push(eClose, r.pipeline).internal = true
	r.queue.push(eClose, r.pipeline).internal = true
	for _, text := range texts {
		out = wire.AppendParse(out, jobName, "", []byte(text), []byte{0, 0})
		out = wire.AppendBindPlain(out, jobName, jobName)
		out = wire.AppendExecute(out, jobName)
		out = wire.AppendNamed(out, wire.Close, 'P', jobName)
		out = wire.AppendNamed(out, wire.Close, 'S', jobName)
		for _, k := range [...]kind{eParse, eBind, eExecute, eClose, eClose} {
			r.queue.push(k, r.pipeline).internal = true
		}
	}
	r.queue.push(eSync, r.pipeline).internal = true
	c.s.Unrecorded(wire.AppendEmpty(out, wire.Sync))
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
		if j.fenced && c.relay.tx == wire.TxFailed {
			j.fenced = false
			c.sendJob(unfence)
			return true
		}
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
