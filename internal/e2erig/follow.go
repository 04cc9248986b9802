package e2erig

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// FollowAndEnd follows a live session on its page: after act, the page shows what was done, and then what came back of it (a line of the
// live list has the words). Then it ends the session with the page's button, and waits until the page has that with the reason.
func FollowAndEnd(t testing.TB, ctx context.Context, base, session string, act func(), words string) {
	t.Helper()
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	do("follow", chromedp.Navigate(base+"/sessions/"+session), chromedp.WaitVisible(chromedp.CSS("[data-live]")), chromedp.Click(chromedp.CSS("[data-live]")), chromedp.WaitVisible(`//button[. = "Following"]`))
	act()
	do("see what it does", chromedp.WaitVisible(`//ol[@id="live"]/li[contains(., "`+words+`")]`))
	do("end it", chromedp.SendKeys(chromedp.CSS(`[name="reason"]`), "enough"), chromedp.Evaluate[chromedp.Void](`window.before = true; undefined`), chromedp.Click(chromedp.CSS(`main form button.danger`)))
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		came, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.before && document.readyState === "complete"`))
		if err == nil && came {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no page comes when it is ended: %v", err)
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		do("look at its end", chromedp.Navigate(base+"/sessions/"+session), chromedp.WaitVisible(chromedp.CSS("dl.facts")))
		facts, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("dl.facts")))
		if err == nil && strings.Contains(facts, "admin") && strings.Contains(facts, "enough") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it is not ended: %v\n%s", err, facts)
		}
	}
}
