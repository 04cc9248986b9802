package ssh

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	// corkMax is how much is written with one call; a unix socket's own buffer is not much larger.
	corkMax = 128 << 10
	// corkTime bounds how long something that is written waits for more: the other side may have to answer before there is more.
	corkTime = time.Millisecond
	// corkMin is how many bytes a message has at least for which it is worth it. x/crypto/ssh writes a packet that is smaller at once.
	corkMin = 4 << 10
)

// corkBuffers are those of connections through which much goes just now.
var corkBuffers = sync.Pool{New: func() any { b := make([]byte, 0, corkMax); return &b }}

// corked is a connection on which what belongs together is written together. x/crypto/ssh cuts a message into packets of
// 32 KiB and writes each with two calls, and every call wakes whoever reads the socket.
type corked struct {
	net.Conn

	mu    sync.Mutex
	holds int     // messages that are being written
	buf   *[]byte // nil where nothing waits
	timer *time.Timer
	err   error // of a write that nobody waited for
}

// hold makes what is written wait until as many calls of release, but not for long.
func (c *corked) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds++
}

func (c *corked) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holds--; c.holds == 0 {
		c.flush()
	}
}

// together calls write for a message of n bytes.
func (c *corked) together(n int, write func() error) error {
	if c == nil || n < corkMin {
		return write()
	}
	c.hold()
	defer c.release()
	return write()
}

// whole writes a message to a channel on the connection.
func (c *corked) whole(to io.Writer, b []byte) error {
	return c.together(len(b), func() error {
		_, err := to.Write(b)
		return err
	})
}

// Write writes b at once, or takes it in; what was written before goes before it.
func (c *corked) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buf != nil && len(*c.buf)+len(b) > corkMax {
		c.flush()
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.holds == 0 || len(b) > corkMax {
		c.flush()
		if c.err != nil {
			return 0, c.err
		}
		return c.Conn.Write(b)
	}
	if c.buf == nil {
		c.buf = corkBuffers.Get().(*[]byte)
		if c.timer == nil {
			c.timer = time.AfterFunc(corkTime, c.late)
		} else {
			c.timer.Reset(corkTime)
		}
	}
	*c.buf = append(*c.buf, b...)
	return len(b), nil
}

// late writes what has waited long enough.
func (c *corked) late() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
}

// flush writes what waits; an error is that of the next write.
func (c *corked) flush() {
	if c.buf == nil {
		return
	}
	c.timer.Stop()
	if _, err := c.Conn.Write(*c.buf); err != nil && c.err == nil {
		c.err = err
	}
	*c.buf = (*c.buf)[:0]
	corkBuffers.Put(c.buf)
	c.buf = nil
}
