package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parseHTTP(t *testing.T, target string) error {
	t.Helper()
	_, err := Parse([]byte("targets: [{name: web, protocol: http, address: 'h:80', listen: '127.0.0.1:1'"+target+"}]\npolicy: {dir: policy}\n"), filepath.Join(t.TempDir(), "dragoman.yaml"))
	return err
}

func TestHTTPTargets(t *testing.T) {
	for _, good := range []string{"", ", credentials: {user: u, password: 'env:P'}", ", credentials: {header: X-Api-Key, value: 'env:K'}",
		", credentials: {oauth: {token_url: 'https://i/t', client_id: c, client_secret: 'env:S', scopes: [a]}}",
		", http: {version: '2', host: 'h:81', mcp: [/mcp], judged_body: 1MiB, judged_headers: [x-tenant], identity_header: false}"} {
		if err := parseHTTP(t, good); err != nil {
			t.Error(good, err)
		}
	}
	for bad, want := range map[string]string{
		", credentials: {user: u, password: 'env:P', header: X, value: 'env:K'}": "give one of",
		", credentials: {header: X}":                                                                                "value",
		", credentials: {header: Host, value: 'env:K'}":                                                             "cannot carry",
		", credentials: {header: x_key, value: 'env:K'}":                                                            "cannot carry",
		", credentials: {header: X-Key, value: plain}":                                                              "secrets are not written",
		", credentials: {password: 'env:P'}":                                                                        "user",
		", credentials: {oauth: {token_url: 'http://i/t', client_id: c, client_secret: 'env:S'}}":                   "clear text",
		", credentials: {oauth: {token_url: 'http://i/t', allow_http: true, client_id: c, client_secret: 'env:S'}}": "clear text",
		", credentials: {oauth: {token_url: 'nonsense', client_id: c, client_secret: 'env:S'}}":                     "is not a URL",
		", credentials: {oauth: {token_url: 'https://i/t', client_id: c}}":                                          "client_secret",
		", credentials: {database: d}":                                                                              "no database",
		", http: {version: '3'}":                                                                                    "version",
		", http: {version: auto}":                                                                                   "ALPN",
		", http: {mcp: [mcp]}":                                                                                      "not a path",
		", http: {judged_body: 1GiB}":                                                                               "16MiB",
		", http: {judged_headers: ['a b']}":                                                                         "not the name",
		", listen: '127.0.0.1:1', http: {nonsense: 1}":                                                              "nonsense",
	} {
		if err := parseHTTP(t, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", bad, err, want)
		}
	}
	_, err := Parse([]byte("targets: [{name: db, address: 'h:80', listen: '127.0.0.1:1', credentials: {user: u, header: X, value: 'env:K'}, http: {host: x}}]\npolicy: {dir: p}\n"), "x.yaml")
	if err == nil || !strings.Contains(err.Error(), "is for targets of protocol http") || !strings.Contains(err.Error(), "are for targets of protocol http") {
		t.Error(err)
	}
}

// TestHTTPPage: the configuration in the page on HTTP is read by the real reader.
func TestHTTPPage(t *testing.T) {
	b, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "```yaml\n")
	snippet, _, _ := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no snippet")
	}
	if _, err := Parse([]byte(snippet+"policy: {dir: p}\n"), "x.yaml"); err != nil {
		t.Error(err)
	}
}
