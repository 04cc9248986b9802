package mysqlwire

import (
	"errors"
	"fmt"
)

// MaxPacket is the largest payload of one packet; a message of that size or more goes on in the next packet.
const MaxPacket = 1<<24 - 1

// headerLen is the length of a packet's header: payload length (3, little endian), sequence number (1).
const headerLen = 4

// ErrTooLong is a message over the limit.
var ErrTooLong = errors.New("message over the limit")

// Piece is a message, or a part of one that is too long to be kept. Its bytes are borrowed until the next
// call of Next, Feed or Keeps.
type Piece struct {
	Raw   []byte // with headers, as they came; what a piece of a long message may split anywhere
	Body  []byte // of a whole message: its payload; of the first piece of a long one: how it begins
	Seq   byte   // of its first packet
	End   byte   // of its last packet, or of the one that the piece is in
	First bool
	Last  bool
}

// Whole reports whether the piece is all of its message.
func (p *Piece) Whole() bool { return p.First && p.Last }

// Reader cuts a stream into messages. Those up to Keep bytes come whole; a longer one comes as a first piece of
// about Keep bytes and pieces as they arrive. The zero value keeps nothing: set Keep and Max.
type Reader struct {
	Keep int   // bytes of a message that is given as a whole
	Max  int64 // bytes of any message

	buf   []byte // input that was not taken yet
	next  []byte // borrowed input behind buf
	owned bool   // buf is the reader's own
	joint []byte // payload of a message of several packets
	long  bool   // within a message that comes in pieces
	left  int    // bytes of the current packet still to come
	more  bool   // the current packet is followed by another of the message
	size  int64  // of the message so far
	seq   byte
}

// Feed gives the reader bytes, which are borrowed until Keeps.
func (r *Reader) Feed(b []byte) {
	r.join()
	switch {
	case len(b) == 0:
	case len(r.buf) == 0:
		r.buf, r.owned = b, false
	case !r.owned:
		r.buf, r.owned = append(append(make([]byte, 0, len(r.buf)+len(b)), r.buf...), b...), true
	default:
		// Of what is borrowed only the rest of one message is copied.
		n := r.missing(b)
		r.buf, r.next = append(r.buf, b[:n]...), b[n:]
	}
}

// missing is how much of b belongs to the packet that buf begins with; all of it when there may be more to the message.
func (r *Reader) missing(b []byte) int {
	head := headerLen - len(r.buf)
	if r.long || len(b) < head {
		return len(b)
	}
	var h [headerLen]byte
	copy(h[copy(h[:], r.buf):], b)
	length := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
	if length == MaxPacket {
		return len(b)
	}
	return max(0, min(len(b), headerLen+length-len(r.buf)))
}

// join makes one of what there is.
func (r *Reader) join() {
	switch {
	case len(r.next) == 0:
	case len(r.buf) == 0:
		r.buf, r.owned = r.next, false
	default:
		r.buf = append(r.buf, r.next...) // next is only there when buf is owned
	}
	r.next = nil
}

// Keeps makes what was not taken yet the reader's own, before borrowed bytes go.
func (r *Reader) Keeps() {
	r.join()
	if len(r.buf) == 0 {
		r.buf, r.owned = nil, false
	} else if !r.owned {
		r.buf, r.owned = append([]byte(nil), r.buf...), true
	}
}

// Rest gives what was not taken yet, and forgets it.
func (r *Reader) Rest() []byte {
	r.join()
	b := r.buf
	r.buf, r.owned = nil, false
	return b
}

// Mid reports whether the reader is within a message.
func (r *Reader) Mid() bool { return r.long || len(r.buf)+len(r.next) > 0 }

// Next gives the next message or piece; false when more bytes are needed.
func (r *Reader) Next() (Piece, bool, error) {
	if len(r.buf) == 0 {
		r.join()
	}
	p, ok, err := r.take()
	if !ok && err == nil && len(r.next) > 0 {
		r.join()
		return r.take()
	}
	return p, ok, err
}

// Rows gives the packets of rows that are there as a whole, one after the other: raw are all of them, n is how many. It stops
// before anything else: what ends rows, an error, a row of several packets.
func (r *Reader) Rows() (raw []byte, n int, end byte) {
	if r.long {
		return nil, 0, 0
	}
	if len(r.buf) == 0 {
		r.join()
	}
	at := 0
	for len(r.buf)-at > headerLen {
		length := int(r.buf[at]) | int(r.buf[at+1])<<8 | int(r.buf[at+2])<<16
		first := r.buf[at+headerLen]
		if length == 0 || length == MaxPacket || length > r.Keep || int64(length) > r.Max || len(r.buf)-at-headerLen < length || first == HeadEOF || first == HeadErr {
			break
		}
		end = r.buf[at+3]
		at += headerLen + length
		n++
	}
	raw, r.buf = r.buf[:at:at], r.buf[at:]
	return raw, n, end
}

func (r *Reader) take() (Piece, bool, error) {
	if r.long {
		return r.piece()
	}
	size, n, packets, complete := r.measure()
	if size > r.Max {
		return Piece{}, false, fmt.Errorf("%w: more than %d bytes", ErrTooLong, r.Max)
	}
	if complete && size <= int64(r.Keep) {
		return r.whole(n, packets), true, nil
	}
	if size <= int64(r.Keep) || len(r.buf) <= max(r.Keep, headerLen) {
		return Piece{}, false, nil
	}
	r.long, r.left, r.more, r.size = true, 0, true, 0
	r.seq = r.buf[3]
	// The first piece ends before the message does, so that it is not taken for a whole one.
	all, first := r.buf, max(r.Keep, headerLen+1)
	r.buf = all[:first]
	p, ok, err := r.piece()
	r.buf = all[first-len(r.buf):]
	p.First = ok
	if ok {
		p.Body = p.Raw[min(headerLen, len(p.Raw)):]
	}
	return p, ok, err
}

// measure looks at the packets of the next message: its payload so far, its bytes, its packets, and whether it is all there.
func (r *Reader) measure() (size int64, n, packets int, complete bool) {
	for len(r.buf)-n >= headerLen {
		length := int(r.buf[n]) | int(r.buf[n+1])<<8 | int(r.buf[n+2])<<16
		size += int64(length)
		packets++
		if len(r.buf)-n-headerLen < length {
			return size, n, packets, false
		}
		n += headerLen + length
		if length < MaxPacket {
			return size, n, packets, true
		}
		if size > int64(r.Keep) {
			return size, n, packets, false
		}
	}
	return size, n, packets, false
}

func (r *Reader) whole(n, packets int) Piece {
	raw := r.buf[:n:n]
	r.buf = r.buf[n:]
	p := Piece{Raw: raw, Seq: raw[3], End: raw[3], First: true, Last: true}
	if packets == 1 {
		p.Body = raw[headerLen:]
		return p
	}
	r.joint = r.joint[:0]
	for len(raw) > 0 {
		length := int(raw[0]) | int(raw[1])<<8 | int(raw[2])<<16
		p.End = raw[3]
		r.joint = append(r.joint, raw[headerLen:headerLen+length]...)
		raw = raw[headerLen+length:]
	}
	p.Body = r.joint
	return p
}

// piece gives what there is of a long message.
func (r *Reader) piece() (Piece, bool, error) {
	p := Piece{Seq: r.seq, End: r.seq}
	n := 0
	for n < len(r.buf) || r.left == 0 && !r.more {
		if r.left == 0 {
			if !r.more {
				p.Last, r.long = true, false
				break
			}
			if len(r.buf)-n < headerLen {
				break
			}
			r.left = int(r.buf[n]) | int(r.buf[n+1])<<8 | int(r.buf[n+2])<<16
			r.seq, r.more = r.buf[n+3], r.left == MaxPacket
			p.End = r.seq
			if r.size += int64(r.left); r.size > r.Max {
				return Piece{}, false, fmt.Errorf("%w: more than %d bytes", ErrTooLong, r.Max)
			}
			n += headerLen
			continue
		}
		take := min(r.left, len(r.buf)-n)
		r.left -= take
		n += take
	}
	if n == 0 && !p.Last {
		return Piece{}, false, nil
	}
	p.Raw = r.buf[:n:n]
	r.buf = r.buf[n:]
	return p, true, nil
}

// AppendPacket appends a message as packets, beginning with the sequence number; it gives the next number.
func AppendPacket(dst []byte, seq byte, body []byte) ([]byte, byte) {
	for {
		n := min(len(body), MaxPacket)
		dst = append(dst, byte(n), byte(n>>8), byte(n>>16), seq)
		dst = append(dst, body[:n]...)
		body = body[n:]
		seq++
		if n < MaxPacket {
			return dst, seq
		}
	}
}
