package page

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"dragoman.dev/dragoman/internal/e2erig"
)

// stops has a page tell what Tab should reach, with a name for each, and where the focus is and whether that can be seen.
const stops = `(() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((e) => !e.disabled && e.tabIndex >= 0 && e.type !== "hidden" &&
    (e.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true}) || e.classList.contains("skip")));
  window.stopOf = (e) => { const i = all.indexOf(e); return i < 0 ? "" : i + " " + e.tagName + " " + (e.name || e.id || e.textContent.trim().slice(0, 40)); };
  window.focusSeen = (e) => { const s = getComputedStyle(e), at = e.getBoundingClientRect();
    return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && s.outlineColor !== getComputedStyle(document.body).backgroundColor && at.width > 0 && at.right > 0 && at.bottom > 0 && at.top < innerHeight; };
  return all.map(stopOf);
})()`

// focused is the stop that the focus is on, and whether that can be seen; "" is none.
const focused = `(() => { const e = document.activeElement; return !e || e === document.body || !window.stopOf ? "" : stopOf(e) + "|" + focusSeen(e); })()`

// TestKeyboard: on every page, in Chromium, Tab reaches all that can be used, in the order of the page, and each stop can be seen; it leads out at
// the end, and Shift+Tab back: nothing is a trap. Enter follows, opens and sends; arrows choose and seek.
func TestKeyboard(t *testing.T) {
	r := newRig(t)
	ctx := e2erig.Tab(t, e2erig.Browser(t))
	base := r.url
	t.Run("/login", func(t *testing.T) { walkPage(t, ctx, base+"/login") })
	steps(t, ctx, chromedp.SendKeys(chromedp.CSS("#token"), "admin-token-of-the-tests"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("nav")))
	for _, p := range []string{"/sessions", "/sessions/" + sessionID, "/sessions/" + sessionID + "/actions/1", "/sessions/" + webID + "/actions/1", "/sessions/" + webID + "/actions/4", "/sessions/" + kubeID + "/actions/1",
		"/sessions/" + tableID + "/actions/1", "/sessions/" + terminalID + "/terminal", "/sessions/" + desktopID + "/screen", "/approvals", "/approvals/hld_1", "/approvals/hld_1/history",
		"/policy", "/identities", "/tokens", "/status", "/reads", "/nothing"} {
		t.Run(p, func(t *testing.T) { walkPage(t, ctx, base+p) })
	}
	t.Run("enter and arrows", func(t *testing.T) { enterAndArrows(t, ctx, base) })
}

func steps(t *testing.T, ctx context.Context, list ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, list...); err != nil {
		t.Fatal(err)
	}
}

// whereFocus is the stop that the focus is on; that it can be seen is checked.
func whereFocus(t *testing.T, ctx context.Context) string {
	t.Helper()
	at, err := chromedp.Run(ctx, chromedp.Evaluate[string](focused))
	if err != nil {
		t.Fatal(err)
	}
	stop, seen, _ := strings.Cut(at, "|")
	if stop != "" && seen != "true" {
		t.Errorf("the focus on %q cannot be seen", stop)
	}
	return stop
}

// walkPage goes through a page with Tab until the focus has left it, and back by one.
func walkPage(t *testing.T, ctx context.Context, url string) {
	steps(t, ctx, chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("main")))
	if strings.HasSuffix(url, "/terminal") {
		steps(t, ctx, chromedp.WaitVisible(chromedp.CSS("#terminal .ap-player")))
	}
	if strings.HasSuffix(url, "/screen") {
		steps(t, ctx, chromedp.WaitVisible(`//div[@id="screen" and @data-state="ready"]`))
	}
	// The inbox is not renewed while it is walked through.
	steps(t, ctx, chromedp.Evaluate[chromedp.Void](`for (const box of document.querySelectorAll("[data-watch]")) Object.defineProperty(box, "innerHTML", {set() {}}); undefined`))
	want, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](stops))
	if err != nil || len(want) == 0 {
		t.Fatalf("%v: %v", want, err)
	}
	// From the first stop, wherever the page has put the focus by itself.
	steps(t, ctx, chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("a[href], button, input, summary")].filter((e) => stopOf(e).startsWith("1 "))[0].focus(); undefined`),
		chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	got := []string{whereFocus(t, ctx)}
	for range 2*len(want) + 10 { // radio buttons are one stop; scrolled regions and parts of widgets are more
		steps(t, ctx, chromedp.KeyEvent(kb.Tab))
		at := whereFocus(t, ctx)
		if at == "" {
			last, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.activeElement === document.body`))
			if err != nil {
				t.Fatal(err)
			}
			if last {
				break // it has left the page
			}
			continue // within a widget
		}
		if at == got[0] {
			break // around
		}
		if got[len(got)-1] != at {
			got = append(got, at)
		}
	}
	if !strings.Contains(got[0], "To the content") {
		t.Errorf("the first stop is %q", got[0])
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("Tab does not reach %q; it reached %q", w, got)
		}
	}
	if t.Failed() || len(got) < 2 {
		return
	}
	// Back from the second to last: nothing holds the focus.
	steps(t, ctx, chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((e) => stopOf(e) === `+fmt.Sprintf("%q", got[len(got)-1])+`)[0].focus(); undefined`),
		chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	if at := whereFocus(t, ctx); at != got[len(got)-2] && at != "" {
		t.Errorf("back from %q leads to %q, not to %q", got[len(got)-1], at, got[len(got)-2])
	}
}

// enterAndArrows: what stops are for works with keys alone.
func enterAndArrows(t *testing.T, ctx context.Context, base string) {
	focus := func(sel string) {
		t.Helper()
		steps(t, ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector(`+fmt.Sprintf("%q", sel)+`).focus(); undefined`))
	}
	is := func(what, script string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err == nil && ok {
				return
			} else if time.Now().After(end) {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	steps(t, ctx, chromedp.Navigate(base+"/sessions"), chromedp.WaitVisible(chromedp.CSS("table.list")))
	focus("table.list tbody a")
	steps(t, ctx, chromedp.KeyEvent(kb.Enter))
	is("Enter opens a session", `location.pathname.startsWith("/sessions/ses_") && document.readyState === "complete"`)
	focus("#actions summary")
	steps(t, ctx, chromedp.KeyEvent(kb.Enter))
	is("Enter opens an action", `!!document.querySelector("#actions details[open] .action")`)
	steps(t, ctx, chromedp.KeyEvent(kb.Enter))
	is("and closes it", `!document.querySelector("#actions details[open]")`)
	steps(t, ctx, chromedp.Navigate(base+"/sessions"), chromedp.WaitVisible(chromedp.CSS("select")))
	focus(`select[name="verdict"]`)
	steps(t, ctx, chromedp.KeyEvent(kb.ArrowDown))
	is("arrows choose", `document.querySelector('select[name="verdict"]').value === "allow"`)
	focus(`input[type="search"]`)
	steps(t, ctx, chromedp.KeyEvent("x"), chromedp.KeyEvent(kb.Enter))
	is("Enter sends", `new URLSearchParams(location.search).get("text") === "x" && new URLSearchParams(location.search).get("verdict") === "allow"`)
	steps(t, ctx, chromedp.Navigate(base+"/sessions/"+desktopID+"/screen"), chromedp.WaitVisible(`//div[@id="screen" and @data-state="ready"]`))
	focus("#seek")
	steps(t, ctx, chromedp.KeyEvent(kb.ArrowRight))
	is("arrows seek in a desktop", `Number(document.getElementById("screen").dataset.at) > 0`)
	focus("#play")
	steps(t, ctx, chromedp.KeyEvent(" "))
	is("Space plays it", `["Pause", "Play"].includes(document.getElementById("play").textContent) && (document.getElementById("play").textContent === "Pause" || document.getElementById("screen").dataset.state === "ended")`)
	steps(t, ctx, chromedp.Navigate(base+"/sessions/"+terminalID+"/terminal"), chromedp.WaitVisible(chromedp.CSS("#terminal .ap-player")))
	focus("#seek")
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // until it is loaded
		steps(t, ctx, chromedp.KeyEvent(kb.ArrowRight))
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.getElementById("terminal").dataset.at > 0`)); err == nil && ok {
			break
		} else if time.Now().After(end) {
			t.Fatal("arrows do not seek in a terminal", err)
		}
	}
	steps(t, ctx, chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(); undefined`), chromedp.KeyEvent("?"))
	is("? shows the keys", `document.querySelector("dialog[open]") && document.querySelector("dialog[open]").contains(document.activeElement)`)
	steps(t, ctx, chromedp.KeyEvent(kb.Escape))
	is("Escape leaves the dialog", `!document.querySelector("dialog[open]")`)
	focus(".skip")
	steps(t, ctx, chromedp.KeyEvent(kb.Enter))
	is("the first stop leads past the navigation", `location.hash === "#main"`)
}
