package spdy

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
)

// Open opens a stream; the peer's Replied or Reset follows. opened is told its number before that can come; it must not
// write.
func (c *Conn) Open(headers map[string]string, opened func(stream uint32)) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	id := c.nextOut
	c.mu.Lock()
	full := len(c.streams) >= c.most || id > maxID
	if !full {
		c.streams[id] = &state{}
	}
	c.mu.Unlock()
	if full {
		return errors.New("spdy: too many streams")
	}
	block, err := c.out.block(headers)
	if err != nil {
		return err
	}
	c.nextOut += 2
	opened(id)
	b := binary.BigEndian.AppendUint32(c.head(typeSyn, 0, 10+len(block)), id)
	return c.send(append(append(b, make([]byte, 6)...), block...))
}

// Reply takes a stream that the peer has opened.
func (c *Conn) Reply(stream uint32) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.has(stream) {
		return nil
	}
	block, err := c.out.block(nil)
	if err != nil {
		return err
	}
	return c.send(append(binary.BigEndian.AppendUint32(c.head(typeReply, 0, 4+len(block)), stream), block...))
}

func (c *Conn) has(stream uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[stream] != nil
}

// Write sends bytes on a stream. On one that has ended, or is none any more, it does nothing.
func (c *Conn) Write(stream uint32, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), Piece)
		if err := c.data32(stream, 0, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// End says that nothing more comes on a stream from here.
func (c *Conn) End(stream uint32) error { return c.data32(stream, flagFin, nil) }

// data32 sends a data frame.
func (c *Conn) data32(stream uint32, flags byte, b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.mayWrite(stream, flags) {
		return nil
	}
	f := binary.BigEndian.AppendUint32(c.frame[:0], stream)
	f = binary.BigEndian.AppendUint32(f, uint32(flags)<<24|uint32(len(b)))
	return c.send(append(f, b...))
}

// mayWrite reports whether a stream can be written to, and notes its end.
func (c *Conn) mayWrite(stream uint32, flags byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[stream]
	if st == nil || st.here {
		return false
	}
	if flags&flagFin != 0 {
		if st.here = true; st.there {
			delete(c.streams, stream)
		}
	}
	return true
}

// Reset ends a stream at once, both ways.
func (c *Conn) Reset(stream uint32) error {
	c.mu.Lock()
	known := c.streams[stream] != nil
	delete(c.streams, stream)
	c.mu.Unlock()
	if !known {
		return nil
	}
	return c.control32(typeReset, stream, cancelled)
}

func (c *Conn) head(kind uint16, flags byte, n int) []byte {
	f := binary.BigEndian.AppendUint32(c.frame[:0], 1<<31|version<<16|uint32(kind))
	return binary.BigEndian.AppendUint32(f, uint32(flags)<<24|uint32(n))
}

// control32 sends a control frame of numbers.
func (c *Conn) control32(kind uint16, numbers ...uint32) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	f := c.head(kind, 0, 4*len(numbers))
	for _, n := range numbers {
		f = binary.BigEndian.AppendUint32(f, n)
	}
	return c.send(f)
}

// send writes a frame; the lock of writing is held.
func (c *Conn) send(f []byte) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	c.frame = f[:0]
	_, err := c.raw.Write(f)
	return err
}

// closeTime bounds the goodbye to a peer that may not read.
const closeTime = 2 * time.Second

// Close says goodbye and closes the connection: the peer has closeTime to take what is on its way. It may be called more
// than once, and while others write and read.
func (c *Conn) Close() {
	_ = c.raw.SetDeadline(time.Now().Add(closeTime)) // also for whoever writes and reads now
	_ = c.control32(typeGoAway, c.lastStream(), 0)
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if !first {
		return
	}
	if w, ok := c.raw.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		time.AfterFunc(closeTime, func() { c.raw.Close() })
		return
	}
	c.raw.Close()
}

// lastStream is the last one of the peer's that is open.
func (c *Conn) lastStream() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last uint32
	for id := range c.streams {
		if id%2 != c.first%2 {
			last = max(last, id)
		}
	}
	return last
}
