package postgres

import "dragoman.dev/dragoman/filters/postgres/wire"

// clientEnded is the end of what the client sends: its process is gone, or it has
// closed its half of the connection. Envoy keeps the other half open until we
// close it. A client that has said goodbye has what it sent before carried out, as a server does.
// One that vanished without a word has what runs cancelled, and what waits is dropped;
// a held action of a client that is gone is withdrawn.
func (c *conn) clientEnded() {
	switch c.state {
	case stClosed, stCancel: // a cancel request ends by itself
	case stReady:
		c.ended = true
		unfinished := c.relay.queue.len() > 0 || c.wait != waitNone || c.stalled != nil || len(c.in) > 0
		if c.wait != waitHold && unfinished && !c.saidGoodbye() {
			c.endQuietly("client", "the client ended the connection while a statement was running")
			return
		}
		c.endWhenDone()
	default:
		c.endQuietly("client", "the client ended the connection")
	}
}

// endWhenDone ends the session of a client that sends no more, once nothing of what it
// has sent waits.
func (c *conn) endWhenDone() {
	if !c.ended || c.state != stReady {
		return
	}
	switch {
	case c.wait == waitHold:
	case c.wait != waitNone || c.stalled != nil || len(c.in) > 0:
		return
	}
	if c.client.Mid() { // a goodbye would become part of the message
		c.endQuietly("client", "the client ended the connection within a message")
		return
	}
	c.terminate()
}

// seeTerminate looks whether the client says goodbye while it waits for people.
func (c *conn) seeTerminate() {
	if c.saidGoodbye() {
		c.terminate()
	}
}

// saidGoodbye looks for a goodbye among what waits.
func (c *conn) saidGoodbye() bool {
	if c.stalled != nil && c.stalled.Type == wire.Terminate {
		return true
	}
	look := wire.Reader{Table: c.cfg.frontend}
	look.Feed(c.in)
	for {
		m, ok, err := look.Next()
		if err != nil || !ok {
			return false
		}
		if m.First && m.Type == wire.Terminate {
			return true
		}
	}
}

// Expired implements session.Protocol.
func (c *conn) Expired(_, message string) []byte {
	c.lose("lost", message)
	c.close()
	return wire.AppendError(nil, fatal(codeAdminShutdown, "the session was ended: "+message, "", ""))
}

// Lost implements session.Protocol.
func (c *conn) Lost(error) []byte {
	c.close()
	return wire.AppendError(nil, fatal(codeIOError, "the session cannot be recorded any longer", "", ""))
}
