package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/draw"
	"io"
	"time"
)

// Movie writes an RDP session for a player: lines of JSON, in order. A line is a picture (PNG, base64) and where on the desktop it goes,
// or what was typed or clicked. The first picture, one in keyEvery, and one of another size are of the whole desktop ("whole" is its
// size); the others are of what has changed. Pictures are at most one each time that every has passed.
func Movie(ctx context.Context, w io.Writer, src Source, every time.Duration) error {
	return drawTo(ctx, &movie{enc: json.NewEncoder(w)}, src, every)
}

// keyEvery is how many pictures a player has to draw at most to get anywhere.
const keyEvery = 50

type scene struct {
	moment
	PNG   []byte       `json:"png,omitempty"`
	X     int          `json:"x,omitempty"`
	Y     int          `json:"y,omitempty"`
	Whole *image.Point `json:"whole,omitempty"`
}

type movie struct {
	enc   *json.Encoder
	last  *image.RGBA // what the player has
	count int
	png   bytes.Buffer
}

func (m *movie) moment(at moment) error { return m.enc.Encode(scene{moment: at}) }

func (m *movie) picture(seconds float64, img *image.RGBA) error {
	s := scene{moment: moment{Seconds: seconds}}
	part := img.Bounds()
	if m.last == nil || m.last.Bounds() != part || m.count%keyEvery == 0 {
		m.last = image.NewRGBA(part)
		size := part.Size()
		s.Whole = &size
	} else if part = changed(m.last, img); part.Empty() {
		return nil
	}
	m.count++
	draw.Draw(m.last, part, img, part.Min, draw.Src)
	m.png.Reset()
	if err := encoder.Encode(&m.png, img.SubImage(part)); err != nil {
		return err
	}
	s.PNG, s.X, s.Y = m.png.Bytes(), part.Min.X, part.Min.Y
	return m.enc.Encode(s)
}

// changed is the smallest rectangle outside of which two pictures of one size are the same.
func changed(a, b *image.RGBA) image.Rectangle {
	r, size := image.Rectangle{}, a.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		i, j := a.PixOffset(size.Min.X, y), b.PixOffset(size.Min.X, y)
		p, q := a.Pix[i:i+4*size.Dx()], b.Pix[j:j+4*size.Dx()]
		if bytes.Equal(p, q) {
			continue
		}
		left, right := 0, size.Dx()
		for bytes.Equal(p[4*left:4*left+4], q[4*left:4*left+4]) {
			left++
		}
		for bytes.Equal(p[4*right-4:4*right], q[4*right-4:4*right]) {
			right--
		}
		r = r.Union(image.Rect(size.Min.X+left, y, size.Min.X+right, y+1))
	}
	return r
}
