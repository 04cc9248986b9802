// Package grpc takes gRPC bodies apart, message by message, and masks strings in
// them by the detectors. Without a descriptor a message's fields have no names, so JSON
// paths cannot be followed: a plan that has any refuses gRPC, unless it lets pass
// what it cannot look into.
package grpc

import (
	"encoding/binary"

	"dragoman.dev/dragoman/filters/http/content/refusal"
)

// A message is a flag, its length in four bytes, and itself (gRPC over HTTP/2,
// "Length-Prefixed-Message"). In gRPC-Web, the flag's high bit marks the trailers.
const (
	prefix         = 5
	flagCompressed = 0x01
	flagTrailers   = 0x80
)

// DefaultMessage is how many bytes a message may have.
const DefaultMessage = 4 << 20

// Message is one message; Data is borrowed until the next one.
type Message struct {
	Compressed bool
	Trailers   bool // of gRPC-Web: header lines
	Data       []byte
}

// Append appends the message with its prefix.
func (m *Message) Append(dst []byte) []byte {
	var flag byte
	if m.Compressed {
		flag = flagCompressed
	}
	if m.Trailers {
		flag |= flagTrailers
	}
	dst = binary.BigEndian.AppendUint32(append(dst, flag), uint32(len(m.Data)))
	return append(dst, m.Data...)
}

// Decoder takes a body apart, in whatever pieces it comes.
type Decoder struct {
	limit int
	buf   []byte
	err   error
}

// NewDecoder bounds messages to limit bytes, 0 for DefaultMessage.
func NewDecoder(limit int) *Decoder {
	if limit <= 0 {
		limit = DefaultMessage
	}
	return &Decoder{limit: limit}
}

// Write takes the next piece, which is not kept, and gives each message to do.
func (d *Decoder) Write(piece []byte, do func(*Message) error) error {
	if d.err != nil {
		return d.err
	}
	d.buf = append(d.buf, piece...)
	at := 0
	for len(d.buf)-at >= prefix {
		flag, n := d.buf[at], binary.BigEndian.Uint32(d.buf[at+1:])
		switch {
		case flag&^(flagCompressed|flagTrailers) != 0:
			d.err = refusal.New(refusal.Protocol, "a gRPC message has a flag that is not known")
		case n > uint32(d.limit):
			d.err = refusal.New(refusal.TooLarge, "a gRPC message has more than %d bytes", d.limit)
		}
		if d.err != nil {
			return d.err
		}
		end := at + prefix + int(n)
		if len(d.buf) < end {
			break
		}
		m := Message{flag&flagCompressed != 0, flag&flagTrailers != 0, d.buf[at+prefix : end]}
		if d.err = do(&m); d.err != nil {
			return d.err
		}
		at = end
	}
	if at > 0 {
		d.buf = append(d.buf[:0], d.buf[at:]...)
	}
	return nil
}

// Close ends the body; a message that is cut off is an error.
func (d *Decoder) Close() error {
	if d.err == nil && len(d.buf) > 0 {
		d.err = refusal.New(refusal.Ended, "a gRPC message is cut off")
	}
	return d.err
}
