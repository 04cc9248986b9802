package main

import (
	"context"
	"fmt"
	"image/color"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// tile is the side of a square of noise, with which the display that the shadow server shows is covered.
const tile = 64

// lit are places in the tile that are always of the foreground: those that corner looks at.
var lit = [][2]int{{4, 4}, {(width - 4) % tile, (height - 4) % tile}}

// noise is the tile as an X bitmap.
func noise() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#define n_width %d\n#define n_height %d\nstatic char n_bits[] = {\n", tile, tile)
	random := rand.New(rand.NewPCG(1, 2))
	for y := range tile {
		for x := 0; x < tile; x += 8 {
			v := byte(random.Uint32())
			for _, p := range lit {
				if p[1] == y && p[0]/8 == x/8 {
					v |= 1 << (p[0] % 8)
				}
			}
			fmt.Fprintf(&b, "0x%02x, ", v)
		}
	}
	return b.String() + "};\n"
}

// corner is the foreground of the i-th picture.
func corner(i int) color.RGBA {
	return []color.RGBA{{0xc0, 0x40, 0x20, 0xff}, {0x20, 0x40, 0xc0, 0xff}}[i%2]
}

// paint covers the display anew.
func (r *rig) paint(ctx context.Context, i int) error {
	file := filepath.Join(r.up.Dir, "noise.xbm")
	if i == 0 {
		if err := os.WriteFile(file, []byte(noise()), 0o600); err != nil {
			return err
		}
	}
	c := corner(i)
	_, err := r.shown.Run(ctx, "", "xsetroot", "-bitmap", file, "-fg", fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B), "-bg", "black")
	return err
}

// near is for what fewer bits cost.
func near(a, b color.RGBA) bool {
	const most = 8
	off := func(x, y byte) bool { return max(x, y)-min(x, y) > most }
	return !off(a.R, b.R) && !off(a.G, b.G) && !off(a.B, b.B)
}
