package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// policyInBrowser tries a statement as it is and with a change, and backtests the change on what the gateway has recorded.
func policyInBrowser(t *testing.T, g *gateway, admin context.Context, base string) {
	t.Helper()
	do(t, admin, "open the policy", chromedp.Navigate(base+"/policy"), chromedp.WaitVisible(chromedp.CSS("table.matrix")))
	if row := text(t, admin, "table.matrix tbody tr:nth-child(2)"); !strings.Contains(row, "group dba") || strings.Count(row, "hold") != 2 || !strings.Contains(row, "dba-change") {
		t.Errorf("the matrix has for dba:\n%s", row)
	}
	if pushes := text(t, admin, "#pushes"); !strings.Contains(pushes, "rules.yaml") || !strings.Contains(pushes, "local:") {
		t.Errorf("pushed: %s", pushes)
	}
	if nodes := text(t, admin, "main"); !strings.Contains(nodes, "acknowledged") {
		t.Errorf("the page:\n%s", nodes)
	}
	shot(t, admin, "policy")
	fill := func(sel chromedp.CSS, text string) {
		do(t, admin, "fill in", chromedp.SetValue(sel, text))
	}
	fill(`[name="subject"]`, "agent:bot")
	fill(`[name="groups"]`, "dba")
	fill(`[name="text"]`, "UPDATE orders SET quantity = 1 WHERE id = 1")
	do(t, admin, "try", chromedp.Click(chromedp.CSS(`.card button.main`)), chromedp.WaitVisible(chromedp.CSS("section.verdict")))
	if v := text(t, admin, "section.verdict"); !strings.Contains(v, "hold") || !strings.Contains(v, "dba-change") || !strings.Contains(v, "public.orders") {
		t.Errorf("the verdict:\n%s", v)
	}
	shot(t, admin, "try")
	fill(`[name="text"]`, "SELECT id FROM customers")
	do(t, admin, "open the draft", chromedp.Click(chromedp.CSS("form.card details summary")))
	fill(`[name="file"]`, "rules.yaml")
	fill(`[name="draft"]`, "rules:\n- {name: closed, verdict: block, reason: nobody reads}\n")
	do(t, admin, "try the change", chromedp.Click(chromedp.CSS(`.card button.main`)), chromedp.WaitVisible(`//section[contains(., "closed")]`))
	do(t, admin, "backtest the change", chromedp.Click(chromedp.CSS(`button[formaction]`)), chromedp.WaitVisible(chromedp.CSS("#counted")))
	if rep := text(t, admin, "#backtest"); !strings.Contains(rep, "newly-blocked") || !strings.Contains(rep, "FROM customers") || !strings.Contains(rep, "analysts-read") {
		t.Errorf("the backtest:\n%s", rep)
	}
	shot(t, admin, "backtest")
	if out := g.must("audit", "reads", "--json"); !strings.Contains(out, "backtest of a change of rules.yaml") {
		t.Errorf("the backtest is not in the access log:\n%s", out)
	}
}

// identitiesInBrowser mints a token that opens a session, and takes all of its subject back with one click.
func identitiesInBrowser(t *testing.T, p place, admin context.Context, base string) {
	t.Helper()
	do(t, admin, "open the gateway's page", chromedp.Navigate(base+"/status"), chromedp.WaitVisible(chromedp.CSS("#targets")))
	if all := text(t, admin, "#targets") + text(t, admin, "#nodes"); !strings.Contains(all, "shop") || !strings.Contains(all, "healthy") || !strings.Contains(all, "in sync") {
		t.Errorf("targets and nodes:\n%s", all)
	}
	shot(t, admin, "gateway")
	do(t, admin, "mint", chromedp.Navigate(base+"/tokens"), chromedp.SendKeys(chromedp.CSS(`[name="subject"]`), "agent:trent"), chromedp.SendKeys(chromedp.CSS(`[name="on_behalf_of"]`), "user:eve@example.com"),
		chromedp.SendKeys(chromedp.CSS(`.card [name="groups"]`), "analysts"), chromedp.Submit(chromedp.CSS(`.card [name="groups"]`)), chromedp.WaitVisible(chromedp.CSS("#minted")))
	trent := p.as(strings.TrimSpace(text(t, admin, "#minted")))
	db := trent.connect(t)
	defer db.Close(context.Background())
	row := `//tr[contains(., "agent:trent")]`
	do(t, admin, "look at identities", chromedp.Navigate(base+"/identities"), chromedp.WaitVisible(row+`//a[contains(., "shop")]`))
	shot(t, admin, "identities")
	followInBrowser(t, trent, admin, base, row)
	do(t, admin, "revoke", chromedp.Navigate(base+"/identities"), chromedp.Click(row+`//button`), chromedp.WaitNotPresent(row))
	if _, err := db.Exec(context.Background(), "SELECT 1"); err == nil {
		t.Error("the session of one who is revoked goes on")
	}
	if out := trent.psql(t, "SELECT 1;\n"); !strings.Contains(out, "authentication failed") {
		t.Errorf("a revoked subject:\n%s", out)
	}
}

// followInBrowser sees what a session does as it does it, and ends the session with the page's button.
func followInBrowser(t *testing.T, trent place, admin context.Context, base, row string) {
	t.Helper()
	db := trent.connect(t)
	defer db.Close(context.Background())
	open := row + `//a[starts-with(@href, "/sessions/")][last()]`
	do(t, admin, "open the session", chromedp.Navigate(base+"/identities"), chromedp.WaitVisible(open), chromedp.Click(open),
		chromedp.WaitVisible(chromedp.CSS("[data-live]")), chromedp.Click(chromedp.CSS("[data-live]")), chromedp.WaitVisible(`//button[. = "Following"]`))
	if _, err := db.Exec(context.Background(), "SELECT 'seen live' FROM orders LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	do(t, admin, "see what it does", chromedp.WaitVisible(`//ol[@id="live"]/li[contains(., "seen live")]`))
	shot(t, admin, "live")
	do(t, admin, "end it", chromedp.SendKeys(chromedp.CSS(`[name="reason"]`), "enough"))
	press(t, admin, `main form button.danger`)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := db.Exec(context.Background(), "SELECT 1"); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the session that was ended goes on")
		}
	}
}

// press clicks what sends a form, and waits for the page that comes.
func press(t *testing.T, ctx context.Context, sel chromedp.CSS) {
	t.Helper()
	do(t, ctx, "press "+string(sel), chromedp.Evaluate[chromedp.Void](`window.before = true; undefined`), chromedp.Click(sel))
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		came, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.before && document.readyState === "complete"`))
		if err == nil && came {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %s no page comes: %v", sel, err)
		}
	}
}
