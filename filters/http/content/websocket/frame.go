// Package websocket takes the two directions of a WebSocket connection apart
// (RFC 6455), frame by frame, and masks the messages of the target. Frames may be of
// any size: payloads come in pieces. Extensions are not handled: whoever negotiates the
// connection takes Sec-WebSocket-Extensions out of the request (header.Request
// does), and a frame that uses one is an error.
package websocket

import (
	"encoding/binary"

	"dragoman.dev/dragoman/filters/http/content/refusal"
)

// Opcodes (section 5.2).
const (
	Continuation = 0x0
	Text         = 0x1
	Binary       = 0x2
	Close        = 0x8
	Ping         = 0x9
	Pong         = 0xA
)

// Bits of the first two bytes of a frame.
const (
	bitFin    = 0x80
	bitsRSV   = 0x70
	bitMasked = 0x80
	len16     = 126 // the length follows in 2 bytes
	len64     = 127 // in 8 bytes
	maxHeader = 2 + 8 + 4
	// MaxControl is how many bytes the payload of a control frame may have (section 5.5).
	MaxControl = 125
)

// Header is a frame's header.
type Header struct {
	Fin    bool
	Opcode byte
	Masked bool
	Key    [4]byte
	Length int64
}

// Control reports whether it is a control frame.
func (h *Header) Control() bool { return h.Opcode&0x8 != 0 }

// Append appends the header. Masked is only by its Key: the payload has to be masked by MaskBytes.
func (h *Header) Append(dst []byte) []byte {
	b := h.Opcode
	if h.Fin {
		b |= bitFin
	}
	var m byte
	if h.Masked {
		m = bitMasked
	}
	dst = append(dst, b)
	switch {
	case h.Length < len16:
		dst = append(dst, m|byte(h.Length))
	case h.Length <= 0xFFFF:
		dst = binary.BigEndian.AppendUint16(append(dst, m|len16), uint16(h.Length))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, m|len64), uint64(h.Length))
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}

// MaskBytes masks or unmasks b in place, which begins at offset of the payload.
func MaskBytes(b []byte, key [4]byte, offset int64) {
	for i := range b {
		b[i] ^= key[(offset+int64(i))&3]
	}
}

// Piece is a piece of a frame: its header, and some of its payload, unmasked and
// borrowed until the next one. First and Last mark the frame's first and last piece.
type Piece struct {
	Header      Header
	Payload     []byte
	First, Last bool
}

// Decoder takes one direction apart.
type Decoder struct {
	client bool // frames of a client are masked, those of a server are not
	head   []byte
	frame  Header
	left   int64 // bytes of the payload to come
	inside bool
	mid    bool // a message has begun, and its last frame is to come
	buf    []byte
	err    error
}

// NewDecoder decodes what the client, or the server, sends.
func NewDecoder(fromClient bool) *Decoder { return &Decoder{client: fromClient} }

// Write takes the next bytes, which are not kept, and gives each piece of a frame to do.
func (d *Decoder) Write(b []byte, do func(*Piece) error) error {
	for d.err == nil && (len(b) > 0 || d.inside && d.left == 0) {
		if !d.inside {
			d.head = append(d.head, b[0])
			b = b[1:]
			d.err = d.header()
			if d.err == nil && d.inside {
				d.err = d.piece(nil, true, do)
			}
			continue
		}
		n := min(int64(len(b)), d.left)
		d.err = d.piece(b[:n], false, do)
		b = b[n:]
	}
	return d.err
}

// piece gives a piece of the frame on. An empty first one is left out unless it is all.
func (d *Decoder) piece(b []byte, first bool, do func(*Piece) error) error {
	if first && d.left > 0 {
		d.buf = d.buf[:0]
		return do(&Piece{Header: d.frame, First: true})
	}
	d.buf = append(d.buf[:0], b...)
	if d.frame.Masked {
		MaskBytes(d.buf, d.frame.Key, d.frame.Length-d.left)
	}
	d.left -= int64(len(b))
	p := Piece{Header: d.frame, Payload: d.buf, First: first, Last: d.left == 0}
	if p.Last {
		d.inside, d.head = false, d.head[:0]
	}
	return do(&p)
}

// header reads d.head as far as it is there; inside says that it is whole.
func (d *Decoder) header() error {
	h := d.head
	if len(h) < 2 {
		return nil
	}
	size, need := int64(h[1]&^bitMasked), 2
	switch size {
	case len16:
		need += 2
	case len64:
		need += 8
	}
	masked := h[1]&bitMasked != 0
	at := need
	if masked {
		need += 4
	}
	if len(h) < need {
		return nil
	}
	switch h[1] &^ bitMasked {
	case len16:
		if size = int64(binary.BigEndian.Uint16(h[2:])); size < len16 {
			return broken("a frame's length is not in its shortest form")
		}
	case len64:
		u := binary.BigEndian.Uint64(h[2:])
		if u <= 0xFFFF || u>>63 != 0 {
			return broken("a frame's length is not in its shortest form")
		}
		size = int64(u)
	}
	f := Header{Fin: h[0]&bitFin != 0, Opcode: h[0] & 0xF, Masked: masked, Length: size}
	if masked {
		copy(f.Key[:], h[at:])
	}
	d.frame, d.left, d.inside = f, size, true
	return d.check(h[0])
}

func (d *Decoder) check(first byte) error {
	f := &d.frame
	switch {
	case first&bitsRSV != 0:
		return refusal.New(refusal.Unsupported, "a WebSocket frame uses an extension that was not agreed on")
	case f.Masked != d.client:
		return broken("a frame of the client is not masked, or one of the server is")
	case f.Control() && (f.Opcode > Pong || !f.Fin || f.Length > MaxControl):
		return broken("a control frame is not known, in parts, or too long")
	case f.Control():
		return nil
	case f.Opcode > Binary:
		return broken("a frame's opcode is not known")
	case (f.Opcode == Continuation) != d.mid:
		return broken("a frame is out of order")
	}
	d.mid = !f.Fin
	return nil
}

func broken(what string) error {
	return refusal.New(refusal.Protocol, "WebSocket: %s", what)
}
