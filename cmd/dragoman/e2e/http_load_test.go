package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// TestHTTPLoad: h2load (HTTP/2) and wrk (HTTP/1.1) get an answer to all they ask, and all of it is recorded as one session.
func TestHTTPLoad(t *testing.T) {
	n := nginx(t, "", map[string]string{"a.txt": "hello\n"})
	g, url := httpGateway(t, n.Addr, "", allowHTTP)
	token := g.token("agents")
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, append(args, url+"/a.txt")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	if out := run("h2load", "-t1", "-c4", "-m8", "-n400", "-H", "authorization: Bearer "+token); !strings.Contains(out, "400 succeeded, 0 failed") || !strings.Contains(out, "400 2xx") {
		t.Error(out)
	}
	if out := run("wrk", "-t1", "-c4", "-d1s", "-H", "Authorization: Bearer "+token); strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") || !strings.Contains(out, " requests in ") {
		t.Error(out)
	}
	if out := run("wrk", "-t1", "-c4", "-d1s"); !strings.Contains(out, "Non-2xx") {
		t.Error("requests without a token are answered:", out)
	}
	if ids := g.webSessions(); len(ids) != 1 {
		t.Error(ids)
	}
}
