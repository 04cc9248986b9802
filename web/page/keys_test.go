package page

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// shortcuts go through lists, open and search, and do nothing while something is typed.
func shortcuts(t *testing.T, ctx context.Context, base string) {
	press := func(keys string) {
		t.Helper()
		for _, k := range keys {
			if err := chromedp.Do(ctx, chromedp.KeyEvent(string(k))); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(want string) {
		t.Helper()
		got := ""
		for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			got, _ = chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState !== "complete" ? "" : location.pathname + " " + document.activeElement.tagName + " " + (document.activeElement.name || "") + " " + (document.querySelector("dialog[open]") ? "dialog" : "") +
				(document.querySelector("details[open]") ? "details" : "") + (document.activeElement.value || "")`))
			if strings.Contains(got, want) {
				return
			}
		}
		t.Fatalf("it is at %q, not %q", got, want)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/sessions"), chromedp.WaitVisible(chromedp.CSS("table.list"))); err != nil {
		t.Fatal(err)
	}
	press("/")
	at("/sessions INPUT text ")
	press("jgk?")
	at("/sessions INPUT text jgk?")
	press("\x1b")
	at("/sessions BODY")
	press("j")
	at("/sessions A")
	press("?")
	at("dialog")
	press("\x1b")
	at("/sessions A  ")
	press("o")
	at("/sessions/" + sessionID)
	press("jo")
	at("details")
	press("ga")
	at("/approvals ")
}
