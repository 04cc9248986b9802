package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/record"
)

// TestMovie plays a movie as the page does, and has the pictures that were shown, what was typed between them.
func TestMovie(t *testing.T) {
	l := rdpSession(t)
	l.frames = l.frames[:len(l.frames)-1]
	for i := range keyEvery { // more than from one whole picture to the next
		l.add(record.KindResponse, 1, rdpPicture(byte(i), 9, 9))
	}
	var out bytes.Buffer
	must(t, Movie(context.Background(), &out, l.source(), 0))
	var canvas *image.RGBA
	var seen []color.Color
	whole, keys := 0, ""
	for line := range strings.Lines(out.String()) {
		var s scene
		must(t, json.Unmarshal([]byte(line), &s))
		keys += s.Keys
		if s.PNG == nil {
			continue
		}
		if s.Whole != nil {
			canvas = image.NewRGBA(image.Rectangle{Max: *s.Whole})
			whole++
		}
		part, err := png.Decode(bytes.NewReader(s.PNG))
		must(t, err)
		draw.Draw(canvas, part.Bounds().Sub(part.Bounds().Min).Add(image.Pt(s.X, s.Y)), part, part.Bounds().Min, draw.Src)
		seen = append(seen, canvas.At(7, 7))
	}
	if whole < 2 || len(seen) < keyEvery || keys == "" {
		t.Fatalf("%d whole pictures of %d, keys %q", whole, len(seen), keys)
	}
	if first, last := seen[1], seen[len(seen)-1]; first != (color.RGBA{200, 0, 0, 255}) || last != (color.RGBA{keyEvery - 1, 9, 9, 255}) {
		t.Errorf("%v … %v", seen[:3], last)
	}
	empty := newList()
	if err := Movie(context.Background(), &out, empty.source(), 0); !errors.Is(err, ErrNoPictures) {
		t.Error(err)
	}
}

func TestChanged(t *testing.T) {
	a, b := image.NewRGBA(image.Rect(0, 0, 8, 8)), image.NewRGBA(image.Rect(0, 0, 8, 8))
	if r := changed(a, b); !r.Empty() {
		t.Error(r)
	}
	b.Set(2, 3, color.White)
	b.Set(5, 6, color.White)
	if r := changed(a, b); r != image.Rect(2, 3, 6, 7) {
		t.Error(r)
	}
}
