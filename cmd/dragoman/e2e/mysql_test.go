package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

const mysqlShop = `CREATE DATABASE shop;
USE shop;
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50), email VARCHAR(100), ssn CHAR(11), card VARCHAR(20), balance DECIMAL(10,2), born DATE);
INSERT INTO customers VALUES (1,'Carla Nary','canaryperson@example.com','219-09-8731','4929123456789012',12.50,'1980-02-03'),(2,'Bob','bob@example.com','987-65-4321','5500000000000004',3.20,'1970-01-01');
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_id INT, total DECIMAL(10,2), note VARCHAR(200), UNIQUE KEY (note));
INSERT INTO orders (customer_id,total,note) VALUES (1,10.00,'first'),(2,20.00,'second'),(1,30.50,NULL);
CREATE VIEW contacts AS SELECT id, email AS mail FROM customers;
`

const mysqlRules = `rules:
  - name: analyst
    verdict: allow
    when: {groups: [analysts], verbs: [select, explain], tables: ["*.*"]}
  - name: writer
    verdict: allow
    when: {groups: [writers], verbs: [select, insert, update, delete, explain, do, create, drop, alter, lock], tables: ["*.*"]}
  - name: loaders
    verdict: allow
    features_allowed: [client_file]
    when: {groups: [loaders], verbs: [load], tables: ["shop.loaded"]}
  - name: big-deletes
    verdict: hold
    reason: deletes are looked at
    approvers: [dba]
    when: {groups: [writers], verbs: [delete], tables: ["shop.orders"]}
  - name: no-where
    verdict: block
    reason: it would change all rows
    when: {verbs: [update, delete], features: {where: false}}
masks:
  - name: ssn
    columns: ["shop.customers.ssn", "shop.customers.card"]
    way: redact
  - name: email
    columns: ["shop.customers.email"]
    way: partial
`

// mysqlGateway is a gateway before a server of the kind with the shop in it.
func mysqlGateway(t *testing.T, kind mysqlserver.Kind, more ...string) (*gateway, *mysqlserver.Server, int) {
	t.Helper()
	s := mysqlServer(t, mysqlserver.Options{Kind: kind, SQL: mysqlUser})
	mysqlExec(t, mysqlRoot(t, s, ""), mysqlShop)
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + mysqlTarget("shop", port, s, more...) + "policy:\n  dir: policy\n",
		Files:  map[string]string{"shop-password": "app-secret\n", "policy/rules.yaml": mysqlRules},
	}).start()
	return g, s, port
}

// TestMySQL is the thin path: a token in, rows out, masked, recorded, replayed.
func TestMySQL(t *testing.T) {
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			g, s, port := mysqlGateway(t, kind)
			p := mysqlPlace{Port: port, Password: g.token("analysts"), Database: "shop"}
			out := p.cli(t, "SELECT id, email, ssn, balance FROM customers ORDER BY id;\nSELECT note FROM orders WHERE id=1;\nDELETE FROM customers;\nSELECT * FROM contacts;\n", "-t")
			for _, want := range []string{"12.50", "first", "c***@example.com", "[redacted]", "ERROR 1142 (42000)"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q", want)
				}
			}
			if l := leak(out); l != "" {
				t.Errorf("leak: %s", l)
			}
			var list struct{ Sessions []struct{ ID string } }
			if err := json.Unmarshal([]byte(g.must("sessions", "list", "--json")), &list); err != nil || len(list.Sessions) != 1 {
				t.Fatal(err, list)
			}
			replay := g.must("sessions", "replay", list.Sessions[0].ID)
			for _, want := range []string{"c***@example.com", "[redacted]", "no-where", "user:alice@example.com"} {
				if !strings.Contains(replay, want) {
					t.Errorf("no %q in the replay", want)
				}
			}
			if l := leak(replay); l != "" {
				t.Errorf("leak in the record: %s", l)
			}
			if events, _ := g.exports(t, list.Sessions[0].ID, false, []string{"no-where", "customers", "alice@example.com"}, []string{"canaryperson", "219-09-8731", "app-secret", p.Password}); events < 5 {
				t.Error(events)
			}
			log, err := os.ReadFile(s.GeneralLog())
			if err != nil || !strings.Contains(string(log), "/*dragoman "+list.Sessions[0].ID+" user:alice@example.com>agent:ci-bot */ SELECT id") {
				t.Errorf("the target's log does not tell who asks: %v", err)
			}
			if strings.Contains(string(log), "DELETE FROM customers") {
				t.Error("the target saw what was refused")
			}
		})
	}
}
