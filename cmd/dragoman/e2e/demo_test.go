package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/examples/demo/shop"
	"dragoman.dev/dragoman/internal/pgserver"
)

// as is the place with another token.
func (p place) as(token string) place {
	p.Password = token
	return p
}

// demoGateway runs the demo's own configuration on free ports.
func demoGateway(t *testing.T) (*gateway, place) { return demoGatewayWith(t, "") }

// demoGatewayWith has more rules, as items of the list.
func demoGatewayWith(t *testing.T, rules string) (*gateway, place) {
	t.Helper()
	db := postgres(t, pgserver.Newest, pgserver.Options{})
	if err := shop.Fill(context.Background(), db, "demo-password"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(repo + "/examples/demo/dragoman.yaml")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	config := strings.NewReplacer("127.0.0.1:15432", fmt.Sprintf("127.0.0.1:%d", port), "127.0.0.1:15433", db.Addr(),
		"127.0.0.1:15480", fmt.Sprintf("127.0.0.1:%d", freePort(t))).Replace(string(text))
	// The harness names data and Envoy itself.
	config = regexp.MustCompile(`(?m)^(data|envoy):.*\n(?:[ #].*\n|\n)*`).ReplaceAllString(config, "")
	s := setup{Config: config, Files: map[string]string{"data/shop-password": "demo-password\n"}}
	folder, err := os.ReadDir(repo + "/examples/demo/policy")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, f := range folder {
		b, err := os.ReadFile(repo + "/examples/demo/policy/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		s.Files["policy/"+f.Name()] = string(b)
	}
	s.Files["policy/rules.yaml"] += rules
	g := newGateway(t, s).start()
	return g, place{Port: port, User: "agent", Database: "shop"}
}

// TestDemo is the demo from token to verification, as its hints tell it.
func TestDemo(t *testing.T) {
	g, p := demoGateway(t)
	analyst := p.as(g.token("analysts"))
	dba := p.as(g.token("analysts", "dba"))

	out := analyst.psql(t, "SELECT * FROM customers ORDER BY id LIMIT 3;\n", "-A")
	if strings.Contains(out, "ERROR") || !strings.Contains(out, "@example.com") {
		t.Errorf("an analyst cannot read:\n%s", out)
	}
	if regexp.MustCompile(`\d{3}-\d{2}-\d{4}|400000\d{10}|[a-z]+\.[a-z]+\d+@`).MatchString(out) {
		t.Errorf("something is not masked:\n%s", out)
	}
	for _, refused := range []string{
		"DELETE FROM orders", "UPDATE orders SET quantity = 0", "DROP TABLE orders", "CREATE TABLE x (a int)",
		"COPY orders TO PROGRAM 'cat'", "SELECT pg_read_file('/etc/passwd')", "COPY orders TO '/tmp/x'",
	} {
		if out := dba.psql(t, refused+";\n"); !strings.Contains(out, "42501") || !strings.Contains(out, "DETAIL") || !strings.Contains(out, "HINT") {
			t.Errorf("%s is not refused as it should be:\n%s", refused, out)
		}
	}
	if out := analyst.psql(t, "UPDATE orders SET quantity = 2 WHERE id = 7;\n"); !strings.Contains(out, "42501") {
		t.Errorf("an analyst may update:\n%s", out)
	}

	held := make(chan string, 1)
	go func() { held <- dba.psql(t, "UPDATE orders SET quantity = 2 WHERE id = 7;\nSELECT 'done';\n", "-a") }()
	id := awaitHold(t, g)
	if o, e, code := g.run("approvals", "approve", id, "--as", "user:alice@example.com", "--group", "dba"); code == 0 {
		t.Errorf("an actor approved its own request:\n%s%s", o, e)
	}
	g.must("approvals", "approve", id, "--as", "user:dana@example.com", "--group", "dba")
	select {
	case out := <-held:
		if strings.Contains(out, "ERROR") || !strings.Contains(out, id) || !strings.Contains(out, "done") {
			t.Errorf("the approved statement did not run:\n%s", out)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the approved statement still hangs")
	}

	checkPage(t, g)
	checkTrail(t, g)
}

// checkPage signs a browser in and looks at what the page shows of the demo.
func checkPage(t *testing.T, g *gateway) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	get := func(link string) string {
		t.Helper()
		res, err := browser.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v\n%s", link, res.Status, err, body)
		}
		return string(body)
	}
	link := strings.TrimSpace(g.must("login"))
	start := get(link)
	base := link[:strings.Index(link, "/login")]
	id := regexp.MustCompile(`/sessions/(ses_[0-9A-Za-z]+)`).FindStringSubmatch(start)
	if id == nil || !strings.Contains(start, "user:alice@example.com") {
		t.Fatalf("the page shows no session:\n%s", start)
	}
	all := ""
	for _, m := range regexp.MustCompile(`/sessions/ses_[0-9A-Za-z]+`).FindAllString(get(base+"/sessions"), -1) {
		page := get(base + m)
		for _, action := range regexp.MustCompile(m+`/actions/[0-9]+`).FindAllString(page, -1) {
			all += get(base + action)
		}
	}
	text := pageTag.ReplaceAllString(all, "") // statements are in colours
	for _, want := range []string{"DROP TABLE orders", "SELECT * FROM customers ORDER BY id LIMIT 3", "<td>1</td>", "42501"} {
		if !strings.Contains(text, want) && !strings.Contains(all, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if regexp.MustCompile(`400000\d{10}`).MatchString(all) {
		t.Error("the page shows a masked value")
	}
	if approvals := pageTag.ReplaceAllString(get(base+"/approvals"), ""); !strings.Contains(approvals, "UPDATE orders SET quantity = 2 WHERE id = 7") {
		t.Errorf("the page shows no hold:\n%s", approvals)
	}
}

var pageTag = regexp.MustCompile(`<[^>]*>`)

// awaitHold waits for the one pending hold and returns its id.
func awaitHold(t testing.TB, g *gateway) string {
	t.Helper()
	re := regexp.MustCompile(`hld_[a-z0-9A-Z]+`)
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if id := re.FindString(g.must("approvals", "list")); id != "" {
			return id
		}
	}
	t.Fatal("no hold appeared")
	return ""
}

// checkTrail looks at what the record says of the demo.
func checkTrail(t *testing.T, g *gateway) {
	t.Helper()
	var list string
	deadline := time.Now().Add(60 * time.Second)
	for {
		list = g.must("sessions", "list")
		if regexp.MustCompile(`ses_[0-9A-Za-z]+`).MatchString(list) || time.Now().After(deadline) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	ids := regexp.MustCompile(`ses_[0-9A-Za-z]+`).FindAllString(list, -1)
	if len(ids) == 0 {
		t.Fatalf("no session is listed:\n%s", list)
	}
	all := ""
	for _, id := range ids {
		all += g.must("sessions", "replay", id, "--format", "text")
	}
	for _, want := range []string{"user:alice@example.com", "agent:ci-bot", "UPDATE orders SET quantity = 2 WHERE id = 7", "user:dana@example.com", "DROP TABLE orders", "@example.com"} {
		if !strings.Contains(all, want) {
			t.Errorf("the replay does not tell of %q", want)
		}
	}
	if regexp.MustCompile(`400000\d{10}`).MatchString(all) {
		t.Error("a masked value is in the record")
	}
	// Stop first: what is verified offline needs no running gateway.
	g.stop()
	g.must("audit", "verify")
}
