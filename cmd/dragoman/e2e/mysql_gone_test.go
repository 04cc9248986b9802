package e2e

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/mysqlserver"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// TestMySQLClientGone: what runs for a client that goes away without a goodbye is ended at the target, also over TLS and at a
// port where clients need it: nothing of it is committed, and no session is left.
func TestMySQLClientGone(t *testing.T) {
	gw := newAuthority(t, "gw CA").issue("gw", "gw.test")
	files := map[string]string{"plain-password": "app-secret\n", "tls-password": "app-secret\n", "policy/rules.yaml": mysqlAllowAll, "gw.crt": gw.Cert, "gw.key": gw.Key}
	plain := mysqlServer(t, mysqlserver.Options{Kind: mysqlserver.MariaDB, SQL: mysqlUser})
	tls := mysqlServer(t, mysqlserver.Options{Kind: mysqlserver.MySQL, SQL: mysqlUser + "CREATE USER 'sha2tls'@'%' IDENTIFIED WITH caching_sha2_password BY 'app-secret' REQUIRE SSL;\nGRANT ALL ON *.* TO 'sha2tls'@'%';\n"})
	config, ports := "targets:\n", []int{freePort(t), freePort(t)}
	config += mysqlTarget("plain", ports[0], plain)
	config += strings.Replace(mysqlTarget("tls", ports[1], tls, "allow_cleartext: false", "tls:", "  client: {cert: gw.crt, key: gw.key}", "  upstream: {mode: require}"), "user: app", "user: sha2tls", 1)
	g := newGateway(t, setup{Config: config + "policy:\n  dir: policy\n", Files: files}).start()
	token := g.token("writers")
	for i, s := range []*mysqlserver.Server{plain, tls} {
		t.Run(string(s.Kind), func(t *testing.T) {
			root := mysqlRoot(t, s, "")
			root.SetMaxOpenConns(1) // of which the lock is
			mysqlExec(t, root, mysqlShop)
			mysqlExec(t, root, "LOCK TABLES shop.orders WRITE")
			clients := []func() error{}
			for _, text := range []string{"UPDATE shop.orders SET note = 'never'", "UPDATE shop.orders SET total = 0 WHERE id = 1; DELETE FROM shop.orders"} {
				p := mysqlPlace{Port: ports[i], Password: token, TLS: i == 1}
				if p.TLS {
					clients = append(clients, mysqlProgram(t, p, text))
					continue
				}
				r := rawConnect(t, p, wire.Offered)
				r.send(0, append([]byte{wire.ComQuery}, text...))
				clients = append(clients, r.c.Close)
			}
			watch := mysqlRoot(t, s, "")
			waitUntil(t, 60*time.Second, "both statements wait for the lock", func() bool { return len(mysqlRunning(t, watch)) == 2 })
			for _, leave := range clients {
				if err := leave(); err != nil {
					t.Error(err)
				}
			}
			waitUntil(t, 60*time.Second, "no session is left at the target", func() bool { return len(mysqlRunning(t, watch)) == 0 })
			mysqlExec(t, root, "UNLOCK TABLES")
			var n int
			if err := root.QueryRow("SELECT COUNT(*) FROM shop.orders WHERE total > 0 AND (note IS NULL OR note <> 'never')").Scan(&n); err != nil || n != 3 {
				t.Errorf("%v: %d of 3 rows are as they were", err, n)
			}
			if log, err := os.ReadFile(s.GeneralLog()); err != nil || strings.Count(string(log), "KILL ") != 2 || !strings.Contains(string(log), "user:alice@example.com>agent:ci-bot */ KILL ") {
				t.Errorf("the target was not asked: %v", err)
			}
		})
	}
}

// mysqlRunning are the statements on shop.orders that run for the gateway.
func mysqlRunning(t *testing.T, root *sql.DB) (list []string) {
	t.Helper()
	rows, err := root.Query("SELECT info FROM information_schema.processlist WHERE info LIKE '%shop.orders%' AND user <> 'root'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// mysqlProgram runs a statement in the mariadb program over TLS; what it gives kills the program.
func mysqlProgram(t *testing.T, p mysqlPlace, text string) (kill func() error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "mariadb", "--no-defaults", "--protocol=tcp", "--ssl", "-h", "127.0.0.1", "-P", fmt.Sprint(p.Port), "-u", "agent", "-e", text)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+p.Password)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() error {
		err := cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		return err
	}
}
