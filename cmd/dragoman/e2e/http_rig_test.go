package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/httpserver"
)

// nginx starts one with the given files under its root and what goes into its server block.
func nginx(t testing.TB, server string, files map[string]string) *httpserver.Nginx {
	t.Helper()
	bin, err := httpserver.Ensure(context.Background(), filepath.Join(repo, ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "dgm-nginx-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n, err := httpserver.Start(httpserver.Options{Bin: bin, Dir: dir, Server: server})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	for name, text := range files {
		path := filepath.Join(dir, "html", name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// allowHTTP is a policy that lets through all HTTP requests of the group.
const allowHTTP = `
policy:
  rules:
    - {name: agents-may, verdict: allow, when: {groups: [agents], kinds: [http, connect]}}
`

// httpTarget is the YAML of a target.
func httpTargetYAML(name, address string, port int, more string) string {
	return fmt.Sprintf("  - {name: %s, protocol: http, address: %s, listen: '127.0.0.1:%d'%s}\n", name, address, port, more)
}

// httpGateway runs a gateway before one target; the file gw-password has what may log in there.
func httpGateway(t testing.TB, address, more, rest string) (g *gateway, url string) {
	t.Helper()
	port := freePort(t)
	g = newGateway(t, setup{Config: "targets:\n" + httpTargetYAML("web", address, port, more) + rest,
		Files: map[string]string{"gw-password": "sesame\n"}}).start()
	return g, fmt.Sprintf("http://127.0.0.1:%d", port)
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	text string
}

// ask sends one request with a token.
func ask(t testing.TB, token, method, url, body string, headers ...string) answer {
	t.Helper()
	a, err := tryAsk(http.DefaultClient, token, method, url, body, headers...)
	if err != nil {
		t.Fatal(method, url, err)
	}
	return a
}

func tryAsk(c *http.Client, token, method, url, body string, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b)}, err
}

// problem decodes a problem document.
func (a answer) problem(t testing.TB) map[string]any {
	t.Helper()
	var p map[string]any
	if a.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal([]byte(a.text), &p) != nil {
		t.Fatalf("no problem document: %d %v %s", a.StatusCode, a.Header, a.text)
	}
	return p
}

// curl runs curl and gives what it printed.
func curl(t testing.TB, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("curl", append([]string{"-sS", "--max-time", "30"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("curl %v: %v\n%s%s", args, err, errs.String(), out.String())
	}
	return out.String()
}

// webSessions are the ids of the sessions on the target, once there are any.
func (g *gateway) webSessions() (ids []string) {
	g.t.Helper()
	for range 600 {
		var list struct {
			Sessions []struct {
				ID string `json:"id"`
			} `json:"sessions"`
		}
		if err := json.Unmarshal([]byte(g.must("sessions", "list", "--json", "--target", "web")), &list); err != nil {
			g.t.Fatal(err)
		}
		for _, s := range list.Sessions {
			ids = append(ids, s.ID)
		}
		if len(ids) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ids
}

// replay is the record of a session as text, once it has the words.
func (g *gateway) replay(id string, words ...string) (text string) {
	g.t.Helper()
	for range 600 {
		text = g.must("sessions", "replay", id)
		missing := ""
		for _, w := range words {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return text
		}
		time.Sleep(100 * time.Millisecond)
	}
	g.t.Errorf("the record has not all of %q:\n%s", words, text)
	return text
}
