package rows

import (
	"encoding/binary"
	"fmt"
	"math"

	"dragoman.dev/dragoman/internal/mask"
)

// rowState is where in a DataRow's body a RowStream is.
type rowState uint8

const (
	rowCount  rowState = iota // in the number of columns
	rowLength                 // in a column's length
	rowValue                  // in a column's value
	rowDone
	rowBroken
)

// RowStream masks one DataRow whose body comes in pieces. It holds what lies
// before the end of the last masked column, up to Limits.Row, and of a masked
// value what its masker needs, up to Limits.Value; all else passes through.
// A row without masked columns is never held.
type RowStream struct {
	limits  Limits
	formats []int16
	cols    Columns
	last    int // the last masked column

	state   rowState
	bodyLen int
	left    int // bytes of the body still to come
	col     int
	need    int // bytes of the value still to come
	num     [4]byte
	numLen  int

	held    []byte // the new body's begin, until the header is out
	val     []byte // the masked value
	over    bool   // the masked value is too long
	valLen  int
	started bool // the header is out
	delta   int  // new length less old length
	masked  int
	err     error
}

// NewRowStream begins a DataRow whose body has bodyLen bytes (the message's length less four).
func NewRowStream(bodyLen int, formats []int16, cols Columns, limits Limits) (*RowStream, error) {
	if bodyLen < 2 || bodyLen > math.MaxInt32-4 {
		return nil, fmt.Errorf("%w: DataRow of %d bytes", ErrMalformed, bodyLen)
	}
	if cols.Any() {
		if err := checkFormats(formats, len(cols)); err != nil {
			return nil, err
		}
	}
	return &RowStream{limits: limits, formats: formats, cols: cols, last: cols.last(), bodyLen: bodyLen, left: bodyLen}, nil
}

// Write takes the next piece of the body and appends to dst what can be
// delivered. masked counts the values changed by this piece. After an error
// the session must end: a part of the message may be out.
func (r *RowStream) Write(dst, piece []byte) (out []byte, masked int, err error) {
	before := r.masked
	for len(piece) > 0 && r.err == nil {
		if r.left == 0 {
			r.fail(fmt.Errorf("%w: more than the row's length", ErrMalformed))
			break
		}
		n := min(len(piece), r.left)
		if r.last >= 0 {
			dst, n = r.step(dst, piece[:n])
		} else {
			dst = append(r.header(dst), piece[:n]...)
		}
		r.left -= n
		piece = piece[n:]
	}
	if r.err == nil && r.left == 0 {
		dst = r.finish(dst)
	}
	return dst, r.masked - before, r.err
}

// Done reports whether the row is complete and delivered.
func (r *RowStream) Done() bool { return r.state == rowDone }

func (r *RowStream) fail(err error) {
	if r.err == nil {
		r.err, r.state = err, rowBroken
		r.held, r.val = nil, nil
	}
}

func (r *RowStream) finish(dst []byte) []byte {
	if r.last >= 0 && r.state != rowDone {
		if r.state != rowLength || r.numLen != 0 || r.col != len(r.cols) {
			r.fail(fmt.Errorf("%w: the row ends within a column", ErrMalformed))
			return dst
		}
	}
	r.state = rowDone
	return dst
}

// header puts out the message's header and what was held, once.
func (r *RowStream) header(dst []byte) []byte {
	if r.started {
		return dst
	}
	r.started = true
	size := r.bodyLen + r.delta + 4
	if size > math.MaxInt32 {
		r.fail(ErrRowTooLarge)
		return dst
	}
	dst = binary.BigEndian.AppendUint32(append(dst, 'D'), uint32(size))
	dst = append(dst, r.held...)
	r.held, r.val = nil, nil
	return dst
}

// step consumes a part of b and says how much.
func (r *RowStream) step(dst, b []byte) (out []byte, n int) {
	switch r.state {
	case rowCount:
		return dst, r.number(b, 2, func(v uint32) {
			if int(v) != len(r.cols) {
				r.fail(fmt.Errorf("%w: %d, not %d", ErrFields, v, len(r.cols)))
				return
			}
			r.state = rowLength
			r.held = binary.BigEndian.AppendUint16(r.held, uint16(v))
		})
	case rowLength:
		n = r.number(b, 4, func(v uint32) { dst = r.begin(dst, int(int32(v))) })
		return dst, n
	case rowValue:
		n = min(len(b), r.need)
		return r.value(dst, b[:n]), n
	}
	r.fail(fmt.Errorf("%w: bytes after the row", ErrMalformed))
	return dst, len(b)
}

// number collects a big-endian number of size bytes.
func (r *RowStream) number(b []byte, size int, done func(uint32)) int {
	n := copy(r.num[r.numLen:size], b)
	if r.numLen += n; r.numLen == size {
		r.numLen = 0
		v := uint32(0)
		for _, x := range r.num[:size] {
			v = v<<8 | uint32(x)
		}
		done(v)
	}
	return n
}

func (r *RowStream) masker() *mask.Masker { return r.cols[r.col] }

// begin starts a column of n bytes, -1 for NULL.
func (r *RowStream) begin(dst []byte, n int) []byte {
	if r.col >= len(r.cols) || n < -1 || n > r.left {
		r.fail(fmt.Errorf("%w: a column of %d bytes", ErrMalformed, n))
		return dst
	}
	if n >= 0 && r.masker() != nil {
		r.state, r.need, r.valLen = rowValue, n, n
		r.val, r.over = r.val[:0], n > r.limits.value()
	} else {
		dst = r.emit(dst, binary.BigEndian.AppendUint32(nil, uint32(n)))
		r.state, r.need = rowValue, max(n, 0)
	}
	if r.need == 0 {
		return r.end(dst, n < 0)
	}
	return dst
}

// emit passes bytes of the new body on, or holds them while the header cannot be written.
func (r *RowStream) emit(dst, b []byte) []byte {
	if r.started {
		return append(dst, b...)
	}
	if len(r.held)+len(b) > r.limits.row() {
		r.fail(ErrRowTooLarge)
		return dst
	}
	r.held = append(r.held, b...)
	return dst
}

func (r *RowStream) value(dst, b []byte) []byte {
	r.need -= len(b)
	switch m := r.masker(); {
	case m == nil:
		dst = r.emit(dst, b)
	case !r.over && m.NeedsValue():
		r.val = append(r.val, b...)
	}
	if r.need == 0 && r.err == nil {
		return r.end(dst, false)
	}
	return dst
}

// end closes a column, and puts out the header when it was the last masked one.
func (r *RowStream) end(dst []byte, null bool) []byte {
	if m := r.masker(); m != nil && !null {
		r.mask(m)
	}
	if r.err != nil {
		return dst
	}
	if r.col == r.last {
		dst = r.header(dst)
	}
	r.col++
	r.state = rowLength
	return dst
}

func (r *RowStream) mask(m *mask.Masker) {
	bin := isBinary(r.formats, r.col)
	at := len(r.held)
	out := append(r.held, 0, 0, 0, 0)
	null, changed := false, true
	val := r.val
	if val == nil || !m.NeedsValue() {
		val = []byte{}
	}
	switch {
	case r.over && m.NeedsValue():
		out, null = m.Whole(out, bin)
	case bin:
		out, null, changed = m.Binary(out, val)
	default:
		out, null, changed = m.Text(out, val)
	}
	if changed {
		r.masked++
	} else {
		out = append(out, val...)
	}
	putValueLength(out, at, null)
	r.delta += len(out) - at - 4 - r.valLen
	if r.held = out; len(out) > r.limits.row() {
		r.fail(ErrRowTooLarge)
	}
}
