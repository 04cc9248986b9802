package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/mysqlserver"
)

// example runs an example's own configuration and policy: what is replaced are addresses, as pairs, and the harness
// names data and Envoy itself.
func example(t *testing.T, name string, files map[string]string, replace ...string) *gateway {
	t.Helper()
	of, err := e2erig.Example(filepath.Join(repo, "examples", name), replace...)
	if err != nil {
		t.Fatal(err)
	}
	config := of["dragoman.yaml"]
	delete(of, "dragoman.yaml")
	maps.Copy(files, of)
	return newGateway(t, setup{Config: config, Files: files}).start()
}

func TestExampleHTTP(t *testing.T) {
	n := nginx(t, `location /api/ { if ($http_x_api_key != "the CRM's own key") { return 401; } default_type application/json; }`, map[string]string{
		"api/customers": `[{"id": 1, "name": "Ada", "email": "ada.moreau@example.com", "ssn": "123-45-6789", "card": {"number": "4000001234567899"}}]`})
	port := freePort(t)
	g := example(t, "http", map[string]string{"crm-key": "the CRM's own key\n"}, "127.0.0.1:8081", n.Addr, "127.0.0.1:18080", fmt.Sprintf("127.0.0.1:%d", port))
	token, url := g.token("support"), fmt.Sprintf("http://127.0.0.1:%d", port)
	a := ask(t, token, "GET", url+"/api/customers", "")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.text, "a***@example.com") || strings.Contains(a.text, "123-45") || strings.Contains(a.text, "400000") {
		t.Errorf("customers: %d %s", a.StatusCode, a.text)
	}
	if p := ask(t, token, "DELETE", url+"/api/customers/1", "").problem(t); p["rule"] != "nothing-is-deleted" || p["hint"] == nil {
		t.Errorf("a deletion: %v", p)
	}
	if p := ask(t, token, "POST", url+"/api/orders/7/refunds", "amount=5", "Prefer", "respond-async", "Content-Type", "application/x-www-form-urlencoded").problem(t); p["code"] != "held" || p["hold"] == nil {
		t.Errorf("a refund: %v", p)
	}
}

func TestExampleMySQL(t *testing.T) {
	s := mysqlServer(t, mysqlserver.Options{Kind: mysqlserver.MariaDB})
	root := mysqlRoot(t, s, "")
	mysqlExec(t, root, mysqlUser+"CREATE DATABASE shop; CREATE TABLE shop.customers (id INT PRIMARY KEY, email VARCHAR(80), ssn VARCHAR(20));"+
		"INSERT INTO shop.customers VALUES (1, 'ada.moreau@example.com', '123-45-6789');")
	port := freePort(t)
	g := example(t, "mysql", map[string]string{"shop-password": "app-secret\n"}, "127.0.0.1:3306", s.Addr(), "127.0.0.1:13306", fmt.Sprintf("127.0.0.1:%d", port))
	p := mysqlPlace{Port: port, Password: g.token("analysts"), Database: "shop"}
	out := p.cli(t, "SELECT id, email AS e, concat(ssn, '!') AS s FROM customers;\nDROP TABLE customers;\nSELECT 6*7 AS answer;\n")
	if !strings.Contains(out, "a***@example.com") || strings.Contains(out, "123-45") || !strings.Contains(out, "ERROR") || !strings.Contains(out, "42") {
		t.Errorf("the analyst sees\n%s", out)
	}
}

func TestExampleSSH(t *testing.T) {
	r := newSSH(t, sshSetup{}) // for its server, and the client's files
	known := fmt.Sprintf("[%s]:%s %s\n", "127.0.0.1", strings.Split(r.sshd.Address(), ":")[1], r.sshd.HostKey)
	key, err := os.ReadFile(r.sshd.Key)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	g := example(t, "ssh", map[string]string{"known_hosts": known, "deploy-key": string(key)}, "127.0.0.1:22\n", r.sshd.Address()+"\n",
		"127.0.0.1:12222", fmt.Sprintf("127.0.0.1:%d", port), "user: deploy", "user: "+r.sshd.User)
	pub, err := os.ReadFile(filepath.Join(g.dir, "data", "keys", "ssh_host_ed25519.pub"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", port, pub))
	r.port = port
	token := g.token("ops")
	if out, errs, code := r.ssh(token, "", "echo hello | grep hell"); code != 0 || strings.TrimSpace(out) != "hello" {
		t.Errorf("a command: %d %q %q", code, out, errs)
	}
	if out, errs, code := r.ssh(token, "", "ls; rm -rf /srv"); code == 0 || out != "" || !strings.Contains(errs, "nothing-is-removed") {
		t.Errorf("rm: %d %q %q", code, out, errs)
	}
}
