package rdpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Fast-path updates (MS-RDPBCGR 2.2.9.1.2.1): code in the low 4 bits of the header, then 2 bits of fragmentation and 2 of compression.
const (
	UpdateOrders      = 0
	UpdateBitmap      = 1
	UpdatePalette     = 2
	UpdateSynchronize = 3
	UpdateSurface     = 4
	PointerHidden     = 5
	PointerDefault    = 6
	PointerPosition   = 8
	PointerColor      = 9
	PointerCached     = 10
	PointerNew        = 11
)

// Fragments of an update.
const (
	FragmentSingle = 0
	FragmentLast   = 1
	FragmentFirst  = 2
	FragmentNext   = 3
)

// Update is one update of a fast-path PDU.
type Update struct {
	Code     byte
	Fragment byte
	Data     []byte
}

// fastBody is what is behind the header and length of a fast-path PDU; first is its first byte.
func fastBody(pdu []byte) (first byte, body []byte, err error) {
	n, err := PDULength(pdu)
	if err != nil {
		return 0, nil, err
	}
	if n == 0 || n != len(pdu) || IsTPKT(pdu) {
		return 0, nil, errors.New("rdp: no fast-path PDU")
	}
	if pdu[0]>>6 != 0 { // a checksum or encryption, which do not come within TLS
		return 0, nil, errors.New("rdp: an encrypted fast-path PDU")
	}
	if pdu[1]&0x80 != 0 {
		return pdu[0], pdu[3:], nil
	}
	return pdu[0], pdu[2:], nil
}

// ParseUpdates gives the updates of a server's fast-path PDU.
func ParseUpdates(pdu []byte) ([]Update, error) {
	_, body, err := fastBody(pdu)
	if err != nil {
		return nil, err
	}
	var out []Update
	for c := (cursor{b: body}); len(c.b) > 0; {
		head := c.u8()
		if head>>6 != 0 && c.u8()&0x20 != 0 {
			return nil, errors.New("rdp: a compressed update, which was not negotiated")
		}
		u := Update{Code: head & 0xf, Fragment: head >> 4 & 3}
		u.Data = c.take(int(c.u16()))
		if c.bad {
			return nil, c.err("rdp: update")
		}
		out = append(out, u)
	}
	return out, nil
}

// AppendUpdate appends a fast-path PDU with one update of up to MaxFastData bytes.
func AppendUpdate(b []byte, u Update) []byte {
	n := 3 + 3 + len(u.Data)
	b = putBE(append(b, 0), uint16(n)|0x8000)
	return append(put16(append(b, u.Code|u.Fragment<<4), uint16(len(u.Data))), u.Data...)
}

// MaxFastData is the most that one fast-path update carries.
const MaxFastData = 0x7fff - 6

// Kinds of Input events.
const (
	InputKey     = 0 // a scan code
	InputMouse   = 1
	InputMouseX  = 2 // buttons 4 and 5
	InputSync    = 3 // of the lock keys
	InputUnicode = 4
)

// Input is one input event, of whichever path.
type Input struct {
	Kind    byte
	Release bool
	// Extended and Extended1 tell keys apart that have the same scan code (E0 and E1 of the PC keyboard).
	Extended, Extended1 bool
	Code                uint16 // scan code, UTF-16 unit, or the lock keys of InputSync
	Flags, X, Y         uint16 // of the mouse
}

// Layouts of fast-path events (2.2.8.1.2.2): a byte with the kind in its three high bits and flags below, then so many bytes.
var inputSize = map[byte]int{InputKey: 1, InputMouse: 6, InputMouseX: 6, InputSync: 0, InputUnicode: 2}

const (
	keyRelease   = 1
	keyExtended  = 2
	keyExtended1 = 4
)

// ParseFastInput gives the events of a client's fast-path PDU.
func ParseFastInput(pdu []byte) ([]Input, error) {
	first, body, err := fastBody(pdu)
	if err != nil {
		return nil, err
	}
	c := cursor{b: body}
	n := int(first >> 2 & 0xf)
	if n == 0 {
		n = int(c.u8())
	}
	out := make([]Input, 0, n)
	for range n {
		head := c.u8()
		kind, flags := head>>5, head&0x1f
		size, ok := inputSize[kind]
		if !ok {
			return nil, fmt.Errorf("rdp: input event %d", kind)
		}
		b := c.take(size)
		if c.bad {
			return nil, c.err("rdp: input")
		}
		out = append(out, fastInput(kind, flags, b))
	}
	if len(c.b) > 0 {
		return nil, errors.New("rdp: bytes behind the input events")
	}
	return out, nil
}

func fastInput(kind, flags byte, b []byte) Input {
	in := Input{Kind: kind}
	c := cursor{b: b}
	switch kind {
	case InputKey:
		in.Code = uint16(c.u8())
		in.Release, in.Extended, in.Extended1 = flags&keyRelease != 0, flags&keyExtended != 0, flags&keyExtended1 != 0
	case InputUnicode:
		in.Code, in.Release = c.u16(), flags&keyRelease != 0
	case InputSync:
		in.Code = uint16(flags)
	default:
		in.Flags, in.X, in.Y = c.u16(), c.u16(), c.u16()
	}
	return in
}

// AppendFastInput appends a fast-path PDU of up to 255 events.
func AppendFastInput(b []byte, events []Input) []byte {
	at := len(b)
	b = append(b, 0, 0x80, 0)
	if n := len(events); n < 16 {
		b[at] = byte(n) << 2
	} else {
		b = append(b, byte(n))
	}
	for _, in := range events {
		flags := byte(0)
		for f, is := range map[byte]bool{keyRelease: in.Release, keyExtended: in.Extended, keyExtended1: in.Extended1} {
			if is {
				flags |= f
			}
		}
		if in.Kind == InputSync {
			flags = byte(in.Code & 0x1f)
		}
		b = append(b, in.Kind<<5|flags)
		switch in.Kind {
		case InputKey:
			b = append(b, byte(in.Code))
		case InputUnicode:
			b = put16(b, in.Code)
		case InputMouse, InputMouseX:
			b = put16(put16(put16(b, in.Flags), in.X), in.Y)
		}
	}
	binary.BigEndian.PutUint16(b[at+1:], uint16(len(b)-at)|0x8000)
	return b
}

// Slow-path event types (2.2.8.1.1.3.1.1).
var slowKinds = map[uint16]byte{0: InputSync, 4: InputKey, 5: InputUnicode, 0x8001: InputMouse, 0x8002: InputMouseX}

// ParseSlowInput gives the events of a share data PDU of type DataInput.
func ParseSlowInput(body []byte) ([]Input, error) {
	c := cursor{b: body}
	n := int(c.u16())
	c.u16()
	var out []Input
	for range n {
		c.u32() // time
		kind, ok := slowKinds[c.u16()]
		e := cursor{b: c.take(6)}
		if c.bad {
			return nil, c.err("rdp: input")
		}
		if !ok {
			continue // 2.2.8.1.1.3.1.1.1 lets unknown ones be; they are not passed on
		}
		in := Input{Kind: kind}
		flags := e.u16()
		switch kind {
		case InputKey, InputUnicode:
			in.Code = e.u16()
			in.Release, in.Extended, in.Extended1 = flags&0x8000 != 0, flags&0x0100 != 0, flags&0x0200 != 0
		case InputSync:
			in.Code = e.u16() & 0x1f // toggleFlags are 32 bits, behind a pad
		default:
			in.Flags, in.X, in.Y = flags, e.u16(), e.u16()
		}
		out = append(out, in)
	}
	return out, nil
}

// AppendSlowInput appends the body of a share data PDU of type DataInput.
func AppendSlowInput(b []byte, events []Input) []byte {
	b = put16(put16(b, uint16(len(events))), 0)
	for _, in := range events {
		b = put32(b, 0)
		flags := uint16(0)
		for f, is := range map[uint16]bool{0x8000: in.Release, 0x0100: in.Extended, 0x0200: in.Extended1} {
			if is {
				flags |= f
			}
		}
		switch in.Kind {
		case InputSync:
			b = put16(put32(put16(b, 0), uint32(in.Code)<<16), 0)
		case InputKey:
			b = put16(put16(put16(put16(b, 4), flags), in.Code), 0)
		case InputUnicode:
			b = put16(put16(put16(put16(b, 5), flags), in.Code), 0)
		default:
			b = put16(put16(put16(put16(b, 0x8000|uint16(in.Kind)), in.Flags), in.X), in.Y)
		}
	}
	return b
}
