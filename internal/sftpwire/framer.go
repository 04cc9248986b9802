package sftpwire

import (
	"encoding/binary"
	"fmt"
)

// Framer cuts a stream into packets.
type Framer struct {
	store      []byte
	start, end int // of what is not cut yet
	wire       []byte
}

// Room is where n more bytes of the stream can be put; Filled says how many were.
func (f *Framer) Room(n int) []byte {
	if len(f.store)-f.end < n {
		store := f.store
		if need := f.end - f.start + n; need > len(store) {
			store = make([]byte, max(need, 2*len(store)))
		}
		f.end = copy(store, f.store[f.start:f.end])
		f.start, f.store = 0, store
	}
	return f.store[f.end : f.end+n]
}

// Filled takes in the first n bytes of what Room gave.
func (f *Framer) Filled(n int) { f.end += n }

// Add takes more of the stream.
func (f *Framer) Add(b []byte) { f.Filled(copy(f.Room(len(b)), b)) }

// Wire is the last packet of Next with its length in front, valid as long as that.
func (f *Framer) Wire() []byte { return f.wire }

// Next is the next whole packet; nil when there is none yet. It stays valid until the next Add or Room.
func (f *Framer) Next() (Packet, error) {
	buf := f.store[f.start:f.end]
	if len(buf) < 4 {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(buf)
	if n < 1 || n > MaxPacket {
		return nil, fmt.Errorf("%w: a length of %d", ErrMalformed, n)
	}
	if uint32(len(buf)-4) < n {
		return nil, nil
	}
	f.wire = buf[: 4+n : 4+n]
	p := Packet(f.wire[4:])
	f.start += 4 + int(n)
	if t := p.Type(); t != Init && t != VersionP && len(p) < 5 {
		return nil, ErrMalformed
	}
	return p, nil
}
