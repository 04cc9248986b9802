package rdpscreen

import (
	"image"
	"image/color"
	"image/draw"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"dragoman.dev/dragoman/internal/rdpwire"
)

const (
	lineHeight = 20
	charWidth  = 7 // of basicfont.Face7x13
	margin     = 16
)

// Notice draws lines of text, broken to fit, at the top of a desktop of width by height in depth bits, and gives the
// updates that show it. The font has ASCII; other characters are drawn as a box.
func Notice(lines []string, width, height, depth int) []rdpwire.Update {
	lines = folded(lines, width, height)
	// Pixels of a row are whole words, and what is right of the desktop is clipped.
	img := image.NewRGBA(image.Rect(0, 0, (width+3)&^3, rowsOf(lines, height)))
	draw.Draw(img, img.Rect, image.NewUniform(color.Black), image.Point{}, draw.Src)
	d := font.Drawer{Dst: img, Src: image.NewUniform(color.White), Face: basicfont.Face7x13}
	for i, l := range lines {
		d.Dot = fixed.P(margin, margin+(i+1)*lineHeight-6)
		d.DrawString(l)
	}
	return Updates(img, width, depth)
}

// NoticeRows is how many rows of the desktop Notice covers.
func NoticeRows(lines []string, width, height int) int {
	return rowsOf(folded(lines, width, height), height)
}

func rowsOf(lines []string, height int) int { return min(height, len(lines)*lineHeight+2*margin) }

// folded breaks lines to the desktop's width, and leaves out what is below it.
func folded(lines []string, width, height int) []string {
	lines = fold(lines, max((width-2*margin)/charWidth, 8))
	return lines[:min(len(lines), max((height-2*margin)/lineHeight, 1))]
}

// Updates shows a picture at the top left, of which width columns are seen.
func Updates(img *image.RGBA, width, depth int) []rdpwire.Update {
	var out []rdpwire.Update
	if depth == 8 {
		var p rdpwire.Palette
		for i := range p {
			p[i] = [3]byte{byte(i), byte(i), byte(i)}
		}
		out = append(out, rdpwire.Update{Code: rdpwire.UpdatePalette, Data: rdpwire.AppendPalette(nil, p)})
	}
	size, err := pixelSize(depth)
	if err != nil {
		return nil
	}
	const room = 12 << 10 // of one update, within what both paths carry
	b := img.Bounds()
	columns := min(b.Dx(), room/size&^3) // more than a row of a wide desktop has no room
	rows := max(room/(columns*size), 1)
	for y := 0; y < b.Dy(); y += rows {
		for x := 0; x < width; x += columns {
			part := image.Rect(x, y, min(x+columns, b.Dx()), min(y+rows, b.Dy()))
			r := rdpwire.Rect{Left: x, Top: y, Right: min(part.Max.X, width) - 1, Bottom: part.Max.Y - 1, Width: part.Dx(), Height: part.Dy(), Depth: depth,
				Data: encode(img.SubImage(part), depth)}
			out = append(out, rdpwire.Update{Code: rdpwire.UpdateBitmap, Data: rdpwire.AppendBitmap(nil, r)})
		}
	}
	return out
}

// fold breaks lines at spaces.
func fold(lines []string, most int) []string {
	var out []string
	for _, l := range lines {
		now := ""
		for _, w := range strings.Fields(l) {
			for len(w) > most {
				w, out = w[most:], append(out, w[:most])
			}
			if now != "" && len(now)+1+len(w) > most {
				out, now = append(out, now), ""
			}
			now = strings.TrimPrefix(now+" "+w, " ")
		}
		out = append(out, now)
	}
	return out
}
