package rdpscreen

import (
	"bytes"
	"image"
	"image/color"
	"testing"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// What Updates says of a picture is drawn as that picture, in each depth, as far as the depth has colours.
func TestUpdates(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 7 &^ 7) // all depths have these
		if i&3 == 3 {
			img.Pix[i] = 0xff
		}
	}
	for _, depth := range []int{15, 16, 24, 32} {
		var s Screen
		if err := s.Resize(64, 48); err != nil {
			t.Fatal(err)
		}
		for _, u := range Updates(img, 64, depth) {
			if err := s.Apply(u); err != nil {
				t.Fatal(depth, err)
			}
		}
		for y := range 48 {
			for x := range 64 {
				want, got := img.RGBAAt(x, y), s.Image().RGBAAt(x, y)
				if near := func(a, b byte) bool { return a>>3 == b>>3 }; !near(want.R, got.R) || !near(want.G, got.G) || !near(want.B, got.B) || got.A != 0xff {
					t.Fatalf("%d bits at %d,%d: %v, want %v", depth, x, y, got, want)
				}
			}
		}
	}
}

func TestNotice(t *testing.T) {
	for _, depth := range []int{8, 15, 16, 24, 32} {
		var s Screen
		if err := s.Resize(321, 200); err != nil {
			t.Fatal(err)
		}
		for _, u := range Notice([]string{"held: waits for approval", "hld_1"}, 321, 200, depth) {
			if err := s.Apply(u); err != nil {
				t.Fatal(depth, err)
			}
		}
		white := 0
		for y := range 200 {
			for x := range 321 {
				if s.Image().RGBAAt(x, y) == (color.RGBA{0xff, 0xff, 0xff, 0xff}) {
					white++
				}
			}
		}
		if white < 100 {
			t.Errorf("%d bits: %d pixels of text", depth, white)
		}
	}
}

// Orders of the interleaved coding, by hand from MS-RDPBCGR 3.1.9: what each draws into a row of 8 pixels of 1 byte.
func TestInterleaved(t *testing.T) {
	for name, c := range map[string]struct{ in, want []byte }{
		"colour run":         {[]byte{0x68, 9}, []byte{9, 9, 9, 9, 9, 9, 9, 9}},
		"pixels as is":       {[]byte{0x88, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		"foreground run":     {[]byte{0x28}, []byte{255, 255, 255, 255, 255, 255, 255, 255}},
		"background":         {[]byte{0x08}, make([]byte, 8)},
		"set foreground":     {[]byte{0xc8, 7}, []byte{7, 7, 7, 7, 7, 7, 7, 7}},
		"dithered":           {[]byte{0xe4, 1, 2}, []byte{1, 2, 1, 2, 1, 2, 1, 2}},
		"mixed":              {[]byte{0x41, 0x81}, []byte{255, 0, 0, 0, 0, 0, 0, 255}},
		"white and black":    {[]byte{0xfd, 0xfe, 0xfd}, []byte{255, 0, 255, 0, 0, 0, 0, 0}},
		"two backgrounds":    {[]byte{0x03, 0x05}, []byte{0, 0, 0, 255, 0, 0, 0, 0}},
		"a long colour":      {[]byte{0xf3, 8, 0, 5}, []byte{5, 5, 5, 5, 5, 5, 5, 5}},
		"masks of their own": {[]byte{0xf9}, []byte{255, 255, 0, 0, 0, 0, 0, 0}},
	} {
		got := make([]byte, 8)
		if err := interleaved(got, c.in, 8, 1, 1); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v %v, want %v", name, got, err, c.want)
		}
	}
	for _, bad := range [][]byte{{0x69, 9}, {0x60}, {0xf5, 1, 0}, {0xff}, {0x88, 1}} {
		if err := interleaved(make([]byte, 8), bad, 8, 1, 1); err == nil {
			t.Errorf("% x decodes", bad)
		}
	}
}

func TestPlanar(t *testing.T) {
	got := make([]byte, 2*2*4)
	in := []byte{planarNoAlpha, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if err := planar(got, in, 2, 2); err != nil || !bytes.Equal(got, []byte{9, 5, 1, 0, 10, 6, 2, 0, 11, 7, 3, 0, 12, 8, 4, 0}) {
		t.Errorf("raw: %v %v", got, err)
	}
	in = []byte{planarRLE | planarNoAlpha, 0x20, 1, 2, 0x20, 2, 1, 0x20, 5, 5, 0x20, 0, 0, 0x20, 4, 4, 0x20, 0, 0}
	if err := planar(got, in, 2, 2); err != nil || !bytes.Equal(got, []byte{4, 5, 1, 0, 4, 5, 2, 0, 4, 5, 2, 0, 4, 5, 1, 0}) {
		t.Errorf("runs: %v %v", got, err)
	}
	if err := planar(got, in[:8], 2, 2); err == nil {
		t.Error("cut off")
	}
}

// FuzzScreen draws whatever a target may send.
func FuzzScreen(f *testing.F) {
	for _, compressed := range []bool{false, true} {
		for _, depth := range []int{8, 16, 24, 32} {
			f.Add(rdpwire.AppendBitmap(nil, rdpwire.Rect{Right: 7, Bottom: 3, Width: 8, Height: 4, Depth: depth, Compressed: compressed, Data: bytes.Repeat([]byte{0x68, 1}, 64)}), byte(rdpwire.UpdateBitmap))
		}
	}
	f.Fuzz(func(_ *testing.T, data []byte, code byte) {
		var s Screen
		if s.Resize(64, 64) != nil {
			return
		}
		_ = s.Apply(rdpwire.Update{Code: code & 0xf, Fragment: code >> 4 & 3, Data: data})
		_ = s.Apply(rdpwire.Update{Code: code & 0xf, Fragment: rdpwire.FragmentLast, Data: data})
		s.Dirty()
	})
}

// TestManyPixels: a short message cannot have a desktop drawn a thousand times.
func TestManyPixels(t *testing.T) {
	var s Screen
	if err := s.Resize(1920, 1080); err != nil {
		t.Fatal(err)
	}
	one := rdpwire.AppendBitmap(nil, rdpwire.Rect{Right: 1919, Bottom: 1079, Width: 1920, Height: 1080, Depth: 16, Compressed: true})
	many := append([]byte{1, 0, 0xe8, 3}, bytes.Repeat(one[4:], 1000)...)
	if err := s.Apply(rdpwire.Update{Code: rdpwire.UpdateBitmap, Data: one}); err != nil {
		t.Error(err)
	}
	if err := s.Apply(rdpwire.Update{Code: rdpwire.UpdateBitmap, Data: many}); err == nil {
		t.Error("a thousand desktops are drawn")
	}
}

// TestNoticeSizes: words fit their messages on every desktop, and are drawn on it.
func TestNoticeSizes(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 700}, {640, 400}, {8191, 60}} {
		for _, depth := range []int{8, 15, 16, 24, 32} {
			var s Screen
			if err := s.Resize(size[0], size[1]); err != nil {
				t.Fatal(err)
			}
			for _, u := range Notice([]string{"Dragoman", "these are words"}, size[0], size[1], depth) {
				if len(u.Data) > rdpwire.MaxMCS-100 {
					t.Errorf("%v at %d bits: an update of %d bytes", size, depth, len(u.Data))
				}
				pdus, err := rdpwire.ParseUpdates(rdpwire.AppendUpdate(nil, u))
				if err != nil || len(pdus) != 1 {
					t.Fatal(err)
				}
				if err := s.Apply(pdus[0]); err != nil {
					t.Errorf("%v at %d bits: %v", size, depth, err)
				}
			}
			white := 0
			for i := 0; i < len(s.Image().Pix); i += 4 {
				if s.Image().Pix[i] == 0xff {
					white++
				}
			}
			if size[0] >= 640 && white < 100 {
				t.Errorf("%v at %d bits: %d white pixels", size, depth, white)
			}
		}
	}
}
