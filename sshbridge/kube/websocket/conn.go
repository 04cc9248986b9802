// Package websocket is the framing of RFC 6455 on a connection whose handshake is done, as much of it as
// Kubernetes needs. Messages come in pieces, as they arrive, so that their length needs no bound.
// It owns frames, masks, pings and closing; what messages mean is its user's.
package websocket

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
	"unicode/utf8"
)

// Opcodes (RFC 6455, section 5.2).
const (
	continuation = 0x0
	Text         = 0x1
	Binary       = 0x2
	opClose      = 0x8
	opPing       = 0x9
	opPong       = 0xA
)

// A frame is a byte of FIN (0x80), three reserved bits and the opcode; a byte of MASK (0x80) and a length of
// 7 bits, of which 126 and 127 say that 16 or 64 bits of length follow; four bytes of mask, if MASK; the payload.
const (
	finBit     = 0x80
	maskBit    = 0x80
	maxControl = 125 // payload of close, ping and pong (section 5.5)
	// Piece is the most that Read gives at a time.
	Piece = 32 << 10
)

// Close codes (section 7.4.1).
const (
	Normal   = 1000
	Protocol = 1002
	Internal = 1011
)

// ErrProtocol says that the peer broke the rules.
var ErrProtocol = errors.New("websocket: protocol error")

// closeTime bounds the goodbye to a peer that may not read.
const closeTime = 2 * time.Second

// Conn is one side of a connection. Read is for one goroutine; writes may come from several.
type Conn struct {
	raw    net.Conn
	r      *bufio.Reader
	client bool // ours is the client's side: what we send is masked

	// The frame that is read.
	op      byte // of the message; 0: none is open
	left    uint64
	fin     bool
	open    bool // the frame's head is read
	mask    [4]byte
	masked  uint64 // bytes of the frame that are unmasked
	buf     []byte
	control [maxControl]byte

	mu     sync.Mutex
	closed bool
	out    []byte
}

// New takes a connection after its handshake; r has what is read of it already.
func New(raw net.Conn, r *bufio.Reader, client bool) *Conn {
	return &Conn{raw: raw, r: r, client: client, buf: make([]byte, Piece)}
}

// Message is a piece of one.
type Message struct {
	Op    byte // Text or Binary
	First bool // it begins a message
	Last  bool // it ends one
	Data  []byte
}

// Read gives the next piece; its data is valid until the next call. It answers pings. When the peer has
// closed in order the error is io.EOF.
func (c *Conn) Read() (Message, error) {
	for {
		if !c.open {
			first, data, err := c.head()
			if err != nil {
				return Message{}, err
			}
			if !data {
				continue
			}
			if c.left == 0 {
				m := Message{Op: c.op, First: first, Last: c.fin}
				c.endFrame()
				return m, nil
			}
			return c.piece(first)
		}
		return c.piece(false)
	}
}

// piece reads of the open frame.
func (c *Conn) piece(first bool) (Message, error) {
	n := uint64(len(c.buf))
	if b := c.r.Buffered(); b > 0 {
		n = min(n, uint64(b))
	}
	got, err := c.r.Read(c.buf[:min(n, c.left)])
	if err != nil {
		return Message{}, unexpected(err)
	}
	if !c.client {
		xor(c.buf[:got], c.mask, c.masked)
		c.masked += uint64(got)
	}
	c.left -= uint64(got)
	m := Message{Op: c.op, First: first, Last: c.left == 0 && c.fin, Data: c.buf[:got]}
	if c.left == 0 {
		c.endFrame()
	}
	return m, nil
}

func (c *Conn) endFrame() {
	c.open = false
	if c.fin {
		c.op = 0
	}
}

// head reads a frame's head; a control frame is read whole and dealt with.
func (c *Conn) head() (first, data bool, err error) {
	var h [2]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return false, false, unexpected(err)
	}
	op, masked, n := h[0]&0x0f, h[1]&maskBit != 0, uint64(h[1]&0x7f)
	if h[0]&0x70 != 0 || masked == c.client { // no extension is agreed on; clients mask, servers do not
		return false, false, c.fail("reserved bits or mask")
	}
	if n, err = c.length(n); err != nil {
		return false, false, err
	}
	var mask [4]byte
	if masked {
		if _, err := io.ReadFull(c.r, mask[:]); err != nil {
			return false, false, unexpected(err)
		}
	}
	if op&0x8 != 0 {
		if n > maxControl || h[0]&finBit == 0 {
			return false, false, c.fail("control frame")
		}
		return false, false, c.controlFrame(op, n, mask)
	}
	switch {
	case op == continuation && c.op != 0:
	case (op == Text || op == Binary) && c.op == 0:
		c.op, first = op, true
	default:
		return false, false, c.fail("opcode")
	}
	c.open, c.fin, c.left, c.mask, c.masked = true, h[0]&finBit != 0, n, mask, 0
	return first, true, nil
}

// length reads the longer forms, which must be needed.
func (c *Conn) length(n uint64) (uint64, error) {
	var b [8]byte
	switch n {
	case 126:
		if _, err := io.ReadFull(c.r, b[:2]); err != nil {
			return 0, unexpected(err)
		}
		if n = uint64(binary.BigEndian.Uint16(b[:])); n < 126 {
			return 0, c.fail("length")
		}
	case 127:
		if _, err := io.ReadFull(c.r, b[:]); err != nil {
			return 0, unexpected(err)
		}
		if n = binary.BigEndian.Uint64(b[:]); n>>63 != 0 || n <= 0xffff {
			return 0, c.fail("length")
		}
	}
	return n, nil
}

func (c *Conn) controlFrame(op byte, n uint64, mask [4]byte) error {
	b := c.control[:n]
	if _, err := io.ReadFull(c.r, b); err != nil {
		return unexpected(err)
	}
	if !c.client {
		xor(b, mask, 0)
	}
	switch op {
	case opPing:
		return c.write(opPong, b)
	case opPong:
		return nil
	case opClose:
		if len(b) == 1 || len(b) > 2 && !utf8.Valid(b[2:]) {
			return c.fail("close frame")
		}
		c.close(opClose, b[:min(len(b), 2)])
		return io.EOF
	}
	return c.fail("opcode")
}

func (c *Conn) fail(what string) error {
	c.Close(Protocol, what)
	return fmt.Errorf("%w: %s", ErrProtocol, what)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) { // an end without a close frame
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write sends one message made of parts.
func (c *Conn) Write(op byte, parts ...[]byte) error { return c.write(op, parts...) }

// Ping asks whether the peer is there; nobody waits for the answer.
func (c *Conn) Ping() error { return c.write(opPing) }

func (c *Conn) write(op byte, parts ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return c.send(op, parts...)
}

// send makes the frame; the lock is held.
func (c *Conn) send(op byte, parts ...[]byte) error {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	bit := byte(0)
	if c.client {
		bit = maskBit
	}
	b := append(c.out[:0], finBit|op)
	switch {
	case n < 126:
		b = append(b, bit|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
	}
	var mask [4]byte
	if c.client {
		_, _ = rand.Read(mask[:]) // never fails
		b = append(b, mask[:]...)
	}
	from := len(b)
	for _, p := range parts {
		b = append(b, p...)
	}
	if c.client {
		xor(b[from:], mask, 0)
	}
	if cap(b) <= 4*Piece { // a large one is not kept
		c.out = b
	}
	_, err := c.raw.Write(b)
	return err
}

// Close says goodbye and closes the connection. It may be called more than once, and while others write.
func (c *Conn) Close(code uint16, words string) {
	b := binary.BigEndian.AppendUint16(nil, code)
	c.close(opClose, append(b, words[:min(len(words), maxControl-2)]...))
}

func (c *Conn) close(op byte, payload []byte) {
	_ = c.raw.SetWriteDeadline(time.Now().Add(closeTime)) // also for whoever writes now
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	_ = c.send(op, payload)
	c.raw.Close()
}

// xor masks bytes, or takes the mask off (section 5.3); at is how many came before them.
func xor(b []byte, mask [4]byte, at uint64) {
	var eight [8]byte
	for i := range eight {
		eight[i] = mask[(at+uint64(i))&3]
	}
	m := binary.LittleEndian.Uint64(eight[:])
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])^m)
	}
	for ; i < len(b); i++ {
		b[i] ^= eight[i&7]
	}
}

// Accept is the value of Sec-WebSocket-Accept for a key (section 4.2.2).
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// NewKey makes a key for a handshake.
func NewKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// GoodKey reports whether a client's key is one: 16 bytes (section 4.1).
func GoodKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}
