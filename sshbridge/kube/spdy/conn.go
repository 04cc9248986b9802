package spdy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// A control frame is a bit 1, 15 bits of version, 16 of type, 8 of flags, 24 of length, and the payload (draft 3.1,
// section 2.2.1). A data frame is a bit 0, 31 bits of stream, 8 of flags, 24 of length, and the data.
const (
	version      = 3
	typeSyn      = 1 // uint32 stream, uint32 associated stream, 3 bits priority, 13 unused; headers
	typeReply    = 2 // uint32 stream; headers
	typeReset    = 3 // uint32 stream, uint32 status
	typeSettings = 4
	typePing     = 6 // uint32 id
	typeGoAway   = 7 // uint32 last stream, uint32 status
	typeHeaders  = 8 // uint32 stream; headers
	typeWindow   = 9

	flagFin    = 1
	flagOneWay = 2 // of SYN_STREAM: nothing comes back
	maxID      = 1<<31 - 1
	maxFrame   = 1<<24 - 1
	refused    = 3 // REFUSED_STREAM
	cancelled  = 5 // CANCEL
)

// Piece is the most that Read gives at a time.
const Piece = 32 << 10

// ErrProtocol says that the peer broke the rules.
var ErrProtocol = errors.New("spdy: protocol error")

// Kind is what an Event is.
type Kind uint8

const (
	Opened  Kind = iota + 1 // the peer has opened a stream
	Replied                 // the peer has taken a stream of ours
	Data                    // bytes on a stream; also an End when Fin is set
	Reset                   // the peer has ended a stream at once, both ways
)

// Event is what comes.
type Event struct {
	Kind    Kind
	Stream  uint32
	Headers map[string]string // of Opened
	Data    []byte            // of Data; valid until the next Read
	Fin     bool              // nothing more comes on the stream
}

// Conn is one side of a connection. Read is for one goroutine; the rest may be called by several.
type Conn struct {
	raw  net.Conn
	r    *bufio.Reader
	most int // streams at a time

	in      decompressor
	lastIn  uint32
	buf     []byte
	left    int    // of the data frame that is read
	stream  uint32 // its stream
	fin     bool   // it ends the stream
	unknown bool   // its stream is none

	answering atomic.Bool // a ping; others meanwhile get no answer
	first     uint32      // of our streams: 1 or 2

	// Whoever writes may wait for the peer with this lock, and takes the other one within it. Read waits for neither.
	writing sync.Mutex
	out     compressor
	nextOut uint32
	frame   []byte

	mu      sync.Mutex
	streams map[uint32]*state
	closed  bool
}

// state is which sides of a stream have ended.
type state struct{ here, there bool }

// New takes a connection after its handshake; r has what is read of it already. most bounds the streams that are open
// at a time.
func New(raw net.Conn, r *bufio.Reader, client bool, most int) *Conn {
	c := &Conn{raw: raw, r: r, most: most, buf: make([]byte, Piece), streams: map[uint32]*state{}, first: 2}
	if client {
		c.first = 1
	}
	c.nextOut = c.first
	return c
}

// Read gives the next event. It answers pings, and passes over what Kubernetes has no use for. When the peer says
// that it goes, the error is io.EOF.
func (c *Conn) Read() (Event, error) {
	for {
		if c.left > 0 {
			e, err := c.piece()
			if err != nil || e.Kind != 0 {
				return e, err
			}
			continue
		}
		var h [8]byte
		if _, err := io.ReadFull(c.r, h[:]); err != nil {
			return Event{}, unexpected(err)
		}
		flags, n := h[4], int(binary.BigEndian.Uint32(h[4:])&maxFrame)
		if h[0]&0x80 == 0 {
			if e := c.data(binary.BigEndian.Uint32(h[:]), flags, n); e.Kind != 0 {
				return e, nil
			}
			continue
		}
		if v := binary.BigEndian.Uint16(h[:]) & 0x7fff; v != version {
			return Event{}, fmt.Errorf("%w: version %d", ErrProtocol, v)
		}
		e, err := c.control(binary.BigEndian.Uint16(h[2:]), flags, n)
		if err != nil || e.Kind != 0 {
			return e, err
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// data begins a data frame; of an empty one that ends a stream it is the event.
func (c *Conn) data(stream uint32, flags byte, n int) Event {
	c.mu.Lock()
	st := c.streams[stream]
	c.unknown = st == nil || st.there
	c.mu.Unlock()
	c.stream, c.left, c.fin = stream, n, flags&flagFin != 0
	if n == 0 && c.fin && !c.unknown {
		c.ended(stream)
		return Event{Kind: Data, Stream: stream, Fin: true}
	}
	return Event{}
}

// piece reads of the data frame; of an unknown stream, which may just have been reset, it gives nothing.
func (c *Conn) piece() (Event, error) {
	n := min(len(c.buf), c.left)
	if b := c.r.Buffered(); b > 0 {
		n = min(n, b)
	}
	got, err := c.r.Read(c.buf[:n])
	if err != nil {
		return Event{}, unexpected(err)
	}
	if c.left -= got; c.unknown {
		return Event{}, nil
	}
	e := Event{Kind: Data, Stream: c.stream, Data: c.buf[:got], Fin: c.left == 0 && c.fin}
	if e.Fin {
		c.ended(c.stream)
	}
	return e, nil
}

// ended notes that the peer sends no more on a stream.
func (c *Conn) ended(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if st := c.streams[stream]; st != nil {
		if st.there = true; st.here {
			delete(c.streams, stream)
		}
	}
}

// control reads a control frame whole.
func (c *Conn) control(kind uint16, flags byte, n int) (Event, error) {
	if n > maxBlock {
		return Event{}, fmt.Errorf("%w: a control frame of %d bytes", ErrProtocol, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return Event{}, unexpected(err)
	}
	least := map[uint16]int{typeSyn: 10, typeReply: 4, typeReset: 8, typePing: 4, typeGoAway: 8, typeHeaders: 4}[kind]
	if n < least {
		return Event{}, fmt.Errorf("%w: a short control frame", ErrProtocol)
	}
	var id uint32
	if least > 0 {
		id = binary.BigEndian.Uint32(b) & maxID
	}
	switch kind {
	case typeSyn:
		return c.syn(id, flags, b[10:])
	case typeReply, typeHeaders:
		return c.reply(kind, id, flags, b[4:])
	case typeReset:
		c.mu.Lock()
		st := c.streams[id]
		delete(c.streams, id)
		c.mu.Unlock()
		if st != nil {
			return Event{Kind: Reset, Stream: id}, nil
		}
	case typePing:
		if id%2 != c.first%2 && c.answering.CompareAndSwap(false, true) { // not an answer to one of ours
			go func() {
				_ = c.control32(typePing, id) // whoever writes next finds out
				c.answering.Store(false)
			}()
		}
	case typeGoAway:
		return Event{}, io.EOF
	}
	return Event{}, nil
}

func (c *Conn) syn(id uint32, flags byte, block []byte) (Event, error) {
	headers, err := c.in.headers(block)
	if err != nil {
		return Event{}, err
	}
	if id == 0 || id <= c.lastIn || id%2 == c.first%2 {
		return Event{}, fmt.Errorf("%w: stream %d", ErrProtocol, id)
	}
	c.lastIn = id
	c.mu.Lock()
	full := len(c.streams) >= c.most
	if !full {
		c.streams[id] = &state{here: flags&flagOneWay != 0, there: flags&flagFin != 0}
	}
	c.mu.Unlock()
	if full {
		return Event{}, c.control32(typeReset, id, refused)
	}
	return Event{Kind: Opened, Stream: id, Headers: headers, Fin: flags&flagFin != 0}, nil
}

func (c *Conn) reply(kind uint16, id uint32, flags byte, block []byte) (Event, error) {
	if _, err := c.in.headers(block); err != nil { // also of a stream that is gone: compression goes on
		return Event{}, err
	}
	c.mu.Lock()
	known := c.streams[id] != nil
	c.mu.Unlock()
	if !known || kind == typeHeaders && flags&flagFin == 0 {
		return Event{}, nil
	}
	fin := flags&flagFin != 0
	if fin {
		c.ended(id)
	}
	if kind == typeHeaders {
		return Event{Kind: Data, Stream: id, Fin: true}, nil
	}
	return Event{Kind: Replied, Stream: id, Fin: fin}, nil
}
