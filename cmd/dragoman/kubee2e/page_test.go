//go:build kube

package kubee2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/e2erig"
)

// TestPage: in Chromium, kubectl's shell plays as it was shown, with seeking, and a call is shown with what it was about.
func TestPage(t *testing.T) {
	token := shared.token(t, "ops")
	out := shared.terminal(t, token, "", [][2]string{{"# ", "echo first-$((40+2))\r"}, {"first-42", "sleep 2; clear; echo last-$((90+9))\r"},
		{"last-99", "exit\r"}}, "shell", "--", "sh")
	if !strings.Contains(out, "last-99") {
		t.Fatalf("the terminal: %q", out)
	}
	shell := shared.last(t, "interactive shell")
	if o, e, code := output(t, shared.kubectl(t, token, "get", "pod", "shell", "-o", "name"), ""); code != 0 {
		t.Fatalf("%s %s", o, e)
	}
	admin, base := shared.Admin(t, e2erig.Browser(t))
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(admin, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	do("open the shell's session", chromedp.Navigate(base+"/sessions/"+shell), chromedp.WaitVisible(chromedp.CSS("#actions li")),
		chromedp.Click(`//a[. = "Play its terminal"]`), chromedp.WaitVisible(chromedp.CSS("#terminal .ap-player")))
	seek := func(to int) string { // each time that it is looked at: until the player has its recording, it goes nowhere
		return fmt.Sprintf(`(() => { const s = document.getElementById("seek"); s.value = %d; s.dispatchEvent(new Event("input")); return document.querySelector("#terminal").innerText })()`, to)
	}
	awaitShown(t, admin, seek(100), "last-99", "first-42") // cleared between
	awaitShown(t, admin, seek(40), "first-42", "last-99")

	const get = "GET /api/v1/namespaces/default/pods/shell"
	call := shared.last(t, get+"\n")
	do("open the call", chromedp.Navigate(base+"/sessions/"+call), chromedp.WaitVisible(`//summary[contains(., "`+get+`") and not(contains(., "/exec"))]`),
		chromedp.Click(`//summary[contains(., "`+get+`") and not(contains(., "/exec"))]`))
	awaitShown(t, admin, `document.querySelector("#actions details[open]").innerText`, "agent:ci-bot", "Bearer ")
}

// awaitShown waits until the script gives a text with one thing and without the other.
func awaitShown(t *testing.T, ctx context.Context, script, with, without string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		got, _ = chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if strings.Contains(got, with) && !strings.Contains(got, without) {
			return
		}
	}
	t.Fatalf("%q is not there without %q:\n%s", with, without, got)
}
