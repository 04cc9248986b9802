package e2erig

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Theme has a window prefer "light", "dark", or "": what it does by itself.
func Theme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	})
}

// Pictures takes pictures of a page in both themes, and keeps them in a folder as NAME.png and NAME-dark.png; "" keeps none. That the
// themes differ is checked in any case.
func Pictures(t testing.TB, ctx context.Context, folder, name string) {
	t.Helper()
	var ground [2]string
	for i, one := range []struct{ theme, end string }{{"light", ""}, {"dark", "-dark"}} {
		if err := chromedp.Do(ctx, Theme(one.theme)); err != nil {
			t.Fatal(err)
		}
		var err error
		if ground[i], err = chromedp.Run(ctx, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`)); err != nil {
			t.Fatal(err)
		}
		if folder == "" {
			continue
		}
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name+one.end+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if ground[0] == ground[1] {
		t.Errorf("%s is the same in both themes: %s", name, ground[0])
	}
	if err := chromedp.Do(ctx, Theme("")); err != nil {
		t.Fatal(err)
	}
}
