package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/mysqlserver"
)

const pageRules = sshRules + `
- {name: web, verdict: allow, when: {groups: [ops], kinds: [http, mcp, mcp.tool]}}
- {name: reads, verdict: allow, when: {groups: [ops], verbs: [select], tables: ["*.*"]}}
`

const pageMasks = `
- {name: mail, json: ["$..email"], opaque: allow}
- {name: ssn, columns: ["shop.customers.ssn"]}
`

// pageTargets is a gateway with an SSH, an HTTP and a MySQL target, and the page.
type pageTargets struct {
	*sshRig
	token    string
	url      string // of the HTTP target
	rpc      string // the address of the gRPC target
	streams  string // the URL of the one with a WebSocket and events
	database mysqlPlace
	admin    context.Context
	base     string
}

func newPageTargets(t *testing.T) *pageTargets {
	t.Helper()
	s := newService(t)
	db := mysqlServer(t, mysqlserver.Options{Kind: mysqlserver.MariaDB, SQL: mysqlUser})
	mysqlExec(t, mysqlRoot(t, db, ""), mysqlShop)
	web, shop, rpc, streams := freePort(t), freePort(t), freePort(t), freePort(t)
	calls, events := streaming(t)
	p := &pageTargets{sshRig: newSSH(t, sshSetup{rules: pageRules, files: map[string]string{"policy/masks.yaml": pageMasks, "shop-password": "app-secret\n"},
		targets: httpTargetYAML("web", s.addr(), web, ", http: {mcp: [/mcp]}") + httpTargetYAML("rpc", calls, rpc, ", http: {version: '2'}") +
			httpTargetYAML("streams", events, streams, "") + mysqlTarget("shop", shop, db),
		top: fmt.Sprintf("admin: {listen: '127.0.0.1:%d'}\n", freePort(t))})}
	p.token = p.gateway.token("ops")
	p.url, p.database = fmt.Sprintf("http://127.0.0.1:%d", web), mysqlPlace{Port: shop, Password: p.token, Database: "shop"}
	p.rpc, p.streams = fmt.Sprintf("127.0.0.1:%d", rpc), fmt.Sprintf("http://127.0.0.1:%d", streams)
	link := strings.TrimSpace(p.must("login"))
	p.base = link[:strings.Index(link, "/login")]
	p.admin = e2erig.Tab(t, e2erig.Browser(t))
	do(t, p.admin, "sign in", chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("nav")))
	return p
}

// session is the newest session of a target that has actions; live or not.
func (p *pageTargets) session(t *testing.T, target string, live bool) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var list struct {
			Sessions []struct {
				ID      string
				Live    bool
				Actions int
			}
		}
		if err := json.Unmarshal([]byte(p.must("sessions", "list", "--json", "--target", target)), &list); err != nil {
			t.Fatal(err)
		}
		for _, s := range list.Sessions {
			if s.Live == live && s.Actions > 0 {
				return s.ID
			}
		}
	}
	t.Fatalf("no session of %s", target)
	return ""
}

// awaitText waits until a script says something that has want in it, and not without.
func awaitText(t *testing.T, ctx context.Context, script, want, without string) string {
	t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, _ = chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if strings.Contains(got, want) && (without == "" || !strings.Contains(got, without)) {
			return got
		}
	}
	t.Fatalf("waiting for %q without %q: %q", want, without, got)
	return ""
}

// TestPageSessions: sessions of OpenSSH, HTTP, MCP and MySQL, as they were recorded, in a real browser: played with seeking, shown as exchanged,
// followed live and ended.
func TestPageSessions(t *testing.T) {
	p := newPageTargets(t)
	t.Run("terminal", func(t *testing.T) { terminalInBrowser(t, p) })
	t.Run("http", func(t *testing.T) { exchangeInBrowser(t, p) })
	t.Run("streams", func(t *testing.T) { streamsInBrowser(t, p) })
	t.Run("broken", func(t *testing.T) { brokenInBrowser(t, p) })
	t.Run("live", func(t *testing.T) {
		term := p.terminal(t, p.dial(p.token))
		p.followAndEnd(t, "ssh", p.session(t, "web1", true), func() error { term.keys("echo seen-live\n"); return nil }, "seen-live")
		select {
		case <-term.done:
		case <-time.After(time.Minute):
			t.Error("the terminal of a session that was ended goes on")
		}
		db := p.database.connect(t, "")
		row := func() error {
			var n int
			return db.QueryRow("SELECT COUNT(*) FROM orders WHERE note <> 'seen-live'").Scan(&n)
		}
		if err := row(); err != nil {
			t.Fatal(err)
		}
		p.followAndEnd(t, "mysql", p.session(t, "shop", true), row, "seen-live")
		web := func() error {
			ask(t, p.token, "POST", p.url+"/orders?seen-live=1", `{}`, "Content-Type", "application/json")
			return nil
		}
		web()
		p.followAndEnd(t, "http", p.session(t, "web", true), web, "seen-live")
	})
}

// terminalInBrowser plays what OpenSSH's client showed, and goes to its end and back.
func terminalInBrowser(t *testing.T, p *pageTargets) {
	out, errs, code := p.ssh(p.token, "echo first-$((40+2)); sleep 2; clear; echo last-$((90+9)); exit\n", "-tt")
	if code != 0 || !strings.Contains(out, "last-99") {
		t.Fatalf("OpenSSH's session: %d\n%s\n%s", code, out, errs)
	}
	id := p.session(t, "web1", false)
	do(t, p.admin, "open its session", chromedp.Navigate(p.base+"/sessions/"+id), chromedp.WaitVisible(chromedp.CSS("#actions li")))
	do(t, p.admin, "open its terminal", chromedp.Click(`//a[. = "Play its terminal"]`), chromedp.WaitVisible(chromedp.CSS("#terminal .ap-player")))
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // a click before it is loaded is lost
		if state, _ := chromedp.Run(p.admin, chromedp.Evaluate[string](`document.getElementById("terminal").dataset.state || ""`)); state != "" {
			break
		}
		do(t, p.admin, "play it", chromedp.Click(chromedp.CSS("#terminal .ap-player")), chromedp.Sleep(time.Second))
	}
	const shown = `document.querySelector("#terminal").innerText`
	awaitText(t, p.admin, shown, "first-42", "last-99")
	shot(t, p.admin, "terminal")
	seek := func(to int) {
		do(t, p.admin, "seek", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const s = document.getElementById("seek"); s.value = %d; s.dispatchEvent(new Event("input")) })(); undefined`, to)))
	}
	seek(100)
	awaitText(t, p.admin, shown, "last-99", "first-42") // cleared between
	seek(60)
	awaitText(t, p.admin, shown, "first-42", "last-99")
}

// exchangeInBrowser shows requests and answers, masks marked, and calls of MCP tools.
func exchangeInBrowser(t *testing.T, p *pageTargets) {
	if a := ask(t, p.token, "GET", p.url+"/customers", ""); a.StatusCode != 200 || strings.Contains(a.text, "carol@example.com") {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	headers := []string{"Content-Type", "application/json", "Accept", "application/json, text/event-stream", "X-Stream", "yes"}
	ask(t, p.token, "POST", p.url+"/mcp", `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_customer","arguments":{"id":1}}}`, headers...)
	id := p.session(t, "web", true)
	do(t, p.admin, "open its session", chromedp.Navigate(p.base+"/sessions/"+id), chromedp.WaitVisible(`//summary[contains(., "get_customer")]`))
	do(t, p.admin, "open the request", chromedp.Click(`//summary[contains(., "/customers")]`), chromedp.WaitVisible(chromedp.CSS("#actions .half.response .pretty mark")))
	whole := text(t, p.admin, "#actions details[open] .action")
	for _, want := range []string{"GET /customers HTTP/1.1", "dragoman-identity", "[hidden]", "HTTP/1.1 200 OK", `"email": "[redacted]"`, "application/json"} {
		if !strings.Contains(whole, want) {
			t.Errorf("the exchange does not show %q:\n%s", want, whole)
		}
	}
	shot(t, p.admin, "http")
	do(t, p.admin, "open the tool's call", chromedp.Click(`//summary[contains(., "get_customer")]`), chromedp.WaitVisible(chromedp.CSS("#actions .tool")))
	if call := text(t, p.admin, "#actions .tool"); !strings.Contains(call, "get_customer") || !strings.Contains(call, `"id": 1`) || !strings.Contains(call, "[redacted]") {
		t.Errorf("the tool's call:\n%s", call)
	}
	shot(t, p.admin, "mcp")
}

// followAndEnd sees what a live session does as it does it, and ends it with the page's button.
func (p *pageTargets) followAndEnd(t *testing.T, name, id string, act func() error, sees string) {
	t.Helper()
	do(t, p.admin, name+": follow", chromedp.Navigate(p.base+"/sessions/"+id), chromedp.WaitVisible(chromedp.CSS("[data-live]")), chromedp.Click(chromedp.CSS("[data-live]")),
		chromedp.WaitVisible(`//button[. = "Following"]`))
	if err := act(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	do(t, p.admin, name+": see it", chromedp.WaitVisible(`//ol[@id="live"]/li[contains(., "`+sees+`")]`))
	do(t, p.admin, name+": end it", chromedp.SendKeys(chromedp.CSS(`[name="reason"]`), "enough"), chromedp.Evaluate[chromedp.Void](`window.before = true; undefined`), chromedp.Click(chromedp.CSS(`main form button.danger`)))
	awaitText(t, p.admin, `window.before ? "" : document.readyState`, "complete", "") // the answer is there; the session may take a moment more
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		do(t, p.admin, name+": look at its end", chromedp.Navigate(p.base+"/sessions/"+id), chromedp.WaitVisible(chromedp.CSS("dl.facts")))
		facts := text(t, p.admin, "dl.facts")
		if strings.Contains(facts, "admin") && strings.Contains(facts, "enough") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: it is not ended:\n%s", name, facts)
		}
	}
}
