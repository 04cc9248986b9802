package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/e2erig"
)

func do(t *testing.T, ctx context.Context, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// text is what the first such element shows.
func text(t *testing.T, ctx context.Context, sel chromedp.CSS) string {
	t.Helper()
	s, err := chromedp.Run(ctx, chromedp.Text(sel))
	if err != nil {
		t.Fatalf("%s: %v", sel, err)
	}
	return s
}

// shot keeps two pictures for the docs, in the light and the dark theme, when DRAGOMAN_SCREENSHOTS names a folder.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	e2erig.Pictures(t, ctx, os.Getenv("DRAGOMAN_SCREENSHOTS"), "page-"+name)
}

// signIn signs a person in with a token.
func signIn(t *testing.T, ctx context.Context, base, token string) {
	t.Helper()
	do(t, ctx, "sign in", chromedp.Navigate(base+"/login"), chromedp.SendKeys(chromedp.CSS("#token"), token), chromedp.Submit(chromedp.CSS("#token")),
		chromedp.WaitVisible(chromedp.CSS("nav")))
}

// TestPage is the page in a real browser: an administrator reads a session, a hold appears while an approver looks and is
// approved by somebody who may, and an agent's token is revoked.
func TestPage(t *testing.T) {
	g, p := demoGatewayWith(t, pairRules)
	agent := p.as(g.token("analysts", "dba"))
	if out := agent.psql(t, "SELECT id, name, email, ssn FROM customers ORDER BY id LIMIT 3;\nDROP TABLE orders;\n"); !strings.Contains(out, "42501") {
		t.Fatalf("the agent's session:\n%s", out)
	}
	alloc := e2erig.Browser(t)
	link := strings.TrimSpace(g.must("login"))
	base := link[:strings.Index(link, "/login")]

	admin := e2erig.Tab(t, alloc)
	var errors atomic.Int64
	do(t, admin, "start", chromedp.Navigate("about:blank"))
	if err := chromedp.Listen(admin, func(ev any) {
		if strings.Contains(fmt.Sprintf("%T", ev), "ExceptionThrown") {
			errors.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	do(t, admin, "read a session", chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("table.list a")))
	shot(t, admin, "sessions")
	do(t, admin, "open it", chromedp.Click(chromedp.CSS("table.list tbody tr:last-child a")), chromedp.WaitVisible(chromedp.CSS("#actions summary")),
		chromedp.Click(chromedp.CSS("#actions summary")), chromedp.WaitVisible(chromedp.CSS("#actions table.result")))
	table := text(t, admin, "#actions table.result")
	if !strings.Contains(table, "@example.com") || regexp.MustCompile(`\d{3}-\d{2}-\d{4}`).MatchString(table) {
		t.Errorf("the result is shown as\n%s", table)
	}
	if head := text(t, admin, "#actions table.result thead"); !regexp.MustCompile(`ssn\s+masked`).MatchString(head) || regexp.MustCompile(`name\s+masked`).MatchString(head) {
		t.Errorf("the columns that were masked are not marked: %s", head)
	}
	verifyInBrowser(t, g, admin)
	shot(t, admin, "session")
	if n := errors.Load(); n > 0 {
		t.Errorf("the page's script failed %d times", n)
	}
	approveInBrowsers(t, g, agent, alloc, base)
	policyInBrowser(t, g, admin, base)
	pairInBrowsers(t, g, agent, alloc, base)
	identitiesInBrowser(t, p, admin, base)
	revokeInBrowser(t, g, p, admin, base)
}

// verifyInBrowser has the browser hash the record and follow its entry to a signed checkpoint, once the log has one.
func verifyInBrowser(t *testing.T, g *gateway, admin context.Context) {
	t.Helper()
	pub, err := os.ReadFile(filepath.Join(g.dir, "data", "keys", "record.pub"))
	if err != nil {
		t.Fatal(err)
	}
	do(t, admin, "give the key", chromedp.SetValue(chromedp.CSS(".verify textarea"), string(pub)))
	said := ""
	for end := time.Now().Add(time.Minute); !strings.Contains(said, "signed by the key") && time.Now().Before(end); {
		do(t, admin, "check the record", chromedp.Click(chromedp.CSS(".verify button")), chromedp.WaitVisible(`//div[@data-state and @data-state != "checking"]`))
		said = text(t, admin, ".verify output")
	}
	for _, want := range []string{"the path leads to the checkpoint's root", "their chain ends in the entry's hash", "is signed by the key that you gave"} {
		if !strings.Contains(said, want) || strings.Contains(said, "WRONG") {
			t.Errorf("checked in the browser: it does not say %q:\n%s", want, said)
		}
	}
}

// approveInBrowsers has two people look at one hold: the one who asks may not decide, the other may.
func approveInBrowsers(t *testing.T, g *gateway, agent place, alloc context.Context, base string) {
	t.Helper()
	dana, alice := e2erig.Tab(t, alloc), e2erig.Tab(t, alloc)
	signIn(t, dana, base, g.tokenFor("user:dana@example.com", "", "dba"))
	do(t, dana, "look at the inbox", chromedp.Navigate(base+"/approvals"), chromedp.WaitVisible(chromedp.CSS("#holds")), chromedp.Sleep(500*time.Millisecond))
	do(t, dana, "stand in for the desktop", chromedp.Evaluate[chromedp.Void](`window.Notification = class { constructor(text, o) { window.told = text + " " + o.tag; } static permission = "granted"; }; undefined`))
	held := make(chan string, 1)
	go func() { held <- agent.psql(t, "UPDATE orders SET quantity = 3 WHERE id = 8;\nSELECT 'done';\n", "-a") }()
	do(t, dana, "see the hold appear", chromedp.WaitVisible(chromedp.CSS(".cards pre")))
	statement := text(t, dana, ".cards pre")
	if !strings.Contains(statement, "UPDATE orders SET quantity = 3 WHERE id = 8") {
		t.Errorf("the inbox shows %q", statement)
	}
	id := awaitHold(t, g)
	do(t, dana, "see what the target expects", chromedp.WaitVisible(chromedp.CSS(".cards .estimate")))
	if e := text(t, dana, ".cards .estimate"); !strings.Contains(e, "changes about 1 row; reads public.orders by index orders_pkey (about 1 row of about ") {
		t.Errorf("the inbox shows %q", e)
	}
	shot(t, dana, "approvals")
	if told, err := chromedp.Run(dana, chromedp.Evaluate[string](`window.told || ""`)); err != nil || told != "An action waits for a decision "+id {
		t.Errorf("the desktop was told %q: %v", told, err)
	}
	decide := func(who context.Context, verdict string) string {
		do(t, who, verdict, chromedp.Navigate(base+"/approvals/"+id), chromedp.SendKeys(chromedp.CSS("#reason"), "looked at it"),
			chromedp.Click(chromedp.CSS(`button[value="`+verdict+`"]`)), chromedp.Sleep(500*time.Millisecond), chromedp.WaitVisible(chromedp.CSS("main")))
		return text(t, who, "main")
	}
	signIn(t, alice, base, g.tokenFor("user:alice@example.com", "", "dba"))
	if text := decide(alice, "approve"); !strings.Contains(text, "Not shown") {
		t.Errorf("who asks has approved:\n%s", text)
	}
	select {
	case out := <-held:
		t.Fatalf("it ran without an approval:\n%s", out)
	default:
	}
	if text := decide(dana, "approve"); !strings.Contains(text, "approved by user:dana@example.com") || !strings.Contains(text, "looked at it") {
		t.Errorf("the hold's page:\n%s", text)
	}
	select {
	case out := <-held:
		if strings.Contains(out, "ERROR") || !strings.Contains(out, "done") {
			t.Errorf("the approved statement:\n%s", out)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the approved statement still hangs")
	}
}

// revokeInBrowser takes a token back with one click; it opens no session any more.
func revokeInBrowser(t *testing.T, g *gateway, p place, admin context.Context, base string) {
	t.Helper()
	mallory := p.as(g.tokenFor("agent:mallory", "user:eve@example.com", "analysts"))
	if out := mallory.psql(t, "SELECT 1;\n"); strings.Contains(out, "FATAL") {
		t.Fatalf("before it is revoked:\n%s", out)
	}
	row := `//tr[contains(., "agent:mallory")]`
	do(t, admin, "look at the tokens", chromedp.Navigate(base+"/tokens"), chromedp.WaitVisible(row))
	shot(t, admin, "tokens")
	do(t, admin, "revoke", chromedp.Click(row+`//button`), chromedp.WaitNotPresent(row+`//button`))
	if out := mallory.psql(t, "SELECT 1;\n"); !strings.Contains(out, "authentication failed") {
		t.Errorf("a revoked token:\n%s", out)
	}
}
