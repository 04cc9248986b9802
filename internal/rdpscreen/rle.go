package rdpscreen

import "errors"

var errRLE = errors.New("rdpscreen: a run-length coded picture that does not decode")

// interleaved decodes interleaved run-length coding (MS-RDPBCGR 3.1.9) of pixels of size bytes into dst, which is
// width*height pixels. What the data leaves out stays black, as clients do it.
func interleaved(dst, src []byte, width, height, size int) error {
	clear(dst)
	d := rle{dst: dst, src: src, size: size, row: width * size, fg: [4]byte{0xff, 0xff, 0xff, 0xff}}
	for len(d.src) > 0 && !d.bad {
		d.order()
	}
	if d.bad {
		return errRLE
	}
	return nil
}

// rle is the state of a decoder.
type rle struct {
	dst, src  []byte
	at        int // in dst
	size, row int
	fg        [4]byte
	insert    bool // a background run that follows another begins with a foreground pixel
	second    bool // the first row is complete
	bad       bool
}

// Orders with a 5-bit length in their byte, those with 4 bits, those with 16 bits behind it, and those without.
const (
	orderBackground = 0x0
	orderForeground = 0x1
	orderMixed      = 0x2
	orderColor      = 0x3
	orderPixels     = 0x4
	orderSetFG      = 0xc
	orderSetMixed   = 0xd
	orderDithered   = 0xe
	orderMega       = 0xf0 // to 0xf8
	orderMixed1     = 0xf9
	orderMixed2     = 0xfa
	orderWhite      = 0xfd
	orderBlack      = 0xfe
)

func (d *rle) byte() byte {
	if len(d.src) == 0 {
		d.bad = true
		return 0
	}
	b := d.src[0]
	d.src = d.src[1:]
	return b
}

func (d *rle) pixel() (p [4]byte) {
	if len(d.src) < d.size {
		d.bad = true
		return p
	}
	copy(p[:], d.src[:d.size])
	d.src = d.src[d.size:]
	return p
}

// order decodes one order.
func (d *rle) order() {
	if !d.second && d.at >= d.row {
		d.second, d.insert = true, false
	}
	kind, n := d.head()
	if d.bad {
		return
	}
	if kind == orderBackground {
		d.background(n)
		d.insert = true
		return
	}
	d.insert = false
	switch kind {
	case orderSetFG, orderSetMixed:
		d.fg = d.pixel()
		kind -= orderSetFG - orderForeground
	}
	switch kind {
	case orderForeground:
		d.repeat(n, func() [4]byte { return d.xor(d.above()) })
	case orderMixed:
		d.mixed(n, d.byte)
	case orderMixed1:
		d.mixed(8, func() byte { return 3 })
	case orderMixed2:
		d.mixed(8, func() byte { return 5 })
	case orderColor:
		p := d.pixel()
		d.repeat(n, func() [4]byte { return p })
	case orderDithered:
		p, q := d.pixel(), d.pixel()
		for i := 0; i < n && !d.bad; i++ {
			d.put(p)
			d.put(q)
		}
	case orderPixels:
		d.repeat(n, d.pixel)
	case orderWhite:
		d.put([4]byte{0xff, 0xff, 0xff, 0xff})
	case orderBlack:
		d.put([4]byte{})
	default:
		d.bad = true
	}
}

// head reads an order's code and length. Foreground and background images count in eights, unless the length is in
// bytes behind the code.
func (d *rle) head() (kind, n int) {
	b := d.byte()
	switch {
	case b >= orderMega:
		if b > orderMega+8 {
			return int(b), 1
		}
		n = int(d.byte())
		n |= int(d.byte()) << 8
		return [...]int{orderBackground, orderForeground, orderMixed, orderColor, orderPixels, -1, orderSetFG, orderSetMixed, orderDithered}[b-orderMega], n
	case b >= orderSetFG<<4:
		kind, n = int(b>>4), int(b&0xf)
		if kind == orderSetMixed {
			return kind, d.eights(n)
		}
		if n == 0 {
			n = int(d.byte()) + 16
		}
		return kind, n
	}
	kind, n = int(b>>5), int(b&0x1f)
	if kind == orderMixed {
		return kind, d.eights(n)
	}
	if n == 0 {
		n = int(d.byte()) + 32
	}
	return kind, n
}

func (d *rle) eights(n int) int {
	if n == 0 {
		return int(d.byte()) + 1
	}
	return n * 8
}

func (d *rle) put(p [4]byte) {
	if d.at+d.size > len(d.dst) {
		d.bad = true
		return
	}
	copy(d.dst[d.at:d.at+d.size], p[:d.size])
	d.at += d.size
}

// above is the pixel of the row before; black in the first.
func (d *rle) above() (p [4]byte) {
	if d.second {
		copy(p[:d.size], d.dst[d.at-d.row:])
	}
	return p
}

func (d *rle) xor(p [4]byte) [4]byte {
	for i := range p {
		p[i] ^= d.fg[i]
	}
	return p
}

func (d *rle) repeat(n int, pixel func() [4]byte) {
	for i := 0; i < n && !d.bad; i++ {
		if d.at >= len(d.dst) {
			d.bad = true
			return
		}
		d.put(pixel())
	}
}

func (d *rle) background(n int) {
	if d.insert && n > 0 {
		d.repeat(1, func() [4]byte { return d.xor(d.above()) })
		n--
	}
	d.repeat(n, d.above)
}

// mixed draws foreground where a mask's bits, lowest first, are set.
func (d *rle) mixed(n int, next func() byte) {
	for n > 0 && !d.bad {
		mask := next()
		for i := 0; i < min(n, 8) && !d.bad; i++ {
			set := mask>>i&1 != 0
			d.repeat(1, func() [4]byte {
				if set {
					return d.xor(d.above())
				}
				return d.above()
			})
		}
		n -= 8
	}
}
