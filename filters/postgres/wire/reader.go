package wire

import (
	"encoding/binary"
	"fmt"
)

// headerLen is the type byte and the length (which counts itself but not the type).
const headerLen = 5

// Piece is a message, or a part of one that is too long to be held whole.
type Piece struct {
	Type byte
	// Raw is the piece as it travels: on the first one with the header. Body is Raw without
	// the header. Both are borrowed until the Reader's next call.
	Raw, Body []byte
	// Len is the length of the message's whole body.
	Len         int64
	First, Last bool
}

// Whole reports whether the piece is a complete message.
func (p *Piece) Whole() bool { return p.First && p.Last }

// FramingError is a message that the table does not allow.
type FramingError struct {
	Type byte
	Len  int64 // of the body; negative when it is malformed
}

func (e *FramingError) Error() string {
	if e.Len < 0 {
		return fmt.Sprintf("message type %q has an invalid length", e.Type)
	}
	return fmt.Sprintf("message type %q of %d bytes is unknown or over the limit", e.Type, e.Len)
}

// Reader cuts one direction of a connection into pieces. Give it bytes with
// Feed, then take pieces with Next until it reports none; what is left of an
// incomplete message is kept (copied) for the next Feed. The zero Reader with a
// Table is ready.
type Reader struct {
	Table *Table

	in   []byte // borrowed
	part []byte // the beginning of an incomplete message, owned
	typ  byte   // of the message that comes in pieces
	len  int64
	left int64 // bytes of it that have not come yet
	err  error
}

// Feed gives the next bytes of the stream, borrowed until Next reports none.
func (r *Reader) Feed(b []byte) { r.in = b }

// Rest is what was fed and not yet taken; borrowed.
func (r *Reader) Rest() []byte { return r.in }

// Mid reports whether the stream stands within a message.
func (r *Reader) Mid() bool { return r.left > 0 || len(r.part) > 0 }

// Next gives the next piece. It reports false when more bytes are needed, or
// with an error, after which the Reader gives nothing more.
func (r *Reader) Next() (Piece, bool, error) {
	if r.err != nil {
		return Piece{}, false, r.err
	}
	if r.left > 0 {
		return r.more()
	}
	if len(r.part) > 0 {
		return r.complete()
	}
	if len(r.in) < headerLen {
		r.keep(len(r.in))
		return Piece{}, false, nil
	}
	n, rule, err := r.header(r.in)
	if err != nil {
		return Piece{}, false, err
	}
	if total := headerLen + n; int64(len(r.in)) >= total {
		raw := r.in[:total]
		r.in = r.in[total:]
		return Piece{Type: raw[0], Raw: raw, Body: raw[headerLen:], Len: n, First: true, Last: true}, true, nil
	}
	if n > int64(rule.whole) && len(r.in) >= headerLen+rule.peek {
		raw := r.in
		r.in = nil
		return r.begin(raw, n), true, nil
	}
	r.keep(len(r.in))
	return Piece{}, false, nil
}

// complete goes on with a message of which the beginning is kept.
func (r *Reader) complete() (Piece, bool, error) {
	if len(r.part) < headerLen {
		r.keep(min(headerLen-len(r.part), len(r.in)))
		if len(r.part) < headerLen {
			return Piece{}, false, nil
		}
	}
	n, rule, err := r.header(r.part)
	if err != nil {
		return Piece{}, false, err
	}
	want := headerLen + n
	if n > int64(rule.whole) {
		want = min(want, int64(headerLen+rule.peek))
	}
	if missing := want - int64(len(r.part)); missing > 0 {
		r.keep(int(min(missing, int64(len(r.in)))))
	}
	if int64(len(r.part)) < want {
		return Piece{}, false, nil
	}
	raw := r.part
	r.part = nil
	return r.begin(raw, n), true, nil
}

// begin is the first piece of a message with n bytes of body, of which raw holds some or all.
func (r *Reader) begin(raw []byte, n int64) Piece {
	r.typ, r.len = raw[0], n
	r.left = headerLen + n - int64(len(raw))
	return Piece{Type: raw[0], Raw: raw, Body: raw[headerLen:], Len: n, First: true, Last: r.left == 0}
}

// more is a later piece.
func (r *Reader) more() (Piece, bool, error) {
	if len(r.in) == 0 {
		return Piece{}, false, nil
	}
	k := min(int64(len(r.in)), r.left)
	raw := r.in[:k]
	r.in = r.in[k:]
	r.left -= k
	return Piece{Type: r.typ, Raw: raw, Body: raw, Len: r.len, Last: r.left == 0}, true, nil
}

func (r *Reader) header(b []byte) (int64, rule, error) {
	n := int64(int32(binary.BigEndian.Uint32(b[1:]))) - 4
	ru := r.Table[b[0]]
	if !ru.known || n < 0 || n > ru.max {
		r.err = &FramingError{Type: b[0], Len: n}
		return 0, ru, r.err
	}
	return n, ru, nil
}

func (r *Reader) keep(n int) {
	if n > 0 {
		r.part = append(r.part, r.in[:n]...)
		r.in = r.in[n:]
	}
}
