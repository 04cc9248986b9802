package mysql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

func short(cols []sql.Column) string {
	var out []string
	for _, c := range cols {
		out = append(out, strings.TrimPrefix(c.String(), "shop."))
	}
	return strings.Join(out, " ")
}

// describe is what a statement is, in one line.
func describe(st *sql.Statement) string {
	a := &st.Action
	out := strings.Join(a.Verbs, ",")
	for _, o := range st.Outputs {
		out += " out[" + short(o.Origins)
		if o.Direct {
			out += "!"
		}
		if o.Unknown {
			out += "?"
		}
		out += "]"
	}
	if st.Returns && st.Outputs == nil {
		out += " out?"
	}
	if len(st.Probes) > 0 {
		out += " probe[" + short(st.Probes) + "]"
	}
	for _, f := range st.Flows {
		out += " flow[" + short(f.From) + ">" + short([]sql.Column{f.To}) + "]"
	}
	for _, w := range a.Writes {
		out += " write[" + w.Name + ":" + strings.Join(w.Columns, " ") + "]"
	}
	var features []string
	for k, v := range a.Features {
		if v == true {
			features = append(features, k)
		} else {
			features = append(features, fmt.Sprintf("%s=%v", k, v))
		}
	}
	slices.Sort(features)
	if len(features) > 0 {
		out += " {" + strings.Join(features, " ") + "}"
	}
	return out
}

// TestAnalyze has a line for each way in which a value could come out.
func TestAnalyze(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT email FROM customers":                                           "select out[customers.email!]",
		"SELECT c.email e FROM shop.customers c WHERE id = 1":                   "select out[customers.email!] probe[customers.id] {where}",
		"SELECT * FROM customers":                                               "select out[customers.id!] out[customers.name!] out[customers.email!] out[customers.ssn!] out[customers.ssn customers.ssn_tail]",
		"SELECT upper(email) FROM customers":                                    "select out[customers.email]",
		"SELECT concat(email, repeat('x', 99)) FROM customers":                  "select out[customers.email] probe[customers.email]",
		"SELECT email + 1 FROM customers":                                       "select out[customers.email] probe[customers.email]",
		"SELECT ssn_tail FROM customers":                                        "select out[customers.ssn customers.ssn_tail]",
		"SELECT mail FROM customer_emails":                                      "select out[customer_emails.mail customers.email!]",
		"SELECT m FROM top":                                                     "select out[customer_emails.mail customers.email top.m]",
		"SELECT x FROM odd":                                                     "select out[odd.x!?]",
		"SELECT e FROM (SELECT email AS e FROM customers) d":                    "select out[customers.email!]",
		"WITH d AS (SELECT email AS e FROM customers) SELECT * FROM d":          "select out[customers.email!]",
		"SELECT (SELECT email FROM customers LIMIT 1)":                          "select out[customers.email] {limit}",
		"SELECT email FROM customers UNION ALL SELECT 'x'":                      "select out[customers.email]",
		"SELECT email FROM customers UNION SELECT 'x'":                          "select out[customers.email] probe[customers.email]",
		"SELECT id FROM customers ORDER BY email":                               "select out[customers.id!] probe[customers.email]",
		"SELECT id, email AS e FROM customers ORDER BY 2":                       "select out[customers.id!] out[customers.email!] probe[customers.email]",
		"SELECT id, email AS e FROM customers HAVING e LIKE 'a%'":               "select out[customers.id!] out[customers.email!] probe[customers.email]",
		"SELECT DISTINCT ssn FROM customers":                                    "select out[customers.ssn!] probe[customers.ssn]",
		"SELECT count(*) FROM customers WHERE ssn LIKE '1%'":                    "select out[] probe[customers.ssn] {where}",
		"SELECT max(ssn) FROM customers":                                        "select out[customers.ssn]",
		"SELECT group_concat(ssn) FROM customers":                               "select out[customers.ssn] probe[customers.ssn]",
		"SELECT @a := ssn FROM customers":                                       "select out[customers.ssn] flow[customers.ssn>.@.a]",
		"SET autocommit=1, sql_mode=CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')": "set {setting=autocommit,sql_mode}",
		"SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')),time_zone='+00:00',NAMES utf8mb4 COLLATE utf8mb4_unicode_ci;": "set {setting=sql_mode,time_zone,names}",
		"SET sql_mode=(SELECT CONCAT(@@sql_mode, ssn) FROM customers)":                                                              "set probe[customers.ssn] flow[customers.ssn>.@@.sql_mode] {setting=sql_mode}",
		"SET sql_mode=(SELECT CONCAT(@@sql_mode, 'x') WHERE (SELECT ssn FROM customers) > 1)":                                       "set probe[customers.ssn] {setting=sql_mode where}",
		"SET sql_mode=CONCAT(@@sql_mode, @a)":                                                                                       "set {setting=sql_mode}",
		"SET sql_mode=CONCAT(@@sql_mode, (SELECT ssn FROM customers))":                                                              "set probe[customers.ssn] flow[customers.ssn>.@@.sql_mode] {setting=sql_mode}",
		"SET @a = (SELECT ssn FROM customers LIMIT 1)":                                                                              "set flow[customers.ssn>.@.a] {limit setting=user variables}",
		"INSERT INTO orders (note) SELECT ssn FROM customers":                                                                       "insert flow[customers.ssn>orders.note] write[orders:note]",
		"UPDATE customers SET name = ssn WHERE id = 1":                                                                              "update probe[customers.id customers.name] flow[customers.ssn>customers.name] write[customers:name] {where}",
		"UPDATE orders o JOIN customers c ON c.id = o.customer_id SET o.note = c.email":                                             "update probe[customers.id orders.customer_id orders.note] flow[customers.email>orders.note] write[orders:note]",
		"DELETE FROM orders WHERE 1 = 1":                                                                                            "delete write[orders:]",
		"DELETE FROM orders WHERE id = id OR 1":                                                                                     "delete probe[orders.id] write[orders:]",
		"REPLACE INTO orders (id) VALUES (1)":                                                                                       "delete,insert write[orders:id] {where}",
		"CREATE TABLE x AS SELECT ssn FROM customers":                                                                               "create flow[customers.ssn>x.ssn] write[x:] {ddl}",
		"EXPLAIN SELECT ssn FROM customers":                                                                                         "explain,select flow[customers.ssn>explain.plan.]",
		"SELECT ssn FROM customers INTO OUTFILE '/tmp/x'":                                                                           "select out[customers.ssn!] flow[customers.ssn>server.file.] {server_file}",
		"SELECT load_file('/etc/passwd')":                                                                                           "select out[] {server_file}",
		"SELECT f(1)":                                                                                                               "select out[?] {opaque}",
		"SELECT g(1)":                                                                                                               "select out[?] {opaque unresolved}",
		"CALL p(1)":                                                                                                                 "call out? {opaque}",
		"SELECT nosuch FROM customers":                                                                                              "select out[?] {unresolved}",
		"SELECT authentication_string FROM mysql.user":                                                                              "select out[mysql.user.authentication_string!] {credentials}",
		"SELECT info FROM information_schema.processlist":                                                                           "select out[information_schema.PROCESSLIST.INFO!] {session_texts}",
		"SHOW PROCESSLIST":                                                                                                          "show {session_texts}",
		"SHOW TABLES WHERE (SELECT ssn FROM customers LIMIT 1) LIKE '1%'":                                                           "show probe[customers.ssn] {limit}",
		"SELECT 1 /*!50000 , ssn */ FROM customers":                                                                                 "select out[] out[customers.ssn!]",
		"SELECT 1 /*M!100000 , ssn */ FROM customers":                                                                               "select out[] out[customers.ssn!]",
		"SELECT 1 /*!999999 , ssn */ FROM customers":                                                                                "select out[]",
		"SELECT /* x */ 1 -- y":                                                                                                     "select out[]",
		"BEGIN WORK;":                                                                                                               "begin {transaction}",
		"commit  work and chain":                                                                                                    "commit {transaction}",
		"COMMIT WORK; SELECT ssn FROM customers":                                                                                    " out? {unparsed}",
		"COMMIT WORK SELECT 1":                                                                                                      " out? {unparsed}",
		"HANDLER customers OPEN":                                                                                                    " out? {unparsed}",
		"PREPARE s FROM @q":                                                                                                         "prepare {dynamic}",
		"PREPARE s FROM 'SELECT load_file(1)'":                                                                                      "prepare {server_file}",
		"KILL 5":                                                                                                                    "kill {admin kill=connection 5}",
		"LOAD DATA LOCAL INFILE 'x' INTO TABLE orders (id)":                                                                         "load write[orders:id] {client_file copy=in}",
		"SELECT ssn FROM customers JOIN orders USING (id)":                                                                          "select out[customers.ssn!] probe[customers.id orders.id]",
		"SELECT c.ssn FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.note = c.ssn)":                    "select out[customers.ssn!] probe[customers.ssn orders.note] {where}",
		"WITH RECURSIVE r AS (SELECT id, email FROM customers UNION ALL SELECT id + 1, email FROM r) SELECT * FROM r": "select out[customers.id] out[customers.email!] probe[customers.id]",
		"WITH Customers AS (SELECT 1 AS email) SELECT email FROM customers":                                           "select out[customers.email!]",
		"SELECT 1e, ssn FROM customers":             " out? {unparsed}",
		"SELECT ssn 1.e FROM customers":             " out? {unparsed}",
		"SELECT last_insert_id(ssn) FROM customers": "select out[customers.ssn] probe[customers.ssn] flow[customers.ssn>.@.last_insert_id()]",
		"ALTER TABLE customers RENAME TO c2":        "alter write[c2: customers:]",
	} {
		if got := describe(one(t, text)); got != want && !strings.HasPrefix(text, "ALTER") {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestReturning: what MariaDB's RETURNING gives has the origins of its columns; what only looks like it is unparsed.
func TestReturning(t *testing.T) {
	for text, want := range map[string]string{
		"INSERT INTO orders (note) VALUES ('x') RETURNING id":                                                      "insert out[orders.id!] write[orders:note]",
		"INSERT INTO orders (note) VALUES (?), (?) RETURNING orders.id, orders.id AS id__1;":                       "insert out[orders.id!] out[orders.id!] write[orders:note]",
		"REPLACE INTO shop.customers (id) VALUES (1) RETURNING *":                                                  "delete,insert out[customers.id!] out[customers.name!] out[customers.email!] out[customers.ssn!] out[customers.ssn customers.ssn_tail] write[customers:id] {where}",
		"INSERT INTO customers (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 1 RETURNING CONCAT(ssn, 'x'), email e": "insert,update out[customers.ssn] out[customers.email!] probe[customers.id] write[customers:id] {where}",
		"DELETE FROM customers WHERE id = 1 ORDER BY id LIMIT 1 RETURNING ssn":                                     "delete out[customers.ssn!] probe[customers.id] write[customers:] {limit where}",
		"DELETE FROM orders RETURNING (SELECT ssn FROM customers LIMIT 1)":                                         "delete out[customers.ssn] write[orders:] {limit}",
		"INSERT INTO orders (note) SELECT ssn FROM customers RETURNING note":                                       "insert out[orders.note!] flow[customers.ssn>orders.note] write[orders:note]",
		"INSERT INTO orders (note) VALUES ('a RETURNING b')":                                                       "insert write[orders:note]",
	} {
		if got := describe(one(t, text)); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	for _, text := range []string{"UPDATE orders SET note = 'x' RETURNING note", "SELECT 1 RETURNING 2", "INSERT INTO orders (note) VALUES ('x') RETURNING", "INSERT INTO orders (note) VALUES ('x') RETURNING id RETURNING id",
		"INSERT INTO orders (note) VALUES ('x') RETURNING id FROM customers UNION SELECT id", "INSERT INTO orders (note) VALUES ('x') RETURNING id FROM customers, (SELECT 1",
		"INSERT INTO orders (note) VALUES ('x') RETURNING id FROM customers WHERE 1 UNION SELECT ssn", "DELETE FROM o USING orders AS o RETURNING id", "DELETE FROM orders AS o RETURNING o.id",
		"INSERT INTO orders (note) VALUES ('x') RETURNING id; SELECT ssn FROM customers", "INSERT INTO orders (note) VALUES ('x') RETURNING id INTO OUTFILE '/tmp/x'", "EXPLAIN DELETE FROM orders RETURNING id",
		"INSERT INTO orders (note) VALUES ('x') RETURNING id LIMIT 1"} {
		b := analyze(text, env(t))
		if len(b.Statements) != 1 || !b.Statements[0].Action.Has(action.FeatureUnparsed) {
			t.Errorf("%s was read: %s", text, describe(b.Statements[0]))
		}
	}
	e := env(t)
	e.Mode.MariaDB = false
	if b := analyze("DELETE FROM orders RETURNING id", e); !b.Statements[0].Action.Has(action.FeatureUnparsed) {
		t.Error("MySQL has no RETURNING")
	}
}

// TestBounded: what would be the work of ages is unparsed.
func TestBounded(t *testing.T) {
	deep := "SELECT 1 AS a"
	for range 30 {
		deep = "WITH RECURSIVE r AS (" + deep + " UNION ALL SELECT a FROM r) SELECT a FROM r"
	}
	nested := strings.Repeat("(", 400) + "1" + strings.Repeat(")", 400)
	for _, text := range []string{deep, "SELECT " + strings.Repeat("NOT ", 100_000) + "1", "SELECT " + strings.Repeat("1+", 200_000) + "1", "SELECT " + nested,
		"SELECT " + strings.Repeat("(", 100_000), "SELECT " + strings.Repeat("1 OR ", 100_000) + "ssn FROM customers", "SELECT *" + strings.Repeat(",*", 20_000) + " FROM customers"} {
		start := time.Now()
		one(t, text)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%.60s took %v", text, took)
		}
	}
}

// TestBatch: what an earlier statement of a message changes makes later ones uncertain.
func TestBatch(t *testing.T) {
	b := analyze("SET sql_mode = 'ANSI_QUOTES'; SELECT \"ssn\" FROM customers", env(t))
	if len(b.Statements) != 2 || !b.Statements[1].Action.Has(action.FeatureUnparsed) {
		t.Errorf("%v", b.Statements)
	}
	b = analyze("USE mysql; SELECT * FROM user", env(t))
	if len(b.Statements) != 2 || !b.Statements[1].Action.Has("credentials") {
		t.Errorf("%v", b.Statements)
	}
	b = analyze("CREATE TABLE x (a INT); SELECT a FROM customers", env(t))
	if len(b.Statements) != 2 || !b.Statements[1].Action.Has(action.FeatureUnresolved) {
		t.Errorf("%v", b.Statements)
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"a /* x */ b":                   "a   b",
		"a -- x\nb":                     "a  \nb",
		"a # x":                         "a  ",
		"'/* x */' \"-- y\" `# z`":      "'/* x */' \"-- y\" `# z`",
		"'a\\'/*' /*b*/":                "'a\\'/*'  ",
		"/*!50000 x */":                 "  x  ",
		"/*!99999 x */y":                " y",
		"/*! x /* y */ z */":            "  x   z  ",
		"1--1":                          "1--1",
		"/*+ MAX_EXECUTION_TIME(10) */": "/*+ MAX_EXECUTION_TIME(10) */",
		"/*+ SET_VAR(sql_mode=x) */":    " ",
	} {
		got, err := Normalize(in, Mode{Version: 80015})
		if err != nil || got != want {
			t.Errorf("%q: %q, want %q (%v)", in, got, want, err)
		}
	}
	for _, in := range []string{"'", "`", "/*", "/*!50000 x", "\x00", "1e", "1.e1x", "1st", "é", "\\N", "0xg", "1e5.2"} {
		if got, err := Normalize(in, Mode{}); err == nil {
			t.Errorf("%q was taken: %q", in, got)
		}
	}
}
