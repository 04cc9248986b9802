package mysql

import (
	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// clientEnded is the end of what the client sends. Envoy keeps the other half open until we close it. What runs for a
// client that is gone is ended at the target; a held action is withdrawn.
func (c *conn) clientEnded() {
	if c.state != stClosed {
		c.ended = true
		c.endQuietly("client", "the client ended the connection")
	}
}

// quit is the client's goodbye.
func (c *conn) quit(m *wire.Piece) {
	c.s.Request(0, m.Raw)
	c.close()
	c.s.End("client", "")
}

// gone is the end of the client's connection.
func (c *conn) gone(byClient bool) {
	if c.state == stClosed && (c.s == nil || c.s.Ended()) {
		return
	}
	c.close()
	if c.s != nil && !c.s.Ended() {
		reason := "client"
		if !byClient {
			reason = "target"
		}
		c.lose("the connection ended")
		c.s.Gone(reason, "")
	}
}

// upstreamGone is the end of the target's connection.
func (c *conn) upstreamGone(message, detail string) {
	c.behind = nil // nothing is left that could be ended
	if c.state == stClosed {
		return
	}
	if detail != "" {
		message += ": " + detail
	}
	c.endSession("target", broken(message))
}

// endSession says an error and ends the connection, with its session if there is one.
func (c *conn) endSession(reason string, e *wire.Error) {
	if c.s == nil {
		c.refuse(e)
		return
	}
	if c.state == stClosed {
		return
	}
	c.lose(e.Message)
	c.s.Respond(0, c.say(e))
	c.endQuietly(reason, e.Message)
}

// endQuietly ends the session without a word to the client.
func (c *conn) endQuietly(reason, message string) {
	c.lose(message)
	c.close()
	if c.s != nil {
		c.s.End(reason, message)
		return
	}
	c.host.Close(api.FlushWrite)
}

// lose ends the runs that will get no result any more.
func (c *conn) lose(message string) {
	if c.s == nil || c.s.Ended() || c.run == nil {
		return
	}
	c.stopTarget()
	for _, r := range c.run.runs {
		c.finish(r, "lost", "", message, "")
	}
	c.run = nil
}

// Expired implements session.Protocol.
func (c *conn) Expired(_, message string) []byte {
	c.lose(message)
	c.close()
	return c.say(&wire.Error{Number: errShutdown, State: stateConnection, Message: "the session was ended: " + message})
}

// Lost implements session.Protocol.
func (c *conn) Lost(error) []byte {
	if c.run != nil {
		c.stopTarget()
	}
	c.close()
	return c.say(&wire.Error{Number: errShutdown, State: stateConnection, Message: "the session cannot be recorded any longer"})
}

// notRecorded ends a session of which a batch could not be recorded; a command that has gone nowhere yet is refused.
func (c *conn) notRecorded(err error) {
	c.t.rt.Log().Error("record", "session", c.s.ID(), "error", err)
	if c.run != nil {
		c.stopTarget()
	}
	c.host.Write(c.say(&wire.Error{Number: errDiskFull, Message: "the session cannot be recorded, so it ends; ask whoever runs this gateway"}), false)
	c.close()
	c.s.End("fault", err.Error())
}
