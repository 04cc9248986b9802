// Package rdpscreen draws what an RDP server sends: bitmaps raw, run-length coded (MS-RDPBCGR 2.2.9.1.1.3.1.2.4) and
// planar (MS-RDPEGDI 2.2.2.5.1), on a picture in memory. The bridge uses it to know that it understands what it
// delivers, replay to show it. It owns pictures and their codecs; messages belong to internal/rdpwire.
//
// It is given what a target sends, which may be hostile: sizes are bounded by the message and by the screen, and what does not
// decode is an error.
package rdpscreen

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// Screen is a desktop as its client sees it. The zero value is one without size.
type Screen struct {
	img     *image.RGBA
	palette rdpwire.Palette
	joined  []byte // fragments of an update
	code    byte
	joining bool
	pixels  []byte // of one rectangle, decoded; reused
	dirty   image.Rectangle
}

// maxPixels bounds a desktop: 8192 by 4096.
const maxPixels = 32 << 20

// Resize makes the desktop anew, in black.
func (s *Screen) Resize(width, height int) error {
	if width < 1 || height < 1 || width > rdpwire.MaxSide || height > rdpwire.MaxSide || width*height > maxPixels {
		return fmt.Errorf("rdpscreen: a desktop of %d by %d", width, height)
	}
	r := image.Rect(0, 0, width, height)
	if s.img == nil || s.img.Rect != r {
		s.img = image.NewRGBA(r)
	}
	draw.Draw(s.img, r, image.Black, image.Point{}, draw.Src)
	s.dirty, s.joining, s.joined = r, false, nil
	return nil
}

// Image is the desktop, nil before it has a size. It is the screen's own.
func (s *Screen) Image() *image.RGBA { return s.img }

// Dirty is what has changed since the last call.
func (s *Screen) Dirty() image.Rectangle {
	d := s.dirty
	s.dirty = image.Rectangle{}
	return d
}

// Apply draws an update, or keeps it until its last fragment has come.
func (s *Screen) Apply(u rdpwire.Update) error {
	switch {
	case u.Fragment == rdpwire.FragmentSingle:
		if s.joining {
			return errors.New("rdpscreen: an update within the fragments of another")
		}
		return s.draw(u.Code, u.Data)
	case u.Fragment == rdpwire.FragmentFirst:
		s.joined, s.code, s.joining = append(s.joined[:0], u.Data...), u.Code, true
		return nil
	case !s.joining || s.code != u.Code:
		return errors.New("rdpscreen: a fragment without its beginning")
	case len(s.joined)+len(u.Data) > rdpwire.MaxUpdate:
		return errors.New("rdpscreen: an update that is too large")
	}
	s.joined = append(s.joined, u.Data...)
	if u.Fragment != rdpwire.FragmentLast {
		return nil
	}
	s.joining = false
	return s.draw(s.code, s.joined)
}

func (s *Screen) draw(code byte, data []byte) error {
	switch code {
	case rdpwire.UpdateBitmap:
		return s.bitmaps(data)
	case rdpwire.UpdatePalette:
		p, err := rdpwire.ParsePalette(data)
		if err == nil {
			s.palette = p
		}
		return err
	case rdpwire.UpdateSynchronize, rdpwire.PointerHidden, rdpwire.PointerDefault:
		return nil
	case rdpwire.PointerPosition, rdpwire.PointerColor, rdpwire.PointerCached, rdpwire.PointerNew:
		return checkPointer(code, data)
	case rdpwire.UpdateOrders:
		if len(data) == 2 && data[0] == 0 && data[1] == 0 { // none of them
			return nil
		}
	}
	return fmt.Errorf("rdpscreen: update %d, which was not negotiated", code)
}

func (s *Screen) bitmaps(data []byte) error {
	rects, err := rdpwire.ParseBitmaps(data)
	if err != nil {
		return err
	}
	if s.img == nil {
		return errors.New("rdpscreen: a picture before the desktop")
	}
	if n := pixelsOf(rects); n > s.most(len(rects)) {
		return fmt.Errorf("rdpscreen: an update of %d pixels", n)
	}
	for i := range rects {
		if err := s.bitmap(&rects[i]); err != nil {
			return err
		}
	}
	return nil
}

// pixelsOf is how many pixels are decoded for rectangles.
func pixelsOf(rects []rdpwire.Rect) (n int) {
	for i := range rects {
		n += rects[i].Width * rects[i].Height
	}
	return n
}

// most bounds that for one update: some bytes of runs stand for a whole desktop, and one message has room for thousands of them.
// Servers draw a desktop once in an update, by tiles.
func (s *Screen) most(rects int) int {
	const often, tile = 4, 64 * 64
	return often*s.img.Rect.Dx()*s.img.Rect.Dy() + rects*tile
}

// bitmap draws one rectangle. Rows come from the bottom up.
func (s *Screen) bitmap(r *rdpwire.Rect) error {
	if r.Width < 1 || r.Height < 1 || r.Width*r.Height > maxPixels || r.Right < r.Left || r.Bottom < r.Top {
		return fmt.Errorf("rdpscreen: a rectangle of %d by %d", r.Width, r.Height)
	}
	size, err := pixelSize(r.Depth)
	if err != nil {
		return err
	}
	stride := r.Width * size
	pix := r.Data
	switch {
	case !r.Compressed:
		stride = (stride + 3) &^ 3
		if len(pix) < r.Width*size*r.Height { // some servers do not pad rows
			return fmt.Errorf("rdpscreen: %d bytes for %d by %d pixels of %d bits", len(pix), r.Width, r.Height, r.Depth)
		}
		if len(pix) < stride*r.Height {
			stride = r.Width * size
		}
	default:
		// A byte of a run is at most 65535 pixels; a rectangle is bounded by the desktop that was negotiated.
		if r.Width > s.img.Rect.Dx()+64 || r.Height > s.img.Rect.Dy()+64 {
			return errors.New("rdpscreen: a rectangle larger than the desktop")
		}
		if cap(s.pixels) < stride*r.Height {
			s.pixels = make([]byte, stride*r.Height)
		}
		pix = s.pixels[:stride*r.Height]
		if r.Depth == 32 {
			err = planar(pix, r.Data, r.Width, r.Height)
		} else {
			err = interleaved(pix, r.Data, r.Width, r.Height, size)
		}
		if err != nil {
			return err
		}
	}
	s.put(r, pix, stride, size)
	return nil
}

// put copies decoded pixels onto the desktop, clipped.
func (s *Screen) put(r *rdpwire.Rect, pix []byte, stride, size int) {
	where := image.Rect(r.Left, r.Top, min(r.Right+1, r.Left+r.Width), min(r.Bottom+1, r.Top+r.Height)).Intersect(s.img.Rect)
	for y := where.Min.Y; y < where.Max.Y; y++ {
		row := pix[(r.Height-1-(y-r.Top))*stride:]
		out := s.img.Pix[s.img.PixOffset(where.Min.X, y):]
		for x := where.Min.X; x < where.Max.X; x++ {
			p := row[(x-r.Left)*size:]
			o := out[(x-where.Min.X)*4:][:3:3]
			switch r.Depth {
			case 8:
				copy(o, s.palette[p[0]][:])
			case 15:
				v := uint16(p[0]) | uint16(p[1])<<8
				o[0], o[1], o[2] = grow5(v>>10), grow5(v>>5), grow5(v)
			case 16:
				v := uint16(p[0]) | uint16(p[1])<<8
				o[0], o[1], o[2] = grow5(v>>11), grow6(v>>5), grow5(v)
			default:
				o[0], o[1], o[2] = p[2], p[1], p[0]
			}
		}
	}
	s.dirty = s.dirty.Union(where)
}

func grow5(v uint16) byte { v &= 0x1f; return byte(v<<3 | v>>2) }
func grow6(v uint16) byte { v &= 0x3f; return byte(v<<2 | v>>4) }

// pixelSize is how many bytes a pixel of the depth has.
func pixelSize(depth int) (int, error) {
	switch depth {
	case 8:
		return 1, nil
	case 15, 16:
		return 2, nil
	case 24:
		return 3, nil
	case 32:
		return 4, nil
	}
	return 0, fmt.Errorf("rdpscreen: pixels of %d bits", depth)
}

// checkPointer looks at the sizes of a pointer's shape, which is not drawn (MS-RDPBCGR 2.2.9.1.1.4.4): where it is
// belongs to the client.
func checkPointer(code byte, b []byte) error {
	head := 14
	depth := 24
	switch code {
	case rdpwire.PointerPosition:
		head, depth = 4, 0
	case rdpwire.PointerCached:
		head, depth = 2, 0
	case rdpwire.PointerNew:
		head = 16
	}
	if len(b) < head {
		return fmt.Errorf("rdpscreen: pointer: %w", rdpwire.ErrShort)
	}
	if depth == 0 {
		return nil
	}
	if code == rdpwire.PointerNew {
		depth, b = int(b[0])|int(b[1])<<8, b[2:]
	}
	at := func(i int) int { return int(b[i]) | int(b[i+1])<<8 }
	width, height, and, xor := at(6), at(8), at(10), at(12)
	if width > 96 || height > 96 || len(b) < 14+and+xor {
		return fmt.Errorf("rdpscreen: a pointer of %d by %d", width, height)
	}
	switch depth {
	case 1, 4, 8, 15, 16, 24, 32:
	default:
		return fmt.Errorf("rdpscreen: a pointer of %d bits", depth)
	}
	// Masks in rows of whole 16 bits; some servers leave the and mask away for 32 bits.
	if row := (width*depth + 15) / 16 * 2; xor != 0 && xor < row*height {
		return errors.New("rdpscreen: a pointer whose mask is cut off")
	}
	if row := (width + 15) / 16 * 2; and != 0 && and < row*height {
		return errors.New("rdpscreen: a pointer whose mask is cut off")
	}
	return nil
}

// encode gives a picture as raw rows from the bottom up in pixels of depth, the way AppendBitmap takes it.
func encode(img image.Image, depth int) []byte {
	b := img.Bounds()
	var out []byte
	for y := b.Max.Y - 1; y >= b.Min.Y; y-- {
		start := len(out)
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
			switch depth {
			case 8:
				out = append(out, grey(c))
			case 15:
				v := uint16(c.R>>3)<<10 | uint16(c.G>>3)<<5 | uint16(c.B>>3)
				out = append(out, byte(v), byte(v>>8))
			case 16:
				v := uint16(c.R>>3)<<11 | uint16(c.G>>2)<<5 | uint16(c.B>>3)
				out = append(out, byte(v), byte(v>>8))
			case 24:
				out = append(out, c.B, c.G, c.R)
			default:
				out = append(out, c.B, c.G, c.R, 0xff)
			}
		}
		for (len(out)-start)%4 != 0 {
			out = append(out, 0)
		}
	}
	return out
}

func grey(c color.RGBA) byte { return byte((int(c.R) + int(c.G) + int(c.B)) / 3) }
