package e2e

import (
	"strings"
	"testing"
)

// TestHTTPThin: curl, through Envoy, to nginx and back, with a token; recorded, and replayed.
func TestHTTPThin(t *testing.T) {
	n := nginx(t, "", map[string]string{"hello.txt": "hello from nginx\n"})
	g, url := httpGateway(t, n.Addr, ", credentials: {user: gw, password: 'file:gw-password'}", allowHTTP)
	if out := curl(t, "-i", url+"/hello.txt"); !strings.Contains(out, "401") || !strings.Contains(strings.ToLower(out), "www-authenticate: bearer") ||
		!strings.Contains(out, `"code":"unauthenticated"`) {
		t.Fatal(out)
	}
	token := g.token("agents")
	if out := curl(t, "-i", "-H", "Authorization: Bearer "+token, url+"/hello.txt"); !strings.HasSuffix(out, "hello from nginx\n") {
		t.Fatal(out, g.log)
	}
	if lines, err := n.Log(); err != nil || len(lines) != 1 {
		t.Fatal("the unauthenticated request reached the target:", lines, err)
	}
	ids := g.webSessions()
	if len(ids) != 1 {
		t.Fatal(ids)
	}
	replay := g.replay(ids[0], "> GET /hello.txt", "HTTP/1.1 200", "authorization: [hidden]", "dragoman-identity: [hidden]", "hello from nginx")
	show := g.must("sessions", "show", ids[0])
	t.Log(show, replay)
	for _, secret := range []string{token, "Z3c6"} { // gw: in base64
		if strings.Contains(show+replay, secret) {
			t.Error("the record has a secret")
		}
	}
	if events, entries := g.exports(t, ids[0], true, []string{"/hello.txt"}, []string{token, "Z3c6"}); events < 2 || entries != 1 {
		t.Error(events, entries)
	}
}
