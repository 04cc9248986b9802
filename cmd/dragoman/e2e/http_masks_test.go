package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"dragoman.dev/dragoman/filters/http/content/contenttest"
)

// maskRules are the corpus's masks as policy has them, each set for the paths below its name.
func maskRules(t *testing.T) string {
	t.Helper()
	var rules []map[string]any
	for name, specs := range contenttest.Plans() {
		for _, s := range specs {
			rules = append(rules, map[string]any{"name": name + "-" + s.Name, "json": s.JSON, "fields": s.Fields,
				"detectors": s.Detectors, "opaque": s.Opaque, "paths": []string{"/" + name + "/**"}})
		}
	}
	b, err := yaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	return "    " + strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "\n    ") + "\n"
}

// TestHTTPMaskAttacks: no body of the corpus gets a value past the masks of a running gateway, whole or in pieces.
func TestHTTPMaskAttacks(t *testing.T) {
	all, err := contenttest.Load(filepath.Join(repo, "filters/http/content/testdata/attacks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.URL.Path, "/") // /plan/number/piece
		n, _ := strconv.Atoi(parts[2])
		a := &all[n]
		body, err := a.Bytes()
		if err != nil {
			t.Error(err)
		}
		w.Header()["Content-Type"] = nil // none unless the corpus says so
		if a.Type != "" {
			w.Header().Set("Content-Type", a.Type)
		}
		if c := a.Coding(); c != "" {
			w.Header().Set("Content-Encoding", c)
		}
		if a.Status != 0 {
			w.WriteHeader(a.Status)
		}
		piece := len(body)
		if parts[3] != "0" {
			piece = max(1, len(body)/3)
		}
		for len(body) > 0 {
			k := min(piece, len(body))
			w.Write(body[:k])
			http.NewResponseController(w).Flush()
			body = body[k:]
		}
	}))
	defer target.Close()
	g, url := httpGateway(t, target.Listener.Addr().(*net.TCPAddr).String(), "", `
policy:
  rules:
    - {name: all, verdict: allow, when: {groups: [agents]}}
  masks:
`+maskRules(t))
	token := g.token("agents")
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	shown, refused := 0, 0
	for i := range all {
		a := &all[i]
		for _, piece := range []string{"0", "1"} {
			out, status := fetch(t, client, token, url+"/"+a.Plan+"/"+strconv.Itoa(i)+"/"+piece)
			leak, gone := a.Leaks(out)
			switch {
			case leak != "":
				t.Errorf("%s/%s: %d, leaks %s", a.Class, a.Name, status, leak)
			case a.Refused == "" && (status >= 400 || gone != ""):
				t.Errorf("%s/%s: %d, without %q: %.200q", a.Class, a.Name, status, gone, out)
			case a.Refused == "":
				shown++
			default:
				refused++
			}
		}
	}
	t.Logf("%d bodies: %d times masked, %d times refused", len(all), shown, refused)
}

// fetch gives what comes, also of a response that is cut off (status 599).
func fetch(t *testing.T, c *http.Client, token, url string) ([]byte, int) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept-Encoding", "gzip, br, zstd, deflate")
	res, err := c.Do(req)
	if err != nil {
		return nil, 599
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		return out, 599
	}
	return out, res.StatusCode
}
