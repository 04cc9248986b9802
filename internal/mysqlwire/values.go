package mysqlwire

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// ErrShort is a message that ends too early, or says a length that it does not have.
var ErrShort = errors.New("message is malformed")

// Lenenc reads a length-encoded integer: below 0xfb itself, 0xfc 2 bytes, 0xfd 3, 0xfe 8. 0xfb (NULL in a row)
// and 0xff are errors.
func Lenenc(b []byte) (v uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, ErrShort
	}
	switch n := b[0]; {
	case n < 0xfb:
		return uint64(n), b[1:], nil
	case n == 0xfc && len(b) >= 3:
		return uint64(binary.LittleEndian.Uint16(b[1:])), b[3:], nil
	case n == 0xfd && len(b) >= 4:
		return uint64(b[1]) | uint64(b[2])<<8 | uint64(b[3])<<16, b[4:], nil
	case n == 0xfe && len(b) >= 9:
		return binary.LittleEndian.Uint64(b[1:]), b[9:], nil
	}
	return 0, nil, ErrShort
}

// LenencString reads a string with its length before it.
func LenencString(b []byte) (s, rest []byte, err error) {
	n, rest, err := Lenenc(b)
	if err != nil || n > uint64(len(rest)) {
		return nil, nil, ErrShort
	}
	return rest[:n:n], rest[n:], nil
}

// AppendLenenc appends a length-encoded integer.
func AppendLenenc(b []byte, v uint64) []byte {
	switch {
	case v < 0xfb:
		return append(b, byte(v))
	case v < 1<<16:
		return append(b, 0xfc, byte(v), byte(v>>8))
	case v < 1<<24:
		return append(b, 0xfd, byte(v), byte(v>>8), byte(v>>16))
	}
	return binary.LittleEndian.AppendUint64(append(b, 0xfe), v)
}

// AppendLenencString appends a string with its length before it.
func AppendLenencString[T string | []byte](b []byte, s T) []byte {
	return append(AppendLenenc(b, uint64(len(s))), s...)
}

// nulString reads a string up to a NUL.
func nulString(b []byte) (s, rest []byte, err error) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return nil, nil, ErrShort
	}
	return b[:i:i], b[i+1:], nil
}
