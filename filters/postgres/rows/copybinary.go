package rows

import (
	"encoding/binary"
	"fmt"
)

// binPlace is where in a binary stream a CopyStream is.
type binPlace uint8

const (
	binHeader binPlace = iota // signature, flags, length of the extension
	binExtra                  // the header's extension
	binCount                  // a row's number of columns, or the trailer
	binLength                 // a column's length
	binValue
	binEnd // after the trailer
)

type binState struct {
	state binPlace
	num   [binHeaderSize]byte
	n     int // bytes in num
	need  int // bytes of the value or the extension still to come
}

// The header of COPY's binary format: an 11-byte signature, int32 flags
// (bits 16 to 31 are critical, bit 16 was "has OIDs"), int32 length of the extension.
const (
	binSignature  = "PGCOPY\n\xff\r\n\x00"
	binHeaderSize = len(binSignature) + 8
	binCritical   = 0xffff0000
	binMaxExtra   = 1 << 16
)

// parseBinary reads COPY's binary format: the header; for each row an int16
// number of columns and for each column an int32 length (-1 for NULL) and the value;
// at the end an int16 -1.
func (c *CopyStream) parseBinary(dst, b []byte) []byte {
	for len(b) > 0 && c.err == nil {
		n := 0
		switch c.bin.state {
		case binHeader:
			if n = c.collect(b, binHeaderSize); c.bin.n == binHeaderSize {
				c.binStart()
			}
		case binCount:
			if n = c.collect(b, 2); c.bin.n == 2 {
				dst = c.binRow(dst)
			}
		case binLength:
			if n = c.collect(b, 4); c.bin.n == 4 {
				dst = c.binColumn(dst)
			}
		case binExtra:
			n = min(len(b), c.bin.need)
			c.line = append(c.line, b[:n]...)
			if c.bin.need -= n; c.bin.need == 0 {
				c.bin.state = binCount
			}
		case binValue:
			n = min(len(b), c.bin.need)
			dst = c.put(dst, b[:n])
			if c.bin.need -= n; c.bin.need == 0 && c.err == nil {
				dst = c.binColumnEnd(dst)
			}
		default:
			c.fail(fmt.Errorf("%w: bytes after the end of a binary COPY", ErrMalformed))
		}
		b = b[n:]
	}
	return dst
}

func (c *CopyStream) collect(b []byte, size int) int {
	n := copy(c.bin.num[c.bin.n:size], b)
	c.bin.n += n
	return n
}

func (c *CopyStream) binStart() {
	h := c.bin.num[:]
	extra := binary.BigEndian.Uint32(h[len(binSignature)+4:])
	if string(h[:len(binSignature)]) != binSignature || binary.BigEndian.Uint32(h[len(binSignature):])&binCritical != 0 || extra > binMaxExtra {
		c.fail(fmt.Errorf("%w: header of a binary COPY", ErrMalformed))
		return
	}
	c.line = append(c.line, h...)
	c.bin.n, c.bin.need, c.bin.state = 0, int(extra), binExtra
	if extra == 0 {
		c.bin.state = binCount
	}
}

func (c *CopyStream) binRow(dst []byte) []byte {
	n := int(int16(binary.BigEndian.Uint16(c.bin.num[:])))
	c.bin.n = 0
	c.line = append(c.line, c.bin.num[:2]...)
	switch n {
	case -1:
		c.bin.state = binEnd
		return c.flush(dst)
	case len(c.cols):
		c.bin.state = binLength
	default:
		c.fail(fmt.Errorf("%w: %d, not %d", ErrFields, n, len(c.cols)))
	}
	return dst
}

func (c *CopyStream) binColumn(dst []byte) []byte {
	n := int(int32(binary.BigEndian.Uint32(c.bin.num[:])))
	c.bin.n = 0
	if n < -1 {
		c.fail(fmt.Errorf("%w: a column of %d bytes", ErrMalformed, n))
		return dst
	}
	if n < 0 || c.masker() == nil {
		c.line = append(c.line, c.bin.num[:4]...)
	}
	if n < 0 {
		return c.binNext(dst)
	}
	if c.bin.state, c.bin.need = binValue, n; n == 0 {
		return c.binColumnEnd(dst)
	}
	return dst
}

func (c *CopyStream) binColumnEnd(dst []byte) []byte {
	m := c.masker()
	if m == nil {
		return c.binNext(dst)
	}
	raw, over := c.raw, c.over
	c.raw, c.over = c.raw[:0], false
	if raw == nil {
		raw = []byte{}
	}
	at := len(c.line)
	out := append(c.line, 0, 0, 0, 0)
	null, changed := false, true
	if over && m.NeedsValue() {
		out, null = m.Whole(out, true)
	} else {
		out, null, changed = m.Binary(out, raw)
	}
	if changed {
		c.masked++
	} else {
		out = append(out, raw...)
	}
	putValueLength(out, at, null)
	c.line = out
	return c.binNext(dst)
}

// binNext goes on to the next column or row.
func (c *CopyStream) binNext(dst []byte) []byte {
	if c.col++; c.col < len(c.cols) {
		c.bin.state = binLength
		return dst
	}
	c.col, c.bin.state = 0, binCount
	return c.flush(dst)
}
