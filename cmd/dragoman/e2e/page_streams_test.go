package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// ticks are the events of the streaming service: JSON, of several lines, with a comment, and with what would like to be a page.
const ticks = ": hello\n\nevent: tick\nid: 1\ndata: {\"n\": 1, \"email\": \"ada@example.com\"}\n\ndata: two\ndata: lines\n\nevent: <img src=x onerror=alert(1)>\ndata: <script>alert(1)</script>\n\n"

// streaming has a real gRPC server and a stream of events. Each has its own version of HTTP, and so its own target.
func streaming(t *testing.T) (rpc, events string) {
	t.Helper()
	state := health.NewServer()
	state.SetServingStatus("shop.Orders", grpc_health_v1.HealthCheckResponse_SERVING)
	calls := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(calls, state)
	one := httptest.NewUnstartedServer(calls)
	one.Config.Protocols = new(http.Protocols)
	one.Config.Protocols.SetUnencryptedHTTP2(true)
	one.Start()
	t.Cleanup(one.Close)
	t.Cleanup(calls.Stop)
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, EnableCompression: true}
	two := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			w.Header().Set("Content-Type", "text/event-stream")
			for part := range strings.SplitAfterSeq(ticks, "\n\n") {
				io.WriteString(w, part)
				w.(http.Flusher).Flush()
			}
			return
		}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for { // what it is sent, back
			kind, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(two.Close)
	return one.Listener.Addr().String(), two.Listener.Addr().String()
}

// streamsInBrowser makes calls of a gRPC client, and has a WebSocket's and an event stream's exchange, through the gateway; then Chromium shows what
// was recorded of them.
func streamsInBrowser(t *testing.T, p *pageTargets) {
	callsOver(t, p)
	if a := ask(t, p.token, "GET", p.streams+"/ticks", ""); a.StatusCode != 200 || !strings.Contains(a.text, "two") {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	messagesOver(t, p)
	open := func(target, summary, ready string) string {
		t.Helper()
		id := p.session(t, target, true)
		line := `//summary[contains(., "` + summary + `")]`
		do(t, p.admin, "open "+summary, chromedp.Navigate(p.base+"/sessions/"+id), chromedp.WaitVisible(line), chromedp.Click(line))
		return awaitText(t, p.admin, `(document.querySelector("#actions details[open] .action") || document.body).innerText`, ready, "What was asked and returned")
	}
	shows := func(what, text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: there is no %q:\n%s", what, w, text)
			}
		}
	}
	shows("a gRPC call", open("rpc", "Health/Check", "Trailers"), "POST /grpc.health.v1.Health/Check HTTP/2", "application/grpc", "gRPC, ", "message 1, 13 bytes", `1: "shop.Orders"`, "message 1, 2 bytes", "1: 1", "grpc-status")
	shot(t, p.admin, "grpc")
	shows("a WebSocket", open("streams", "/chat", "code 1000"), "101 Switching Protocols", "agent → target", "target → agent", `"email": "ada@example.com"`, `"email": "[redacted]"`, "two words", "binary, 3 bytes", "ff 00 01", "close, ")
	shot(t, p.admin, "websocket")
	shows("an event stream", open("streams", "/ticks", "alert(1)"), "text/event-stream", "comment: hello", "event: tick, id: 1", `"n": 1`, `"email": "[redacted]"`, "two\nlines", "event: <img src=x onerror=alert(1)>", "<script>alert(1)</script>")
	shot(t, p.admin, "events")
	if n, err := chromedp.Run(p.admin, chromedp.Evaluate[int](`document.querySelectorAll("main script, main img").length`)); err != nil || n != 0 {
		t.Errorf("what an event said is %d elements of the page: %v", n, err)
	}
}

// callsOver makes a call that is answered, and one that fails.
func callsOver(t *testing.T, p *pageTargets) {
	t.Helper()
	conn, err := grpc.NewClient(p.rpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+p.token), time.Minute)
	defer cancel()
	client := grpc_health_v1.NewHealthClient(conn)
	if a, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "shop.Orders"}, grpc.WaitForReady(true)); err != nil || a.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatal(a, err)
	}
}

// messagesOver has a WebSocket's messages sent, and sent back under a mask, and closes it.
func messagesOver(t *testing.T, p *pageTargets) {
	t.Helper()
	d := websocket.Dialer{EnableCompression: true, HandshakeTimeout: time.Minute}
	c, _, err := d.Dial(strings.Replace(p.streams, "http:", "ws:", 1)+"/chat", http.Header{"Authorization": {"Bearer " + p.token}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, m := range []string{`{"email":"ada@example.com"}`, "two words", "\xff\x00\x01"} {
		kind := websocket.TextMessage
		if i == 2 {
			kind = websocket.BinaryMessage
		}
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if err := c.WriteMessage(kind, []byte(m)); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.ReadMessage(); err != nil || string(b) != m && (i > 0 || strings.Contains(string(b), "ada@")) {
			t.Fatalf("%q became %q: %v", m, b, err)
		}
	}
	c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "bye"), time.Now().Add(time.Minute))
	var closed *websocket.CloseError
	if _, _, err := c.ReadMessage(); !errors.As(err, &closed) {
		t.Fatal(err)
	}
}

// brokenInBrowser changes a byte of a sealed record: its session's page says so before anything else, and what followed is not shown.
func brokenInBrowser(t *testing.T, p *pageTargets) {
	id := p.session(t, "web1", false)
	var found []string
	for end := time.Now().Add(time.Minute); len(found) == 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // until it is sealed
		found, _ = filepath.Glob(filepath.Join(p.dir, "data", "audit", "sessions", "*", "*", "*", id+".drs"))
	}
	if len(found) != 1 {
		t.Fatalf("the record of %s: %v", id, found)
	}
	good, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	put := func(b []byte) {
		t.Helper()
		os.Chmod(found[0], 0o600)
		if err := os.WriteFile(found[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page := func(want string) string {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // an outcome is used for a moment
			do(t, p.admin, "open the session", chromedp.Navigate(p.base+"/sessions/"+id), chromedp.WaitVisible(chromedp.CSS("#actions li")))
			if got := text(t, p.admin, "main"); strings.Contains(got, want) || time.Now().After(end) {
				return got
			}
		}
	}
	if got := page("chain good"); !strings.Contains(got, "chain good") || strings.Contains(got, "broken") {
		t.Errorf("before it is changed:\n%s", got)
	}
	bad := append([]byte(nil), good...)
	bad[len(bad)/3] ^= 1
	put(bad)
	defer put(good)
	if got := page("This record is broken"); !strings.HasPrefix(got, "This record is broken") {
		t.Errorf("a byte was changed:\n%s", got)
	}
	if role, err := chromedp.Run(p.admin, chromedp.Evaluate[string](`document.querySelector("main > #checked > section").getAttribute("role")`)); err != nil || role != "alert" {
		t.Errorf("the warning's role is %q: %v", role, err)
	}
	shot(t, p.admin, "broken")
	do(t, p.admin, "open its terminal", chromedp.Navigate(p.base+"/sessions/"+id+"/terminal"), chromedp.WaitVisible(chromedp.CSS("#terminal")))
	if got := text(t, p.admin, "main"); !strings.HasPrefix(got, "This record is broken") {
		t.Errorf("its terminal's page:\n%s", got)
	}
	if a := fmt.Sprint(awaitText(t, p.admin, `fetch(document.getElementById("terminal").dataset.cast).then((r) => { window.cast = r.status }) && String(window.cast || "")`, "500", "")); a != "500" {
		t.Errorf("its cast: %s", a)
	}
}
