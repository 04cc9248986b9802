package rdpwire

import (
	"errors"
	"fmt"
)

// Types of slow-path updates (MS-RDPBCGR 2.2.9.1.1.3.1): the first two bytes of the data, on the fast path as well.
const (
	slowOrders      = 0
	slowBitmap      = 1
	slowPalette     = 2
	slowSynchronize = 3
)

// Rect is one rectangle of a bitmap update (2.2.9.1.1.3.1.2.2). Right and Bottom are within it.
type Rect struct {
	Left, Top, Right, Bottom int
	Width, Height            int // of the data, which may be wider than what is shown
	Depth                    int // bits per pixel: 8, 15, 16, 24, 32
	Compressed               bool
	Data                     []byte
}

const (
	bitmapCompressed = 0x0001
	bitmapNoHeader   = 0x0400
	bitmapHeader     = 8
)

// ParseBitmaps reads the data of a bitmap update.
func ParseBitmaps(b []byte) ([]Rect, error) {
	c := cursor{b: b}
	if kind := c.u16(); kind != slowBitmap {
		return nil, fmt.Errorf("rdp: bitmap update of type %d", kind)
	}
	n := int(c.u16())
	var out []Rect
	for range n {
		r := Rect{Left: int(c.u16()), Top: int(c.u16()), Right: int(c.u16()), Bottom: int(c.u16()),
			Width: int(c.u16()), Height: int(c.u16()), Depth: int(c.u16())}
		flags := c.u16()
		r.Data = c.take(int(c.u16()))
		if c.bad {
			return nil, c.err("rdp: bitmap update")
		}
		r.Compressed = flags&bitmapCompressed != 0
		if r.Compressed && flags&bitmapNoHeader == 0 {
			if len(r.Data) < bitmapHeader {
				return nil, fmt.Errorf("rdp: bitmap header: %w", ErrShort)
			}
			r.Data = r.Data[bitmapHeader:]
		}
		out = append(out, r)
	}
	return out, nil
}

// AppendBitmap appends the data of a bitmap update of one rectangle.
func AppendBitmap(b []byte, r Rect) []byte {
	b = put16(put16(b, slowBitmap), 1)
	for _, v := range []int{r.Left, r.Top, r.Right, r.Bottom, r.Width, r.Height, r.Depth} {
		b = put16(b, uint16(v))
	}
	flags := uint16(0)
	if r.Compressed {
		flags = bitmapCompressed | bitmapNoHeader
	}
	return append(put16(put16(b, flags), uint16(len(r.Data))), r.Data...)
}

// Palette is the colours of 8-bit pixels: red, green, blue.
type Palette [256][3]byte

// ParsePalette reads the data of a palette update (2.2.9.1.1.3.1.1.1).
func ParsePalette(b []byte) (Palette, error) {
	var p Palette
	c := cursor{b: b}
	kind := c.u16()
	c.u16()
	n := c.u32()
	if c.bad || kind != slowPalette || n != 256 {
		return p, errors.New("rdp: a malformed palette")
	}
	for i := range p {
		copy(p[i][:], c.take(3))
	}
	return p, c.err("rdp: palette")
}

// AppendPalette appends the data of a palette update.
func AppendPalette(b []byte, p Palette) []byte {
	b = put32(put16(put16(b, slowPalette), 0), 256)
	for _, c := range p {
		b = append(b, c[:]...)
	}
	return b
}

// SlowUpdate gives a slow-path update, the body of a share data PDU of type DataUpdate, as the fast path would have it.
func SlowUpdate(body []byte) (Update, error) {
	c := cursor{b: body}
	kind := c.u16()
	if c.bad {
		return Update{}, c.err("rdp: update")
	}
	switch kind {
	case slowOrders:
		if c.u16(); c.u16() == 0 { // pad, then how many
			return Update{Code: UpdateOrders, Data: []byte{0, 0}}, c.err("rdp: orders")
		}
	case slowBitmap:
		return Update{Code: UpdateBitmap, Data: body}, nil
	case slowPalette:
		return Update{Code: UpdatePalette, Data: body}, nil
	case slowSynchronize:
		return Update{Code: UpdateSynchronize}, nil
	}
	return Update{}, fmt.Errorf("rdp: update of type %d", kind)
}

// Slow-path pointer messages (2.2.9.1.1.4) and their codes on the fast path.
var slowPointers = map[uint16]byte{3: PointerPosition, 6: PointerColor, 7: PointerCached, 8: PointerNew}

// SlowPointer is SlowUpdate for share data PDUs of type DataPointer.
func SlowPointer(body []byte) (Update, error) {
	c := cursor{b: body}
	kind := c.u16()
	c.u16()
	code, ok := slowPointers[kind]
	if kind == 1 { // system: hidden or default
		switch v := c.u32(); {
		case v == 0:
			code, ok = PointerHidden, true
		case v == 0x7f00:
			code, ok = PointerDefault, true
		}
	}
	if !ok || c.bad {
		return Update{}, fmt.Errorf("rdp: pointer message %d", kind)
	}
	return Update{Code: code, Data: c.b}, nil
}
