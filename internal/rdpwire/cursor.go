// Package rdpwire reads and writes the messages of the Remote Desktop Protocol that the bridge has to understand: X.224
// and its negotiation (MS-RDPBCGR 2.2.1.1), MCS and GCC (T.125, T.124), Client Info, licensing, share control and data,
// capability sets, fast path, virtual channels and the clipboard (MS-RDPECLIP). Bytes in, structs out: it does no I/O,
// decides nothing and draws nothing. What its functions return is part of their argument, unless they say otherwise.
//
// Every length is checked against what is there, so that a message costs no more than its own size.
package rdpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// ErrShort says that a message ends before its own lengths do.
var ErrShort = errors.New("rdp: a message is cut off")

// cursor reads fields in order. After the first shortage every field is zero and err says so.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8() byte {
	if v := c.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (c *cursor) u16() uint16 { // little-endian, as all of Microsoft's part
	if v := c.take(2); v != nil {
		return binary.LittleEndian.Uint16(v)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if v := c.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (c *cursor) be16() uint16 { // big-endian, as all of the ITU's part
	if v := c.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (c *cursor) err(what string) error {
	if c.bad {
		return fmt.Errorf("%s: %w", what, ErrShort)
	}
	return nil
}

func put16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }
func put32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
func putBE(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }

// Text decodes UTF-16LE up to its first NUL.
func Text(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		v := binary.LittleEndian.Uint16(b[i:])
		if v == 0 {
			break
		}
		u = append(u, v)
	}
	return string(utf16.Decode(u))
}

// AppendText appends s in UTF-16LE, without a NUL.
func AppendText(b []byte, s string) []byte {
	for _, v := range utf16.Encode([]rune(s)) {
		b = put16(b, v)
	}
	return b
}
