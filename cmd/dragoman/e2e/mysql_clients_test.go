package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/mysqlserver"
	"dragoman.dev/dragoman/internal/pgclients"
)

// TestMySQLClients runs the client libraries of Python, what stands on them, and those of Node.js and Java, with and without TLS.
func TestMySQLClients(t *testing.T) {
	ctx := context.Background()
	python, err := pgclients.MySQLPython(ctx, filepath.Join(repo, ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	node, err := pgclients.MySQLNode(ctx, filepath.Join(repo, ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	jars := mysqlJava(t)
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		for _, tls := range []string{"0", "1"} {
			t.Run(string(kind)+"/tls-"+tls, func(t *testing.T) {
				s := mysqlServer(t, mysqlserver.Options{Kind: kind, SQL: mysqlUser})
				mysqlExec(t, mysqlRoot(t, s, ""), mysqlShop+"CREATE TABLE loaded (a INT);")
				port := freePort(t)
				files := map[string]string{"shop-password": "app-secret\n", "policy/rules.yaml": mysqlRules}
				var more []string
				if tls == "1" {
					gw := newAuthority(t, "gw CA").issue("gw", "gw.test")
					files["gw.crt"], files["gw.key"] = gw.Cert, gw.Key
					more = []string{"tls:", "  client: {cert: gw.crt, key: gw.key}"}
				}
				g := newGateway(t, setup{Config: "targets:\n" + mysqlTarget("shop", port, s, more...) + "policy:\n  dir: policy\n", Files: files}).start()
				token := g.token("writers")
				for _, c := range []struct {
					env  string
					args []string
				}{
					{"PYTHONPATH=" + python, []string{"python3", "testdata/mysql_clients.py", "pymysql", fmt.Sprint(port), token, tls}},
					{"PYTHONPATH=" + python, []string{"python3", "testdata/mysql_clients.py", "connector", fmt.Sprint(port), token, tls}},
					{"PYTHONPATH=" + python, []string{"python3", "testdata/mysql_orms.py", fmt.Sprint(port), token}},
					{"NODE_PATH=" + node, []string{"node", "testdata/mysql_clients.js", fmt.Sprint(port), token, tls}},
					{"CLASSPATH=" + jars, []string{"java", "-XX:TieredStopAtLevel=1", "MySQLJdbc", "mysql", fmt.Sprint(port), token, tls, string(kind)}},
					{"CLASSPATH=" + jars, []string{"java", "-XX:TieredStopAtLevel=1", "MySQLJdbc", "mariadb", fmt.Sprint(port), token, tls, string(kind)}},
				} {
					if tls == "0" && (c.args[2] == "connector" || c.args[0] == "java" || strings.Contains(c.args[1], "orms")) {
						continue // they send no password without TLS
					}
					ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
					cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
					cmd.Env = append(os.Environ(), c.env)
					out, err := cmd.CombinedOutput()
					cancel()
					if err != nil || !strings.Contains(string(out), "ok ") {
						t.Errorf("%v: %v\n%s", c.args[:2], err, out)
					}
				}
			})
		}
	}
}

// mysqlJava compiles the program that uses the JDBC drivers, and gives its class path.
func mysqlJava(t *testing.T) string {
	t.Helper()
	jars, err := pgclients.MySQLJDBC(t.Context(), filepath.Join(repo, ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "javac", "-d", classes, "testdata/clients/MySQLJdbc.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return classes + ":" + jars
}
