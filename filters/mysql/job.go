package mysql

import (
	"errors"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// job is queries of our own, which run over the session's own connection while nothing of the client's is under way.
type job struct {
	queries []string
	results [][][]string
	bytes   int
	phase   phase
	columns int
	left    int
	done    func(results [][][]string, err error)
	// tolerant says that a query may fail; its result then has no rows.
	tolerant bool
	retried  bool
	release  func() // ends a task that other sessions wait for, when the connection is lost
}

// maxJobBytes bounds a job's answer.
const maxJobBytes = 256 << 20

// runJob sends the first query; done is called when all are answered. Client messages wait until then.
func (c *conn) runJob(queries []string, done func([][][]string, error)) {
	c.job = &job{queries: queries, done: done}
	c.wait = waitJob
	c.sendJob()
}

func (c *conn) sendJob() {
	j := c.job
	j.phase = phHead
	b, _ := wire.AppendPacket(nil, 0, append([]byte{wire.ComQuery}, j.queries[len(j.results)]...))
	j.results = append(j.results, nil)
	c.s.Unrecorded(b)
}

// jobAnswer takes a message that answers a job; false means that the session has ended.
func (c *conn) jobAnswer(m *wire.Piece) bool {
	j := c.job
	if !m.Whole() || len(m.Body) == 0 || j.bytes > maxJobBytes {
		c.badAnswer("an answer to the gateway's own query")
		return false
	}
	j.bytes += len(m.Body)
	if m.Body[0] == wire.HeadErr {
		e, err := wire.DecodeError(m.Body)
		if err != nil {
			e.Message = "an error that is not understood"
		}
		if j.tolerant && len(j.results) < len(j.queries) {
			c.sendJob()
			return true
		}
		if !j.tolerant && !j.retried {
			// A KILL QUERY that was meant for the client's statement, a table that was changed meanwhile: not so the next time.
			c.t.rt.Log().Warn("a query of the gateway's own failed, and is tried again", "target", c.cfg.Target.Name, "error", e.Message)
			j.retried, j.results = true, j.results[:len(j.results)-1]
			c.sendJob()
			return true
		}
		c.jobDone(errors.New(e.Message))
		return c.state != stClosed
	}
	switch j.phase {
	case phHead:
		n, _, err := wire.Lenenc(m.Body)
		if err != nil || n == 0 || n > 4096 {
			c.badAnswer("an answer to the gateway's own query")
			return false
		}
		j.columns, j.left, j.phase = int(n), int(n), phColumns
	case phColumns:
		if j.left--; j.left == 0 {
			j.phase = phColumnsEnd
			if c.caps&wire.CapDeprecateEOF != 0 {
				j.phase = phRows
			}
		}
	case phColumnsEnd:
		j.phase = phRows
	case phRows:
		if ok, is := c.terminator(m); is {
			c.status = ok.Status
			if len(j.results) < len(j.queries) {
				c.sendJob()
				return true
			}
			c.jobDone(nil)
			return c.state != stClosed
		}
		return c.jobRow(j, m.Body)
	}
	return true
}

func (c *conn) jobRow(j *job, b []byte) bool {
	row := make([]string, 0, j.columns)
	for range j.columns {
		if len(b) > 0 && b[0] == 0xfb {
			row, b = append(row, ""), b[1:]
			continue
		}
		v, rest, err := wire.LenencString(b)
		if err != nil {
			c.badAnswer("a row for the gateway's own query")
			return false
		}
		row, b = append(row, string(v)), rest
	}
	last := len(j.results) - 1
	j.results[last] = append(j.results[last], row)
	return true
}

// jobDone hands the answer on.
func (c *conn) jobDone(err error) {
	j := c.job
	c.job = nil
	if c.wait == waitJob {
		c.wait = waitNone
	}
	j.done(j.results, err)
}
