package e2erig

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browserLimit bounds what is done in one window.
const browserLimit = 6 * time.Minute

// Browser is a Chromium of the test's own: an allocator, of which Tab makes windows.
func Browser(t testing.TB) context.Context {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium-") // Chromium leaves things behind when it is ended
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Env("TMPDIR="+dir),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 800))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	return alloc
}

// Tab is a person's own window: it shares no cookies with others.
func Tab(t testing.TB, alloc context.Context) context.Context {
	t.Helper()
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, browserLimit)
	t.Cleanup(cancel)
	return ctx
}

// Admin is a window that an administrator is signed in with, and the page's URL.
func (c CLI) Admin(t testing.TB, alloc context.Context) (ctx context.Context, base string) {
	t.Helper()
	link := strings.TrimSpace(c.Must(t, "login"))
	ctx = Tab(t, alloc)
	if err := chromedp.Do(ctx, chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("nav"))); err != nil {
		t.Fatal(err)
	}
	return ctx, link[:strings.Index(link, "/login")]
}
