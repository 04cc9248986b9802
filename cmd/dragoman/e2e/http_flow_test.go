package e2e

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// service is the small JSON service of the tests.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	heads []http.Header
	posts atomic.Int64
}

const customers = `{"customers":[{"id":1,"name":"Ada","email":"ada@example.com"},{"id":2,"name":"Bob","email":"bob@example.com"}],"next":null}`

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{}
	mux := http.NewServeMux()
	mux.HandleFunc("/customers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("X-Contact", "carol@example.com")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, customers)
			z.Close()
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(customers))
	})
	mux.HandleFunc("/photo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		io.WriteString(w, "\x89PNG\r\n\x1a\nbob@example.com")
	})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		n := s.posts.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"n":%d,"got":%q}`, n, b)
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 1000 {
			fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", i, i)
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		var n int64
		fmt.Sscan(r.URL.Query().Get("n"), &n)
		io.Copy(w, io.LimitReader(zeros{}, n))
	})
	mux.HandleFunc("POST /mcp", func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Name string `json:"name"`
			} `json:"params"`
		}
		json.NewDecoder(r.Body).Decode(&m)
		results := map[string]string{
			"initialize": `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}`,
			"tools/list": `{"tools":[{"name":"get_customer","inputSchema":{"type":"object"}},{"name":"drop_all","inputSchema":{"type":"object"}},{"name":"refund","inputSchema":{"type":"object"}}]}`,
			"tools/call": `{"content":[{"type":"text","text":"{\"email\":\"ada@example.com\",\"tool\":\"` + m.Params.Name + `\"}"}]}`,
		}
		s.posts.Add(1)
		w.Header().Set("Mcp-Session-Id", "s1")
		if len(m.ID) == 0 {
			w.WriteHeader(202)
			return
		}
		if r.Header.Get("X-Stream") != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n\n", m.ID, results[m.Method])
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, results[m.Method])
	})
	mux.HandleFunc("POST /sink", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, _ := io.Copy(h, r.Body)
		if r.URL.RawQuery != "" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `"%d %s"`, n, hex.EncodeToString(h.Sum(nil)))
			return
		}
		fmt.Fprintf(w, "%d %s", n, hex.EncodeToString(h.Sum(nil)))
	})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.heads = append(s.heads, r.Header.Clone())
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) addr() string { return s.Listener.Addr().String() }

func (s *service) last() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heads) == 0 {
		return http.Header{}
	}
	return s.heads[len(s.heads)-1]
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const flowPolicy = `
policy:
  rules:
    - {name: orders-ask, verdict: hold, when: {groups: [agents], methods: [POST], paths: [/orders]}, approvers: [leads], timeout: 30s, reason: orders cost money}
    - {name: no-deletes, verdict: block, when: {methods: [DELETE]}, reason: nothing is deleted, hint: archive it}
    - {name: agents-may, verdict: allow, when: {groups: [agents], kinds: [http, connect]}}
`

func TestHTTPCredentials(t *testing.T) {
	s := newService(t)
	g, url := httpGateway(t, s.addr(), ", credentials: {header: X-Api-Key, value: 'file:gw-password'}", flowPolicy)
	token := g.token("agents")
	a := ask(t, token, "GET", url+"/customers", "", "X-Envoy-Original-Path", "/x", "Dragoman-Identity", "fake", "X-Forwarded-For", "1.2.3.4")
	h := s.last()
	if a.StatusCode != 200 || h.Get("X-Api-Key") != "sesame" || h.Get("Authorization") != "" || h.Get("X-Envoy-Original-Path") != "" || h.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Error(a.StatusCode, h)
	}
	part := strings.Split(h.Get("Dragoman-Identity"), ".")
	if len(part) != 3 {
		t.Fatal(h)
	}
	g.verified(part)
	// A token as Proxy-Authorization leaves Authorization to the target.
	ask(t, "", "GET", url+"/customers", "", "Proxy-Authorization", "Bearer "+token, "Authorization", "Basic b3duOm93bg==")
	if h := s.last(); h.Get("Authorization") != "Basic b3duOm93bg==" || h.Get("Proxy-Authorization") != "" {
		t.Error(h)
	}
	for _, bad := range []string{"", "nonsense", token + "x"} {
		a, err := tryAsk(http.DefaultClient, bad, "GET", url+"/customers", "")
		if err != nil || a.StatusCode != 401 || a.problem(t)["code"] != "unauthenticated" || a.Header.Get("WWW-Authenticate") == "" {
			t.Error(bad, a.Response, a.text, err)
		}
	}
	ids := g.webSessions()
	text := ""
	for _, id := range ids {
		text += g.replay(id)
	}
	for _, secret := range []string{"sesame", token, part[2], "b3duOm93bg"} {
		if strings.Contains(text, secret) {
			t.Errorf("the record has %q", secret)
		}
	}
}

// verified checks a Dragoman-Identity by the keys that the API serves.
func (g *gateway) verified(part []string) {
	g.t.Helper()
	var set struct {
		Keys []struct{ Kid, X, Kty, Crv string }
	}
	var head struct{ Kid, Alg, Typ string }
	var claims struct {
		Sub, Aud string
		Act      struct{ Sub string }
	}
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			g.t.Error(s, err)
		}
		return b
	}
	err := errors.Join(g.api("GET", "/v1/identity/jwks.json", nil, &set), json.Unmarshal(decode(part[0]), &head), json.Unmarshal(decode(part[1]), &claims))
	good := 0
	for _, k := range set.Keys {
		if key := decode(k.X); k.Kid == head.Kid && k.Kty == "OKP" && k.Crv == "Ed25519" && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, []byte(part[0]+"."+part[1]), decode(part[2])) {
			good++
		}
	}
	if err != nil || good != 1 || head.Alg != "EdDSA" || head.Typ != "dragoman-identity+jwt" || claims.Aud != "web" || claims.Sub != "user:alice@example.com" || claims.Act.Sub != "agent:ci-bot" {
		g.t.Errorf("%v: %d keys fit; %+v %+v", err, good, head, claims)
	}
}

func TestHTTPBlocked(t *testing.T) {
	s := newService(t)
	g, url := httpGateway(t, s.addr(), "", flowPolicy)
	a := ask(t, g.token("agents"), "DELETE", url+"/customers", "")
	p := a.problem(t)
	if a.StatusCode != 403 || p["code"] != "blocked" || p["rule"] != "no-deletes" || p["detail"] != "nothing is deleted" || p["hint"] != "archive it" {
		t.Error(a.StatusCode, p)
	}
	a = ask(t, g.token("agents"), "DELETE", url+"/some.Service/Method", "x", "Content-Type", "application/grpc")
	if a.StatusCode != 200 || a.Header.Get("Grpc-Status") != "7" || !strings.Contains(a.Header.Get("Grpc-Message"), "no-deletes") {
		t.Error(a.StatusCode, a.Header)
	}
	if a := ask(t, g.token("strangers"), "GET", url+"/customers", ""); a.StatusCode != 403 {
		t.Error(a.StatusCode, a.text)
	}
	if len(s.heads) != 0 {
		t.Error("a blocked request reached the target")
	}
}

// pendingHold waits for a hold and gives its id.
func (g *gateway) pendingHold() string {
	g.t.Helper()
	for range 1200 {
		var list []struct{ ID, State string }
		json.Unmarshal([]byte(g.must("approvals", "list", "--json")), &list)
		for _, h := range list {
			if h.State == "pending" {
				return h.ID
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.t.Fatal("no hold: ", g.must("approvals", "list", "--json"))
	return ""
}

func TestHTTPHold(t *testing.T) {
	s := newService(t)
	g, url := httpGateway(t, s.addr(), "", flowPolicy)
	token := g.token("agents")
	for _, word := range []string{"approve", "deny"} {
		got := make(chan answer)
		go func() { got <- ask(t, token, "POST", url+"/orders", `{"item":"`+word+`"}`) }()
		id := g.pendingHold()
		if n := s.posts.Load(); n != 0 && word == "approve" {
			t.Fatal("a held request reached the target")
		}
		g.must("approvals", word, id, "--reason", "test", "--as", "user:lea@example.com", "--group", "leads")
		a := <-got
		switch word {
		case "approve":
			if a.StatusCode != 200 || !strings.Contains(a.text, `approve`) {
				t.Error(a.StatusCode, a.text)
			}
		case "deny":
			if p := a.problem(t); a.StatusCode != 403 || p["code"] != "denied" {
				t.Error(a.StatusCode, p)
			}
		}
	}
	if n := s.posts.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	// A client that does not wait: told at once, and the same request runs once after approval.
	send := func(body string) answer {
		return ask(t, token, "POST", url+"/orders", body, "Prefer", "respond-async")
	}
	p := send(`{"item":"later"}`).problem(t)
	id, _ := p["hold"].(string)
	if p["code"] != "held" || !strings.HasPrefix(id, "hld_") {
		t.Fatal(p)
	}
	if again := send(`{"item":"later"}`).problem(t); again["hold"] != id {
		t.Error("the same request is held a second time:", again)
	}
	g.must("approvals", "approve", id, "--reason", "test", "--as", "user:lea@example.com", "--group", "leads")
	other := send(`{"item":"other"}`).problem(t)
	if other["code"] != "held" || other["hold"] == id {
		t.Error("another request ran on the approval:", other)
	}
	var a answer
	for range 1200 {
		if a = send(`{"item":"later"}`); a.StatusCode == 200 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a.StatusCode != 200 || s.posts.Load() != 2 {
		t.Error(a.StatusCode, a.text, s.posts.Load())
	}
	if p := send(`{"item":"later"}`).problem(t); p["code"] != "held" || p["hold"] == id {
		t.Error("an approval was used twice:", p)
	}
}

const maskPolicy = `
policy:
  rules:
    - {name: agents-may, verdict: allow, when: {groups: [agents], kinds: [http, connect]}}
  masks:
    - {name: mail, json: ["$..email"], detectors: [], except_groups: [dpo]}
    - {name: contact, fields: [x-contact], except_groups: [dpo]}
`

func TestHTTPMasks(t *testing.T) {
	s := newService(t)
	g, url := httpGateway(t, s.addr(), "", maskPolicy)
	token := g.token("agents")
	for _, headers := range [][]string{{"Accept-Encoding", "identity"}, {"Accept-Encoding", "gzip"}, {"Range", "bytes=40-120"}, {"Accept-Encoding", "br;q=1, foo"}} {
		a := ask(t, token, "GET", url+"/customers", "", headers...)
		text := a.text
		if a.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(a.text))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if a.StatusCode != 200 || strings.Contains(text, "ada@") || strings.Contains(text, "bob@") || !strings.Contains(text, `"name":"Ada"`) ||
			strings.Contains(a.Header.Get("X-Contact"), "carol") || !strings.HasPrefix(a.Header.Get("ETag"), `W/"dgm.`) || !json.Valid([]byte(text)) {
			t.Error(headers, a.StatusCode, text, a.Header)
		}
	}
	// Entity tags can be handed back, and tell nothing of what is masked: none that was not given out is compared.
	tag := ask(t, token, "GET", url+"/customers", "", "Accept-Encoding", "identity").Header.Get("ETag")
	for _, c := range []struct {
		field, tag string
		status     int
	}{{"If-None-Match", tag, 304}, {"If-None-Match", `"v1"`, 200}, {"If-None-Match", `W/"v1"`, 200}, {"If-Match", tag, 200}, {"If-Match", `"v1"`, 412}, {"If", `(["v1"])`, 412}} {
		if a := ask(t, token, "GET", url+"/customers", "", "Accept-Encoding", "identity", c.field, c.tag); a.StatusCode != c.status || strings.Contains(a.Header.Get("ETag"), "v1") {
			t.Error(c, a.StatusCode, a.Header)
		}
	}
	if a := ask(t, token, "HEAD", url+"/customers", ""); a.StatusCode != 200 || a.ContentLength > 0 {
		t.Error("HEAD tells the length of what is masked:", a.Header)
	}
	if a := ask(t, token, "GET", url+"/photo", ""); a.StatusCode < 400 || a.problem(t)["code"] != "undecodable" {
		t.Error(a.StatusCode, a.text)
	}
	// What the agent sends reaches the target as it is; the record has it masked.
	body := `{"email":"zoe@example.com","n":1}`
	sum := sha256.Sum256([]byte(body))
	if a := ask(t, token, "POST", url+"/sink?x-contact=dave@example.com&page=1", body, "Content-Type", "application/json"); a.text != fmt.Sprintf("%q", fmt.Sprintf("%d %s", len(body), hex.EncodeToString(sum[:]))) {
		t.Error(a.StatusCode, a.text)
	}
	text := g.replay(g.webSessions()[0], "502", `"n":1`, "page=1")
	if strings.Contains(text, "ada@example.com") || strings.Contains(text, "carol@") || strings.Contains(text, "zoe@") || strings.Contains(text, "dave@") {
		t.Error("the record has a masked value")
	}
	if a := ask(t, g.tokenFor("agent:other", "", "agents"), "GET", url+"/customers", "", "Accept-Encoding", "identity", "If-None-Match", tag); a.StatusCode != 200 {
		t.Error("another identity's tag is compared:", a.StatusCode)
	}
	if a := ask(t, g.token("agents", "dpo"), "GET", url+"/customers", "", "Accept-Encoding", "identity"); a.text != customers || a.Header.Get("ETag") != `"v1"` {
		t.Error(a.text, a.Header)
	}
}

// TestHTTPLive: a policy push and a revocation are in force for a session and a stream that live.
func TestHTTPLive(t *testing.T) {
	s := newService(t)
	port := freePort(t)
	g := newGateway(t, setup{Config: "targets:\n" + httpTargetYAML("web", s.addr(), port, "") + "policy: {dir: policy}\n",
		Files: map[string]string{"policy/rules.yaml": "rules:\n  - {name: all, verdict: allow, when: {groups: [agents], kinds: [http, connect]}}\n"}}).start()
	url, token := fmt.Sprintf("http://127.0.0.1:%d", port), g.token("agents")
	c := &http.Client{}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", url+"/events", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	defer res.Body.Close()
	events := bufio.NewReader(res.Body)
	for range 3 {
		if _, err := events.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if a := ask(t, token, "GET", url+"/customers", ""); a.StatusCode != 200 {
		t.Fatal(a.text)
	}
	g.write("policy/rules.yaml", "rules:\n  - {name: none, verdict: block, when: {paths: [/customers]}}\n  - {name: all, verdict: allow, when: {groups: [agents], kinds: [http, connect]}}\n")
	for i := 0; ; i++ {
		if a := ask(t, token, "GET", url+"/customers", ""); a.StatusCode == 403 && a.problem(t)["rule"] == "none" {
			break
		}
		if i > 1200 {
			t.Fatal("the new policy is not in force")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := events.ReadString('\n'); err != nil {
		t.Fatal("the stream did not live on:", err)
	}
	var list []struct {
		Identity struct {
			TokenID string `json:"token_id"`
		} `json:"identity"`
	}
	if json.Unmarshal([]byte(g.must("token", "list", "--json")), &list) != nil || len(list) == 0 {
		t.Fatal(g.must("token", "list", "--json"))
	}
	g.must("token", "revoke", list[0].Identity.TokenID)
	start := time.Now()
	_, err = io.Copy(io.Discard, events)
	if took := time.Since(start); err == nil || took > 30*time.Second {
		t.Errorf("after the revocation the stream went on for %v (%v)", took, err)
	} else {
		t.Logf("the stream ended %v after the revocation", took)
	}
	if a, _ := tryAsk(c, token, "GET", url+"/customers", ""); a.Response == nil || a.StatusCode != 401 {
		t.Error(a.Response)
	}
}

// TestHTTPDurable: with fsync, over HTTP/1.1 and HTTP/2, in both directions, with and without trailers.
func TestHTTPDurable(t *testing.T) {
	s := newService(t)
	g, url := httpGateway(t, s.addr(), ", audit: {durability: fsync}", flowPolicy)
	token := g.token("agents")
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	body := strings.Repeat("0123456789abcdef", 200<<10/16*10)
	sum := sha256.Sum256([]byte(body))
	want := fmt.Sprintf("%d %s", len(body), hex.EncodeToString(sum[:]))
	for name, c := range map[string]*http.Client{"HTTP/1.1": {}, "HTTP/2": {Transport: &http.Transport{Protocols: p}}} {
		for range 5 {
			if a, err := tryAsk(c, token, "POST", url+"/sink", body); err != nil || a.text != want {
				t.Fatal(name, a.text, err)
			}
			if a, err := tryAsk(c, token, "GET", url+"/big?n=3000000", ""); err != nil || len(a.text) != 3000000 {
				t.Fatal(name, len(a.text), err)
			}
			if a, err := tryAsk(c, token, "GET", url+"/customers", ""); err != nil || a.StatusCode != 200 {
				t.Fatal(name, err)
			}
		}
	}
	g.replay(g.webSessions()[0], "POST /sink", "GET /big", "200")
}

// TestHTTPWebSocket: frames pass in both directions, and are recorded.
func TestHTTPWebSocket(t *testing.T) {
	for _, durability := range []string{"write", "fsync"} {
		t.Run(durability, func(t *testing.T) { chat(t, durability, flowPolicy, "ada@example.com") })
	}
	t.Run("masks", func(t *testing.T) {
		chat(t, "write", flowPolicy+"  masks:\n    - {name: mails, detectors: [email]}\n", "")
	})
}

// chat has a WebSocket server send back what it gets; mail is what becomes of an address.
func chat(t *testing.T, durability, policy, mail string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
				for head := make([]byte, 6); ; { // short masked frames with a mask of zeros
					if _, err := io.ReadFull(r, head); err != nil {
						return
					}
					payload := make([]byte, head[1]&0x7f)
					if _, err := io.ReadFull(r, payload); err != nil {
						return
					}
					c.Write(append([]byte{head[0], head[1] & 0x7f}, payload...))
				}
			}()
		}
	}()
	g, url := httpGateway(t, l.Addr().String(), ", audit: {durability: "+durability+"}", policy)
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	fmt.Fprintf(c, "GET /chat HTTP/1.1\r\nHost: web\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", g.token("agents"))
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	for i := range 40 {
		text := fmt.Sprintf("hello %d ada@example.com", i)
		frame := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
		c.Write(frame)
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			t.Fatal(i, err)
		}
		skip := 0
		if head[1]&0x80 != 0 {
			skip = 4 // the server of this test sends back the mask, too
		}
		got := make([]byte, skip+int(head[1]&0x7f))
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatal(i, err)
		}
		if mail != "" && string(got[skip:]) != text || mail == "" && (strings.Contains(string(got), "ada@") || !strings.Contains(string(got), "hello")) {
			t.Fatalf("%q became %q", text, got)
		}
	}
	c.Close()
	g.replay(g.webSessions()[0], "GET /chat", "101", "ok 101")
}
