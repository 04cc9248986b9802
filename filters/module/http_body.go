package main

// #include "http.h"
// #cgo noescape dgm_http_replace
import "C"

import (
	"encoding/binary"
	"unsafe"
)

// body is the piece of a body that a callback is about. Until it is changed its bytes are Envoy's own.
type body struct {
	list    []C.dgm_buffer
	bytes   []byte
	loaded  bool
	owned   bool // bytes is ours
	changed bool
}

func (b *body) size() int {
	n := 0
	for i := range b.list {
		n += int(b.list[i].length)
	}
	return n
}

func (b *body) load() []byte {
	if b.loaded {
		return b.bytes
	}
	b.loaded = true
	switch len(b.list) {
	case 0:
	case 1:
		b.bytes = borrowed(b.list[0])
	default:
		b.owned = true
		b.bytes = make([]byte, 0, b.size())
		for _, c := range b.list {
			b.bytes = append(b.bytes, borrowed(c)...)
		}
	}
	return b.bytes
}

// own makes the bytes ours, with room for n more.
func (b *body) own(n int) {
	old := b.load()
	if !b.owned {
		b.bytes = append(make([]byte, 0, len(old)+n), old...)
		b.owned = true
	}
	b.changed = true
}

// settle gives Envoy what the filter made of the piece.
func (b *body) settle(s *stream, kind C.int) bool {
	if !b.changed {
		return true
	}
	return bool(C.dgm_http_replace(s.envoy, kind, C.size_t(b.size()), unsafe.Pointer(unsafe.SliceData(b.bytes)), C.size_t(len(b.bytes))))
}

func (b *body) Write(p []byte) (int, error) {
	b.own(len(p))
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}

func (b *body) WriteString(s string) (int, error) { return b.Write([]byte(s)) }

func (b *body) WriteByte(p byte) error {
	_, err := b.Write([]byte{p})
	return err
}

func (b *body) WriteUint16(p uint16) error {
	_, err := b.Write(binary.BigEndian.AppendUint16(nil, p))
	return err
}

func (b *body) WriteUint32(p uint32) error {
	_, err := b.Write(binary.BigEndian.AppendUint32(nil, p))
	return err
}

func (b *body) WriteUint64(p uint64) error {
	_, err := b.Write(binary.BigEndian.AppendUint64(nil, p))
	return err
}

func (b *body) Bytes() []byte  { return b.load() }
func (b *body) String() string { return string(b.load()) }
func (b *body) Reset()         { b.replace(nil) }

func (b *body) Len() int {
	if b.loaded {
		return len(b.bytes)
	}
	return b.size()
}

func (b *body) Drain(n int) {
	b.load()
	b.bytes = b.bytes[min(max(n, 0), len(b.bytes)):]
	b.changed = true
}

func (b *body) Append(p []byte) error {
	_, err := b.Write(p)
	return err
}

func (b *body) AppendString(s string) error { return b.Append([]byte(s)) }

// replace takes p, which must stay unchanged until the callback returns.
func (b *body) replace(p []byte) {
	b.bytes, b.loaded, b.owned, b.changed = p, true, false, true
}

func (b *body) Set(p []byte) error {
	b.replace(p)
	return nil
}

func (b *body) SetString(s string) error { return b.Set([]byte(s)) }

func (b *body) Prepend(p []byte) error {
	old := b.load()
	joined := append(append(make([]byte, 0, len(p)+len(old)), p...), old...)
	b.bytes, b.owned, b.changed = joined, true, true
	return nil
}

func (b *body) PrependString(s string) error { return b.Prepend([]byte(s)) }
