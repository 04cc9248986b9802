//go:build rdp

package rdpe2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/e2erig"
)

// withPage is what of the config has the gateway serve its page, on a port below those that the kernel gives to outgoing connections.
func withPage() string {
	return fmt.Sprintf("admin: {listen: \"127.0.0.1:%d\"}\n", e2erig.FreePort())
}

// TestPlayer: the page plays a recorded desktop, and shows at a time what the client showed then.
func TestPlayer(t *testing.T) {
	paint := func(colour string) {
		if _, err := shared.shown.Run(context.Background(), "", "xsetroot", "-solid", colour); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { paint("#206040") })
	green, red := deskBlue, deskBlue
	green.R, green.G, green.B = 0x20, 0x60, 0x40
	red.R, red.G, red.B = 0xa0, 0x30, 0x20
	c := shared.connect(t, "shadow", shared.token(t, "agent:played", "ops"))
	await(t, "the shadowed desktop", func() bool { return near(shared.shot(t).At(400, 300), green) })
	first := shared.still(t)
	time.Sleep(2 * time.Second) // that the session takes, for a time to go to
	paint("#a03020")
	await(t, "its other colour", func() bool { return near(shared.shot(t).At(400, 300), red) })
	second := shared.still(t)
	c.close()

	ctx, base := shared.Admin(t, e2erig.Browser(t))
	id := shared.last(t, "agent:played")
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/sessions/"+id), chromedp.Click(`//a[. = "Play its desktop"]`), chromedp.WaitVisible(`//div[@id="screen" and @data-state="ready"]`)); err != nil {
		t.Fatal(err)
	}
	seek := func(to string) {
		t.Helper()
		script := `(() => { const s = document.getElementById("seek"); s.value = ` + to + `; s.dispatchEvent(new Event("input")) })(); undefined`
		if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
			t.Fatal(err)
		}
	}
	shows := func(what string, want image.Image) {
		t.Helper()
		off := 0
		for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			got := canvas(t, ctx)
			if off = differs(want, got); off == 0 {
				return
			}
		}
		t.Errorf("%s: %d pixels of the canvas are not what the client showed", what, off)
	}
	seek("s.max")
	shows("at the end", second)
	if dir := os.Getenv("DRAGOMAN_SCREENSHOTS"); dir != "" {
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/page-desktop.png", picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if at := whenShown(t, ctx, seek, first); at < 0 {
		t.Error("at no time the canvas is what the client showed first")
	} else {
		t.Logf("what the client showed first is on the canvas at %.2f s", at)
	}
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS("#play")), chromedp.WaitVisible(`//div[@id="screen" and @data-state="ended"]`)); err != nil {
		t.Fatal(err)
	}
	shows("played to its end", second)
}

// whenShown goes through the movie, and gives the first time at which the canvas is what the client showed; -1 when it never is.
func whenShown(t *testing.T, ctx context.Context, seek func(string), want image.Image) float64 {
	t.Helper()
	end, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`Number(document.getElementById("seek").max)`))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0.0; at <= end; at += 0.5 {
		seek(fmt.Sprint(at))
		if err := chromedp.Do(ctx, chromedp.WaitVisible(fmt.Sprintf(`//div[@id="screen" and @data-at="%.1f"]`, at))); err != nil {
			t.Fatal(err)
		}
		if differs(want, canvas(t, ctx)) == 0 {
			return at
		}
	}
	return -1
}

// canvas is what the player has drawn.
func canvas(t *testing.T, ctx context.Context) image.Image {
	t.Helper()
	url, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("#screen canvas").toDataURL("image/png")`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// differs counts the pixels in which the canvas is not what the client's screen was.
func differs(seen, drawn image.Image) (n int) {
	b := drawn.Bounds()
	for y := range min(height, b.Dy()) {
		for x := range min(width, b.Dx()) {
			if !near(seen.At(x, y), rgba(drawn.At(x, y))) {
				n++
			}
		}
	}
	return n
}
