package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/hold"
)

// pairRules have two people look at changes of customers.
const pairRules = `
  - name: customers-by-two
    verdict: hold
    reason: two people look at changes of customers
    approvers: [dba]
    quorum: 2
    when: {groups: [dba], verbs: [update], tables: ["public.customers"]}
`

// awaitEstimate waits for what the target expects of a hold, which is so many words of it.
func awaitEstimate(t *testing.T, g *gateway, id, want string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		var h hold.Hold
		if err := json.Unmarshal([]byte(g.must("approvals", "show", id, "--json")), &h); err != nil {
			t.Fatal(err)
		}
		if h.Estimate != nil {
			if got := h.Estimate.String(); !strings.Contains(got, want) || h.State != hold.Pending {
				t.Errorf("the target expects %q", got)
			}
			if out := g.must("approvals", "show", id); !strings.Contains(out, want) {
				t.Errorf("no estimate in\n%s", out)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("there is no estimate")
		}
	}
}

// pairInBrowsers has two people approve what needs two, each in a browser of their own, with the statement in colours, the quorum's progress
// and what was held before.
func pairInBrowsers(t *testing.T, g *gateway, agent place, alloc context.Context, base string) {
	t.Helper()
	people := map[string]context.Context{}
	for _, name := range []string{"dana", "erin"} {
		people[name] = e2erig.Tab(t, alloc)
		signIn(t, people[name], base, g.tokenFor("user:"+name+"@example.com", "", "dba"))
	}
	held := make(chan string, 1)
	go func() {
		held <- agent.psql(t, "UPDATE customers SET name = 'x' /* \u202ehidden */ WHERE id = 5;\nSELECT 'done';\n", "-a")
	}()
	id := awaitHold(t, g)
	awaitEstimate(t, g, id, "changes about 1 row; reads public.customers by index customers_pkey")
	for i, name := range []string{"dana", "erin"} {
		who := people[name]
		do(t, who, name+" looks", chromedp.Navigate(base+"/approvals/"+id), chromedp.WaitVisible(chromedp.CSS("#estimate")))
		if s := text(t, who, "pre.statement"); !strings.Contains(s, `UPDATE customers SET name = 'x' /* \u202ehidden */ WHERE id = 5`) {
			t.Errorf("%s sees %q", name, s)
		}
		for sel, want := range map[chromedp.CSS]string{"pre.statement .h-keyword": "UPDATE", "pre.statement .h-string": "'x'", "pre.statement .h-comment": "/*", "pre.statement mark": `\u202e`} {
			if got := text(t, who, sel); strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Errorf("%s sees %q at %s", name, got, sel)
			}
		}
		if before := text(t, who, "#held"); !strings.Contains(before, "approved by user:dana@example.com") || !strings.Contains(before, "SET quantity = 3") {
			t.Errorf("held before: %q", before)
		}
		progress, err := chromedp.Run(who, chromedp.Evaluate[string](`document.querySelector("progress").value + " of " + document.querySelector("progress").max`))
		if want := []string{"0 of 2", "1 of 2"}[i]; err != nil || progress != want {
			t.Errorf("%s sees %q approvals: %v", name, progress, err)
		}
		if i == 0 {
			shot(t, who, "approval")
		}
		select {
		case out := <-held:
			t.Fatalf("it ran with %d of 2 approvals:\n%s", i, out)
		default:
		}
		press(t, who, `button[value="approve"]`)
		if page := text(t, who, "main"); !strings.Contains(page, "approved by user:"+name+"@example.com (dba)") {
			t.Errorf("%s has approved:\n%s", name, page)
		}
	}
	select {
	case out := <-held:
		if strings.Contains(out, "ERROR") || !strings.Contains(out, "done") {
			t.Errorf("what two approved:\n%s", out)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("what two approved still hangs")
	}
}
