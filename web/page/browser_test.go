package page

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/web/api"
)

// axe is axe-core 4.14.1 (MPL-2.0, see testdata/axe-LICENSE), as npm has it. It is in no binary.
//
//go:embed testdata/axe.min.js
var axe string

// serious gives what axe-core finds that is serious or worse, a line each.
const serious = `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
  .map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + n.any.map((a) => a.message).join(" ")).join(" | ")))`

// chromium starts one of the test's own.
func chromium(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := chromedp.NewContext(e2erig.Browser(t))
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// watched notes what a browser should not do: load from elsewhere, or fail.
type watched struct {
	mu   sync.Mutex
	seen []string
}

func (w *watched) add(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, s)
}

// take gives what was noted since the last time.
func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.seen
	w.seen = nil
	return out
}

func watch(t *testing.T, ctx context.Context, base string) *watched {
	t.Helper()
	w := &watched{}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, base+"/") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:"+base) {
				w.add("a request to " + u)
			}
		case *runtime.EventExceptionThrown:
			w.add("an exception: " + e.ExceptionDetails.Text)
			if e.ExceptionDetails.Exception != nil {
				w.add(e.ExceptionDetails.Exception.Description)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// theme is "light" or "dark".
func theme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	})
}

// TestBrowser: every page, with hostile values in every field, in both themes: nothing is loaded from elsewhere, no script
// of an agent's runs, and axe-core finds nothing serious. A recorded terminal plays, and can be sought in.
func TestBrowser(t *testing.T) {
	r := newRig(t)
	ctx := chromium(t)
	w := watch(t, ctx, r.url)
	look := func(t *testing.T, p string) { // at what is there
		for _, name := range []string{"light", "dark"} {
			if err := chromedp.Do(ctx, theme(name)); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](axe+";undefined")); err != nil {
				t.Fatalf("axe-core on %s: %v", p, err)
			}
			found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](serious, chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatalf("axe-core on %s: %v", p, err)
			}
			for _, f := range found {
				t.Errorf("%s, %s: %s", p, name, f)
			}
			for _, f := range w.take() {
				t.Errorf("%s, %s: %s", p, name, f)
			}
		}
	}
	visit := func(t *testing.T, p string) {
		if err := chromedp.Do(ctx, chromedp.Navigate(r.url+p), chromedp.WaitVisible(chromedp.CSS("main"))); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		look(t, p)
	}
	t.Run("/login", func(t *testing.T) { visit(t, "/login") })
	if err := chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS("#token"), "admin-token-of-the-tests"), chromedp.Submit(chromedp.CSS("#token")), chromedp.WaitVisible(chromedp.CSS("nav"))); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/sessions", "/sessions/" + sessionID, "/sessions/" + sessionID + "/actions/1", "/sessions/" + webID + "/actions/1", "/sessions/" + webID + "/actions/3",
		"/sessions/" + webID + "/actions/4", "/sessions/" + webID + "/actions/5", "/sessions/" + kubeID + "/actions/1", "/sessions/" + tableID + "/actions/1", "/sessions/" + terminalID + "/terminal", "/sessions/" + desktopID + "/screen", "/approvals", "/approvals/hld_1", "/approvals/hld_1/history",
		"/policy", "/identities", "/tokens", "/status", "/reads", "/nothing"} {
		t.Run(p, func(t *testing.T) { visit(t, p) })
	}
	t.Run("what forms lead to", func(t *testing.T) { formsInBrowser(t, r, ctx, look) })
	t.Run("held", func(t *testing.T) { heldInBrowser(t, ctx, r.url) })
	t.Run("desktop is told", func(t *testing.T) { notifiedInBrowser(t, ctx, r.url) })
	t.Run("keyboard", func(t *testing.T) { keyboard(t, ctx, r.url) })
	t.Run("shortcuts", func(t *testing.T) { shortcuts(t, ctx, r.url) })
	t.Run("replay", func(t *testing.T) { replayTerminal(t, ctx, r.url) })
	t.Run("verification", func(t *testing.T) { checkInBrowser(t, ctx, r.url) })
	t.Run("desktop", func(t *testing.T) { replayDesktop(t, ctx, r.url) })
	for _, f := range w.take() {
		t.Error(f)
	}
}

// keyboard: the first stop of a page leads to its content, and everything that can be clicked can be reached.
func keyboard(t *testing.T, ctx context.Context, base string) {
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/approvals/hld_1"), chromedp.WaitVisible(chromedp.CSS("main")), chromedp.KeyEvent("\t")); err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	const focus = `(() => { const e = document.activeElement; return e.className + " " + e.tagName + " " + (e.getAttribute("name") || "") + " " + (e.getAttribute("value") || "") })()`
	for i := range 60 {
		at, err := chromedp.Run(ctx, chromedp.Evaluate[string](focus))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && !strings.HasPrefix(at, "skip A") {
			t.Errorf("the first stop is %q", at)
		}
		reached[at] = true
		if err := chromedp.Do(ctx, chromedp.KeyEvent("\t")); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"main BUTTON decision approve", "danger BUTTON decision deny", " INPUT reason "} {
		if !reached[want] {
			t.Errorf("%q is not reached: %v", want, reached)
		}
	}
}

// replayTerminal plays what a session's terminal showed, and goes to its end.
func replayTerminal(t *testing.T, ctx context.Context, base string) {
	seek := `const s = document.getElementById("seek"); s.value = 100; s.dispatchEvent(new Event("input")); undefined`
	shown := func(want string) {
		t.Helper()
		text := ""
		for end := time.Now().Add(60 * time.Second); !strings.Contains(text, want); {
			var err error
			if text, err = chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("#terminal").innerText`)); err != nil || time.Now().After(end) {
				t.Fatalf("waiting for %q: %v; there is %q", want, err, text)
			}
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/sessions/"+terminalID+"/terminal"), chromedp.WaitVisible(chromedp.CSS("#terminal .ap-player")),
		chromedp.Click(chromedp.CSS("#terminal .ap-player"))); err != nil {
		t.Fatal(err)
	}
	shown("the first words")
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](seek)); err != nil {
		t.Fatal(err)
	}
	shown("the last words")
}

// replayDesktop plays a session's desktop: what its canvas has at the beginning, after going to the end, and after going back.
func replayDesktop(t *testing.T, ctx context.Context, base string) {
	const state = `(() => { const c = document.querySelector("#screen canvas"); return document.getElementById("screen").dataset.state + " " + c.width + " " +
		Array.from(c.getContext("2d").getImageData(7, 7, 1, 1).data).join(",") + " " + document.getElementById("typed").textContent })()`
	shows := func(want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			got, err := chromedp.Run(ctx, chromedp.Evaluate[string](state))
			if err == nil && got == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%q, want %q: %v", got, want, err)
			}
		}
	}
	seek := func(value string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`(() => { const s = document.getElementById("seek"); s.value = `+value+`; s.dispatchEvent(new Event("input")) })(); undefined`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/sessions/"+desktopID+"/screen"), chromedp.WaitVisible(chromedp.CSS("#screen canvas"))); err != nil {
		t.Fatal(err)
	}
	shows("ready 64 255,0,0,255 ")
	seek("s.max")
	shows("ready 64 0,0,255,255 ls")
	seek("1.5")
	shows("ready 64 255,0,0,255 ")
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS("#play"))); err != nil {
		t.Fatal(err)
	}
	shows("ended 64 0,0,255,255 ls")
}

// TestPlayerIsAsPublished: the player that is shipped is the one of npm's asciinema-player 3.18.0 (Apache-2.0), untouched.
func TestPlayerIsAsPublished(t *testing.T) {
	for name, want := range map[string]string{
		"asciinema-player.min.js": "752c9b528b664f5b16f27c68ba22fc7973d1d6063a1c3e4795a4c8015943acf6",
		"asciinema-player.css":    "981fe7bc6042048b2a373b6da297f747e324e90a8b6264e833e3a92cec22dfb9",
		"LICENSE":                 "63422284ed65be54ab38d8a94e7518d27e222fbb26c9ae4cd984c63926e91c12",
	} {
		b, err := files.ReadFile("static/asciinema/" + name)
		if sum := sha256.Sum256(b); err != nil || hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s: %v %x", name, err, sum)
		}
	}
	if r := newRig(t); r != nil {
		c := r.signedIn(api.Reader)
		if res, body := r.get(c, "/sessions/"+terminalID+"/cast"); res.StatusCode != 200 || !strings.HasPrefix(body, `{"version":2`) {
			t.Errorf("the cast: %s %.80s", res.Status, body)
		}
		for _, p := range []string{sessionID + "/cast", sessionID + "/movie", terminalID + "/movie"} {
			if res, _ := r.get(c, "/sessions/"+p); res.StatusCode != 404 {
				t.Errorf("a session with nothing to play, %s: %s", p, res.Status)
			}
		}
	}
}
