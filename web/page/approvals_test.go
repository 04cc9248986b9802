package page

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/highlight"
	"dragoman.dev/dragoman/web/api"
)

// TestHistory: what they did is for those who may read records, and that it was read is recorded with the sessions that it is of.
func TestHistory(t *testing.T) {
	r := newRig(t)
	approver := r.signedIn(api.Approver)
	if _, body := r.get(approver, "/approvals/hld_1"); strings.Contains(body, "/history") || !strings.Contains(body, "Held before") {
		t.Errorf("an approver's page:\n%s", body)
	}
	if res, _ := r.get(approver, "/approvals/hld_1/history"); res.StatusCode != 403 || len(r.back.reads) != 0 {
		t.Errorf("an approver reads the history: %s, %v", res.Status, r.back.reads)
	}
	reader := r.signedIn(api.Reader)
	if _, body := r.get(reader, "/approvals/hld_1"); !strings.Contains(body, `data-part="/approvals/hld_1/history?part=1"`) {
		t.Errorf("a reader's page:\n%s", body)
	}
	res, body := r.get(reader, "/approvals/hld_1/history?part=1")
	if res.StatusCode != 200 || !strings.Contains(body, `href="/sessions/`+sessionID+`#a1"`) || strings.Contains(body, "<html") {
		t.Errorf("%s\n%s", res.Status, body)
	}
	if all := r.back.reads; len(all) != 1 || all[0].Way != access.Actions || len(all[0].Sessions) != 1 || all[0].Sessions[0] != sessionID || !strings.Contains(all[0].Text, "hld_1") {
		t.Errorf("recorded: %+v", all)
	}
	r.back.full = true
	if res, body := r.get(reader, "/approvals/hld_1/history"); res.StatusCode != 503 || strings.Contains(body, sessionID) {
		t.Errorf("unrecorded: %s", res.Status)
	}
}

// shown is the text of what a browser should show of the held statement.
func shown() string {
	var b strings.Builder
	for _, p := range highlight.Text(action.KindSQL, "postgres", held) {
		b.WriteString(p.Shown)
	}
	return b.String()
}

// heldInBrowser: the statement is shown byte for byte, but for escapes of what cannot be seen, in the inbox and on the hold's page.
func heldInBrowser(t *testing.T, ctx context.Context, base string) {
	for _, p := range []string{"/approvals", "/approvals/hld_1"} {
		state := func(js string) string {
			t.Helper()
			got, err := chromedp.Run(ctx, chromedp.Evaluate[string](js))
			if err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			return got
		}
		if err := chromedp.Do(ctx, chromedp.Navigate(base+p), chromedp.WaitVisible(chromedp.CSS("pre.statement"))); err != nil {
			t.Fatal(err)
		}
		if got := state(`document.querySelector("pre.statement").textContent`); got != shown() {
			t.Errorf("%s shows\n%q\nnot\n%q", p, got, shown())
		}
		odd := state(`Array.from(document.querySelectorAll("pre.statement mark")).map((m) => m.className + " " + m.textContent + " " + m.title).join("\n")`)
		for _, want := range []string{`h-odd \x1b U+001B`, `h-odd \u202e U+202E, changes the direction`, `h-odd \u200b U+200B`, `h-odd \u2066`, `h-odd \xa0 U+00A0, a blank that is not a space`, "h-mixed us\u0435r letters of more"} {
			if !strings.Contains(odd, want) {
				t.Errorf("%s marks\n%s\nand not %q", p, odd, want)
			}
		}
		// Somebody who looks sees which words are code, and that the comment is none.
		if got := state(`[".h-keyword", ".h-comment", ".h-string"].map((c) => document.querySelectorAll("pre.statement " + c).length > 0).join()`); got != "true,true,true" {
			t.Errorf("%s has keywords, comments, strings: %s", p, got)
		}
		if got := state(`getComputedStyle(document.querySelector("pre.statement .h-keyword")).color`); got == state(`getComputedStyle(document.querySelector("pre.statement")).color`) {
			t.Errorf("%s: keywords have the colour of all: %s", p, got)
		}
		if all := state(`document.querySelector("main").innerText`); !strings.Contains(all, "The target expects") || !strings.Contains(all, "deletes about 5 rows") || !strings.Contains(all, "1 of 2 have approved") {
			t.Errorf("%s:\n%s", p, all)
		}
		if left := state(`document.querySelector("time[data-left]").textContent`); !strings.HasSuffix(left, " left") {
			t.Errorf("%s: the countdown is %q", p, left)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS("details[data-part] summary")), chromedp.WaitVisible(chromedp.CSS("details .history"))); err != nil {
		t.Fatal(err)
	}
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("progress").value + " of " + document.querySelector("progress").max`)); err != nil || got != "1 of 2" {
		t.Errorf("the quorum's progress: %q, %v", got, err)
	}
}

// notifiedInBrowser: the desktop is told only after somebody has pressed the button, and permitted it.
func notifiedInBrowser(t *testing.T, ctx context.Context, base string) {
	const fake = `window.asked = 0; window.told = []; window.Notification = class { constructor(text, o) { told.push(text + " " + o.tag); } static permission = "default";
		static requestPermission() { asked++; Notification.permission = "granted"; return Promise.resolve("granted"); } };`
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/approvals"), chromedp.WaitVisible(chromedp.CSS("#holds")),
		chromedp.Evaluate[chromedp.Void](fake+`if (document.querySelector("[data-desktop]").hidden) askDesktop(); undefined`)); err != nil {
		t.Fatal(err)
	}
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`asked + " " + document.querySelector("[data-desktop]").hidden`)); err != nil || got != "0 false" {
		t.Errorf("before the button: %q, %v", got, err)
	}
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS("[data-desktop]")), chromedp.WaitNotVisible(chromedp.CSS("[data-desktop]"))); err != nil {
		t.Fatal(err)
	}
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`String(asked)`)); err != nil || got != "1" {
		t.Errorf("after the button: %q, %v", got, err)
	}
}

// formsInBrowser visits what only a form leads to: a token that was made, and a backtest.
func formsInBrowser(t *testing.T, r *rig, ctx context.Context, look func(t *testing.T, where string)) {
	if err := chromedp.Do(ctx, chromedp.Navigate(r.url+"/tokens"), chromedp.SendKeys(chromedp.CSS(`[name="subject"]`), "agent:bot"), chromedp.SendKeys(chromedp.CSS(`.card [name="groups"]`), "dba"),
		chromedp.Submit(chromedp.CSS(`.card [name="groups"]`)), chromedp.WaitVisible(chromedp.CSS("#minted"))); err != nil {
		t.Fatal(err)
	}
	look(t, "/tokens/mint")
	c := r.signedIn(api.Admin)
	res := r.post(c, "/policy/backtests", url.Values{"csrf": {r.csrf(c, "/policy")}, "file": {"rules.yaml"}, "draft": {"rules: []"}, "days": {"7"}}, "same-origin")
	to := res.Header.Get("Location")
	if !strings.HasPrefix(to, "/policy/backtests/") {
		t.Fatalf("a backtest: %s to %q", res.Status, to)
	}
	for i, sel := range []chromedp.CSS{"#backtest", "#counted"} {
		if err := chromedp.Do(ctx, chromedp.Navigate(r.url+to), chromedp.WaitVisible(sel)); err != nil {
			t.Fatalf("%s: %v", sel, err)
		}
		look(t, fmt.Sprint("/policy/backtests, ", []string{"running", "done"}[i]))
		if i == 0 {
			close(r.back.release)
		}
	}
}
