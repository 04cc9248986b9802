// Package rows rewrites the result data of PostgreSQL: DataRow bodies and COPY
// OUT streams, text, CSV and binary. It owns their framing and the
// limits on what is held in memory; which value is masked and how is decided
// by the maskers it is given. It does no I/O.
//
// Memory: a DataRow is rewritten at once (RewriteDataRow) or, when it is long,
// as a stream (RowStream). In a stream, what must be held is what lies before
// the last masked column's end, because the message's length comes first and
// depends on it. COPY has no such length, so of a COPY only one masked value
// is held at a time.
package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"dragoman.dev/dragoman/internal/mask"
)

// Columns has what masks each column of a result; nil lets it pass.
type Columns []*mask.Masker

// Any reports whether any column is masked.
func (c Columns) Any() bool { return c.last() >= 0 }

// last is the last masked column, -1 without one.
func (c Columns) last() int {
	for i := len(c) - 1; i >= 0; i-- {
		if c[i] != nil {
			return i
		}
	}
	return -1
}

// Limits bound what is held in memory. A zero means the default.
type Limits struct {
	// Value is the longest value in bytes that a masker is shown; a longer one
	// is hidden whole. Default 1 MiB.
	Value int
	// Row is how much of one DataRow a RowStream holds. Default 16 MiB.
	Row int
}

const (
	defaultValue = 1 << 20
	defaultRow   = 16 << 20
)

func (l Limits) value() int {
	if l.Value > 0 {
		return l.Value
	}
	return defaultValue
}

func (l Limits) row() int {
	if l.Row > 0 {
		return l.Row
	}
	return defaultRow
}

// Errors after which the session must end: what the target sent cannot be understood or held.
var (
	ErrMalformed   = errors.New("malformed result data")
	ErrFields      = errors.New("result data has another number of columns than its description")
	ErrRowTooLarge = errors.New("a row with masked columns is too large to be held in memory")
)

// Formats of a value (RowDescription, Bind).
const (
	formatText   = 0
	formatBinary = 1
)

// isBinary gives the format of column i: no formats means text for all, one is
// for all columns.
func isBinary(formats []int16, i int) bool {
	switch len(formats) {
	case 0:
		return false
	case 1:
		return formats[0] == formatBinary
	}
	return formats[i] == formatBinary
}

func checkFormats(formats []int16, columns int) error {
	if len(formats) > 1 && len(formats) != columns {
		return fmt.Errorf("%w: %d formats for %d columns", ErrFields, len(formats), columns)
	}
	for _, f := range formats {
		if f != formatText && f != formatBinary {
			return fmt.Errorf("%w: format %d", ErrMalformed, f)
		}
	}
	return nil
}

// headerSize is the type byte and the length of a message.
const headerSize = 5

// RewriteDataRow is Limits.RewriteDataRow with the defaults.
func RewriteDataRow(dst, body []byte, formats []int16, cols Columns) (out []byte, masked int, err error) {
	return Limits{}.RewriteDataRow(dst, body, formats, cols)
}

// RewriteDataRow masks the body of a DataRow: int16 columns, then for each an
// int32 length (-1 for NULL) and the value. When masked is 0 the row is to be
// delivered as it came, and dst is returned as it was; otherwise the whole new
// message, with type and length, was appended to dst. masked counts the values that changed.
func (l Limits) RewriteDataRow(dst, body []byte, formats []int16, cols Columns) (out []byte, masked int, err error) {
	if !cols.Any() {
		return dst, 0, nil
	}
	if err := checkFormats(formats, len(cols)); err != nil {
		return dst, 0, err
	}
	if len(body) < 2 {
		return dst, 0, fmt.Errorf("%w: DataRow of %d bytes", ErrMalformed, len(body))
	}
	if n := int(binary.BigEndian.Uint16(body)); n != len(cols) {
		return dst, 0, fmt.Errorf("%w: %d, not %d", ErrFields, n, len(cols))
	}
	start, at, copied := len(dst), 2, 0
	for i, m := range cols {
		val, next, err := field(body, at)
		if err != nil {
			return dst[:start], 0, err
		}
		if m == nil || val == nil {
			at = next
			continue
		}
		if len(dst) == start {
			dst = append(dst, 'D', 0, 0, 0, 0)
		}
		dst = append(dst, body[copied:at]...)
		copied = at
		mark := len(dst)
		var changed bool
		if dst, changed = l.appendMasked(dst, m, val, isBinary(formats, i)); changed {
			masked++
			copied = next
		} else {
			dst = dst[:mark]
		}
		at = next
	}
	if at != len(body) {
		return dst[:start], 0, fmt.Errorf("%w: %d bytes after the last column", ErrMalformed, len(body)-at)
	}
	if masked == 0 {
		return dst[:start], 0, nil
	}
	dst = append(dst, body[copied:]...)
	return dst, masked, putLength(dst[start:])
}

// field reads the column at body[at:]; val is nil for NULL and not otherwise.
func field(body []byte, at int) (val []byte, next int, err error) {
	if at+4 > len(body) {
		return nil, 0, fmt.Errorf("%w: a column's length is cut off", ErrMalformed)
	}
	n := int(int32(binary.BigEndian.Uint32(body[at:])))
	at += 4
	if n == -1 {
		return nil, at, nil
	}
	if n < 0 || n > len(body)-at {
		return nil, 0, fmt.Errorf("%w: a column of %d bytes in %d", ErrMalformed, n, len(body)-at)
	}
	return body[at : at+n : at+n], at + n, nil
}

// appendMasked appends a value's new length and bytes. When changed is false dst is of no use.
func (l Limits) appendMasked(dst []byte, m *mask.Masker, val []byte, bin bool) (out []byte, changed bool) {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	var null bool
	switch {
	case m.NeedsValue() && len(val) > l.value():
		dst, null = m.Whole(dst, bin)
		changed = true
	case bin:
		dst, null, changed = m.Binary(dst, val)
	default:
		dst, null, changed = m.Text(dst, val)
	}
	putValueLength(dst, at, null)
	return dst, changed
}

// putValueLength sets the length at dst[at:] of the value that follows.
func putValueLength(dst []byte, at int, null bool) {
	n := uint32(len(dst) - at - 4)
	if null {
		n = math.MaxUint32
	}
	binary.BigEndian.PutUint32(dst[at:], n)
}

// putLength sets the length of the message that begins at msg[0].
func putLength(msg []byte) error {
	if len(msg)-1 > math.MaxInt32 {
		return fmt.Errorf("%w: %d bytes", ErrRowTooLarge, len(msg))
	}
	binary.BigEndian.PutUint32(msg[1:], uint32(len(msg)-1))
	return nil
}
