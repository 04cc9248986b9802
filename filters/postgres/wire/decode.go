package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// ErrMalformed is a body that does not have its message's layout.
var ErrMalformed = errors.New("malformed message body")

// cut takes a NUL-terminated string off b.
func cut(b []byte) (s, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+1:], true
}

// QueryText is the text of a simple Query; borrowed.
func QueryText(body []byte) ([]byte, error) {
	s, rest, ok := cut(body)
	if !ok || len(rest) != 0 {
		return nil, ErrMalformed
	}
	return s, nil
}

// ParseBody is a decoded Parse; borrowed.
type ParseBody struct {
	Name, Text []byte
	Types      []byte // the count and the OIDs, as they travel
}

// OIDs are the parameter types that the client gave; 0 means not given.
func (p *ParseBody) OIDs() []uint32 {
	n := int(binary.BigEndian.Uint16(p.Types))
	out := make([]uint32, n)
	for i := range out {
		out[i] = binary.BigEndian.Uint32(p.Types[2+4*i:])
	}
	return out
}

// DecodeParse decodes a whole Parse.
func DecodeParse(body []byte) (ParseBody, error) {
	name, rest, ok := cut(body)
	if !ok {
		return ParseBody{}, ErrMalformed
	}
	text, rest, ok := cut(rest)
	if !ok || len(rest) < 2 || len(rest) != 2+4*int(binary.BigEndian.Uint16(rest)) {
		return ParseBody{}, ErrMalformed
	}
	return ParseBody{Name: name, Text: text, Types: rest}, nil
}

// BindBody is a decoded Bind; borrowed.
type BindBody struct {
	Portal, Statement []byte
	Formats           []byte // 2 bytes each: of the parameters
	Count             int    // of parameters
	Values            []byte // 4-byte length (-1: NULL) and value, each; nil when the Bind came in pieces
	Results           []byte // 2 bytes each: formats of the result columns
}

// DecodeBind decodes a whole Bind.
func DecodeBind(body []byte) (BindBody, error) {
	b, rest, err := DecodeBindHead(body)
	if err != nil {
		return b, err
	}
	values := rest
	for range b.Count {
		if len(rest) < 4 {
			return b, ErrMalformed
		}
		n := int64(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if n < -1 || n > int64(len(rest)) {
			return b, ErrMalformed
		}
		if n > 0 {
			rest = rest[n:]
		}
	}
	b.Values = values[:len(values)-len(rest)]
	b.Results, rest, err = formats(rest)
	if err != nil || len(rest) != 0 {
		return b, ErrMalformed
	}
	return b, nil
}

// DecodeBindHead decodes the part of a Bind before the parameters' values.
func DecodeBindHead(body []byte) (b BindBody, rest []byte, err error) {
	var ok bool
	if b.Portal, rest, ok = cut(body); !ok {
		return b, nil, ErrMalformed
	}
	if b.Statement, rest, ok = cut(rest); !ok {
		return b, nil, ErrMalformed
	}
	if b.Formats, rest, err = formats(rest); err != nil {
		return b, nil, err
	}
	if len(rest) < 2 {
		return b, nil, ErrMalformed
	}
	b.Count = int(binary.BigEndian.Uint16(rest))
	return b, rest[2:], nil
}

func formats(b []byte) (f, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, ErrMalformed
	}
	n := 2 * int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return nil, nil, ErrMalformed
	}
	return b[2 : 2+n], b[2+n:], nil
}

// Format is the i-th of a list of format codes: none means all text, one means that one for all.
func Format(codes []byte, i int) int16 {
	switch {
	case len(codes) == 0:
		return 0
	case len(codes) == 2:
		i = 0
	case 2*i+2 > len(codes):
		return 0
	}
	return int16(binary.BigEndian.Uint16(codes[2*i:]))
}

// NextValue takes a value off Values; null is SQL NULL.
func NextValue(values []byte) (v, rest []byte, null, ok bool) {
	if len(values) < 4 {
		return nil, nil, false, false
	}
	n := int64(int32(binary.BigEndian.Uint32(values)))
	values = values[4:]
	if n < 0 {
		return nil, values, true, true
	}
	if n > int64(len(values)) {
		return nil, nil, false, false
	}
	return values[:n], values[n:], false, true
}

// DecodeNamed decodes a Describe or Close: what is 'S' or 'P'; name is borrowed.
func DecodeNamed(body []byte) (what byte, name []byte, err error) {
	if len(body) < 2 {
		return 0, nil, ErrMalformed
	}
	name, rest, ok := cut(body[1:])
	if !ok || len(rest) != 0 || body[0] != 'S' && body[0] != 'P' {
		return 0, nil, ErrMalformed
	}
	return body[0], name, nil
}

// DecodeExecute decodes an Execute; maxRows 0 means no limit.
func DecodeExecute(body []byte) (portal []byte, maxRows uint32, err error) {
	portal, rest, ok := cut(body)
	if !ok || len(rest) != 4 {
		return nil, 0, ErrMalformed
	}
	return portal, binary.BigEndian.Uint32(rest), nil
}

// Column is what RowDescription says of one column of a result.
type Column struct {
	Name   []byte // borrowed
	Table  uint32 // OID, 0 when it is no column of a table
	Attr   int16  // attribute number
	Type   uint32 // OID
	Size   int16
	Mod    int32
	Format int16
}

// MaxColumns bounds a RowDescription: PostgreSQL's own bound is 1,664.
const MaxColumns = 1 << 15

// DecodeRowDescription appends the columns to dst.
func DecodeRowDescription(dst []Column, body []byte) ([]Column, error) {
	if len(body) < 2 {
		return dst, ErrMalformed
	}
	n := int(binary.BigEndian.Uint16(body))
	if n > MaxColumns {
		return dst, ErrMalformed
	}
	rest := body[2:]
	for range n {
		name, r, ok := cut(rest)
		if !ok || len(r) < 18 {
			return dst, ErrMalformed
		}
		dst = append(dst, Column{
			Name:   name,
			Table:  binary.BigEndian.Uint32(r),
			Attr:   int16(binary.BigEndian.Uint16(r[4:])),
			Type:   binary.BigEndian.Uint32(r[6:]),
			Size:   int16(binary.BigEndian.Uint16(r[10:])),
			Mod:    int32(binary.BigEndian.Uint32(r[12:])),
			Format: int16(binary.BigEndian.Uint16(r[16:])),
		})
		rest = r[18:]
	}
	if len(rest) != 0 {
		return dst, ErrMalformed
	}
	return dst, nil
}

// DecodeParameterDescription gives the types of a statement's parameters.
func DecodeParameterDescription(body []byte) ([]uint32, error) {
	if len(body) < 2 || (len(body)-2)%4 != 0 {
		return nil, ErrMalformed
	}
	switch n, count := (len(body)-2)/4, int(binary.BigEndian.Uint16(body)); {
	case n == count:
		p := ParseBody{Types: body}
		return p.OIDs(), nil
	case n > 65535 && n&0xffff == count:
		return nil, nil // a server prepares more parameters than the count can tell, or a Bind can give
	}
	return nil, ErrMalformed
}

// CopyFormat decodes a CopyInResponse, CopyOutResponse or CopyBothResponse.
func CopyFormat(body []byte) (binaryFormat bool, columns int, err error) {
	if len(body) < 3 || len(body) != 3+2*int(binary.BigEndian.Uint16(body[1:])) {
		return false, 0, ErrMalformed
	}
	return body[0] == 1, int(binary.BigEndian.Uint16(body[1:])), nil
}

// CommandTag is a CommandComplete's tag; borrowed.
func CommandTag(body []byte) ([]byte, error) { return QueryText(body) }
