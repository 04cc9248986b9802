// Package rows masks the rows of a MySQL result, in the text and in the binary format. What masks a column is told to
// it (internal/mask); where packets begin and end is left to its caller.
package rows

import (
	"slices"

	"dragoman.dev/dragoman/internal/mask"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// Column is what masks a column: nil passes its values.
type Column struct {
	Type     byte
	Unsigned bool
	Mask     *mask.Masker
	// Scrub, when there is one, gives the text that is delivered in the place of a value.
	Scrub func([]byte) []byte
}

// Any reports whether any column is masked.
func Any(cols []Column) bool {
	for i := range cols {
		if cols[i].Mask != nil || cols[i].Scrub != nil {
			return true
		}
	}
	return false
}

// MaskType is a column's type as masking knows it: by PostgreSQL's type of the same shape. Where there is none
// (bit strings, geometry) masking gives NULL.
func MaskType(c *wire.Column) mask.Type {
	oid := uint32(0)
	switch c.Type {
	case wire.TypeTiny, wire.TypeShort, wire.TypeYear:
		oid = 21
	case wire.TypeLong, wire.TypeInt24:
		oid = 23
	case wire.TypeLonglong:
		oid = 20
	case wire.TypeFloat:
		oid = 700
	case wire.TypeDouble:
		oid = 701
	case wire.TypeDecimal, wire.TypeNewDecimal:
		oid = 1700
	case wire.TypeDate, wire.TypeNewDate:
		oid = 1082
	case wire.TypeTime, wire.TypeTime2:
		oid = 1083
	case wire.TypeDatetime, wire.TypeTimestamp, wire.TypeDatetime2, wire.TypeTimestamp2:
		oid = 1114
	case wire.TypeJSON:
		oid = 114
	case wire.TypeVarchar, wire.TypeVarString, wire.TypeString, wire.TypeEnum, wire.TypeSet, wire.TypeTinyBlob, wire.TypeMediumBlob, wire.TypeLongBlob,
		wire.TypeBlob:
		oid = 25
	}
	return mask.Type{OID: oid}
}

// null is NULL in a row of the text format.
const null = 0xfb

// Text masks a row of the text format: a length-encoded string a column, 0xfb for NULL. It appends the row to dst
// and tells how many values were masked.
func Text(dst, body []byte, cols []Column) (out []byte, masked int, err error) {
	out = dst
	pass := body // begins with what passes as it is and was not appended yet
	for i := range cols {
		if len(body) > 0 && body[0] == null {
			body = body[1:]
			continue
		}
		v, rest, err := wire.LenencString(body)
		if err != nil {
			return dst, 0, err
		}
		c := &cols[i]
		if c.Mask == nil && c.Scrub == nil {
			body = rest
			continue
		}
		before := len(out)
		out = append(out, pass[:len(pass)-len(body)]...)
		text, isNull, changed := c.text(out, v)
		if !changed {
			out, body = out[:before], rest // it passes with what is before it
			continue
		}
		if out = text; isNull {
			out = append(out, null)
		}
		body, pass = rest, rest
		masked++
	}
	if len(body) != 0 {
		return dst, 0, wire.ErrShort
	}
	return append(out, pass...), masked, nil
}

// text appends what is delivered in the place of a value, with its length before it. When nothing changes or it is NULL, nothing
// is appended.
func (c *Column) text(dst, v []byte) (out []byte, isNull, changed bool) {
	if c.Scrub != nil {
		return wire.AppendLenencString(dst, c.Scrub(v)), false, true
	}
	// A value of length 0 is not NULL. Most lengths are of one byte.
	at := len(dst)
	out, isNull, changed = c.Mask.Text(append(dst, 0), v[:len(v):len(v)])
	if !changed || isNull {
		return dst, isNull, changed
	}
	n := len(out) - at - 1
	if n < 0xfb {
		out[at] = byte(n)
		return out, false, true
	}
	var length [9]byte
	l := wire.AppendLenenc(length[:0], uint64(n))
	out[at] = l[0]
	return slices.Insert(out, at+1, l[1:]...), false, true
}

// Binary masks a row of the binary format: 0x00, NULL bitmap of (n+9)/8 bytes from bit 2 on, values.
func Binary(dst, body []byte, cols []Column) (out []byte, masked int, err error) {
	n := (len(cols) + 9) / 8
	if len(body) < 1+n || body[0] != 0 {
		return dst, 0, wire.ErrShort
	}
	nulls := body[1 : 1+n]
	at := len(dst) + 1
	out = append(dst, body[:1+n]...)
	body = body[1+n:]
	for i := range cols {
		c := &cols[i]
		byteAt, bit := (i+2)/8, byte(1)<<((i+2)%8)
		if nulls[byteAt]&bit != 0 {
			continue
		}
		raw, v, rest, err := wire.BinaryValue(c.Type, body)
		if err != nil {
			return dst, 0, err
		}
		body = rest
		if c.Mask == nil && c.Scrub == nil {
			out = append(out, raw...)
			continue
		}
		more, isNull, changed := c.binary(out, v)
		switch {
		case !changed:
			out = append(out, raw...)
			continue
		case isNull:
			out[at+byteAt] |= bit
		default:
			out = more
		}
		masked++
	}
	if len(body) != 0 {
		return dst, 0, wire.ErrShort
	}
	return out, masked, nil
}

// binary is text for a value of the binary format.
func (c *Column) binary(dst, v []byte) (out []byte, isNull, changed bool) {
	if wire.IsString(c.Type) {
		return c.text(dst, v)
	}
	if c.Scrub != nil {
		return wire.AppendLenencString(dst, c.Scrub(v)), false, true
	}
	text, isNull, changed := c.Mask.Text(nil, append([]byte{}, wire.BinaryText(c.Type, c.Unsigned, v)...))
	if !changed || isNull {
		return dst, isNull, changed
	}
	return wire.AppendBinary(dst, c.Type, text), false, true
}
