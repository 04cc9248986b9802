package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const publicOnly = `
policy:
  rules:
    - {name: may-come, verdict: allow, when: {groups: [agents], kinds: [connect]}}
    - {name: public-only, verdict: allow, when: {groups: [agents], methods: [GET, HEAD, POST], paths: ["/public/**"]}}
`

// secretServer is an nginx that has something to lose.
const secretServer = `
location / { return 404 "NOTHING\n"; }
location /public/ { return 200 "PUBLIC $request_method $request_uri\n"; }
location ~* ^/+secret { return 200 "SECRET-DATA\n"; }
`

// attackCase is a line of filters/http/testdata/attacks.txt.
type attackCase struct {
	version, name string
	raw           string
	h2            struct {
		Headers [][2]string `json:"headers"`
		Body    *string     `json:"body"`
	}
}

func attackCases(t *testing.T) (list []attackCase) {
	t.Helper()
	b, err := os.ReadFile(repo + "/filters/http/testdata/attacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		c := attackCase{version: part[0]}
		err := json.Unmarshal([]byte(part[1]), &c.name)
		if c.version == "1" {
			err = errors.Join(err, json.Unmarshal([]byte(part[2]), &c.raw))
		} else {
			err = errors.Join(err, json.Unmarshal([]byte(part[2]), &c.h2))
		}
		if err != nil {
			t.Fatal(line, err)
		}
		list = append(list, c)
	}
	return list
}

// send sends the attack and gives what came back within a moment.
func (c attackCase) send(t *testing.T, addr, token string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	if c.version == "1" {
		io.WriteString(conn, strings.ReplaceAll(c.raw, "{TOKEN}", token))
		return drain(conn)
	}
	return c.sendH2(conn, token)
}

// drain reads until nothing comes for a while.
func drain(conn net.Conn) string {
	var got bytes.Buffer
	buf := make([]byte, 64<<10)
	for {
		conn.SetReadDeadline(time.Now().Add(120 * time.Millisecond))
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			return got.String()
		}
	}
}

func (c attackCase) sendH2(conn net.Conn, token string) string {
	io.WriteString(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, bufio.NewReader(conn))
	f.WriteSettings()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, h := range c.h2.Headers {
		enc.WriteField(hpack.HeaderField{Name: h[0], Value: strings.ReplaceAll(h[1], "{TOKEN}", token)})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: c.h2.Body == nil})
	if c.h2.Body != nil {
		f.WriteData(1, true, []byte(*c.h2.Body))
	}
	var got strings.Builder
	for {
		conn.SetReadDeadline(time.Now().Add(120 * time.Millisecond))
		frame, err := f.ReadFrame()
		if err != nil {
			return got.String()
		}
		if d, ok := frame.(*http2.DataFrame); ok {
			got.Write(d.Data())
		}
	}
}

// TestHTTPAttacks: what is judged is what is sent. No request of the corpus gets at what policy keeps, whatever
// Envoy, our filter and a real nginx make of it, and nginx sees no request that was not judged and allowed.
func TestHTTPAttacks(t *testing.T) {
	n := nginx(t, secretServer, nil)
	g, url := httpGateway(t, n.Addr, "", publicOnly)
	addr, token := strings.TrimPrefix(url, "http://"), g.token("agents")
	list := attackCases(t)
	if len(list) < 100 {
		t.Fatalf("only %d attacks", len(list))
	}
	var passed atomic.Int64
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, c := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			got := c.send(t, addr, token)
			if strings.Contains(got, "SECRET-DATA") {
				t.Errorf("HTTP/%s %s got at the secret:\n%s", c.version, c.name, got)
			}
			if strings.Contains(got, "PUBLIC ") {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	t.Logf("%d attacks, %d of them reached something public", len(list), passed.Load())
	seen, err := n.Log()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, id := range g.webSessions() {
		for line := range strings.Lines(g.must("sessions", "replay", "--json", id)) {
			var f struct {
				Kind    string `json:"kind"`
				Payload struct {
					Action   struct{ Text string }
					Decision struct{ Verdict string }
				}
			}
			if json.Unmarshal([]byte(line), &f) == nil && f.Kind == "action" && f.Payload.Decision.Verdict == "allow" {
				allowed[f.Payload.Action.Text] = true
			}
		}
	}
	for _, line := range seen {
		request, _, _ := strings.Cut(line, "|")
		what, _ := strings.CutSuffix(request, " HTTP/1.1")
		if !allowed[what] {
			t.Errorf("nginx was asked %q, which was not judged and allowed", line)
		}
	}
	// Ordinary requests pass afterwards.
	if a := ask(t, token, "POST", url+"/public/a?b=c", "hello"); a.StatusCode != 200 || a.text != "PUBLIC POST /public/a?b=c\n" {
		t.Error(a.StatusCode, a.text)
	}
}
