package e2e

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"dragoman.dev/dragoman/internal/mysqlserver"
	"dragoman.dev/dragoman/internal/notice"
)

// TestMySQLDriver uses the Go driver: prepared statements, binary rows, transactions, several results, long values.
func TestMySQLDriver(t *testing.T) {
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			g, s, port := mysqlGateway(t, kind, "estimates: true")
			mysqlExec(t, mysqlRoot(t, s, "shop"), mysqlTypes)
			p := mysqlPlace{Port: port, Password: g.token("writers"), Database: "shop"}
			for name, params := range map[string]string{"prepared": "multiStatements=true&maxAllowedPacket=0", "text": "interpolateParams=true&multiStatements=true&parseTime=false"} {
				t.Run(name, func(t *testing.T) {
					db := p.connect(t, params)
					driverRows(t, db)
					driverTypes(t, db, mysqlRoot(t, s, "shop"))
					driverWrites(t, db)
					driverSession(t, db)
					driverRefused(t, db)
				})
			}
			driverLong(t, p.connect(t, "maxAllowedPacket=0"))
			driverHold(t, g, p.connect(t, ""))
		})
	}
}

const mysqlTypes = `CREATE TABLE types (id INT PRIMARY KEY, ti TINYINT, si SMALLINT UNSIGNED, mi MEDIUMINT, bi BIGINT UNSIGNED, f FLOAT, d DOUBLE, dec1 DECIMAL(12,3),
 dt DATE, tm TIME(3), dtm DATETIME(6), ts TIMESTAMP NULL, y YEAR, c CHAR(5), v VARCHAR(50), b VARBINARY(20), tx TEXT, bl BLOB, e ENUM('a','b'), st SET('x','y'), bt BIT(9), js JSON);
INSERT INTO types VALUES (1,-5,65535,-8388608,18446744073709551615,1.5,-2.25,123456.789,'2024-02-29','-12:34:56.789','2024-02-29 01:02:03.000456','2020-01-01 00:00:00',2024,'abc','héllo',x'00ff','text','blob','b','x,y',b'100000001','{"a": 1}'),
 (2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE files (id INT PRIMARY KEY, body LONGBLOB);
CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 2 AS b, 3 AS c; END;
`

func driverRows(t *testing.T, db *sql.DB) {
	var id int
	var email, ssn, balance, born string
	err := db.QueryRow("SELECT id, email, ssn, balance, born FROM customers WHERE id = ?", 1).Scan(&id, &email, &ssn, &balance, &born)
	if err != nil || id != 1 || email != "c***@example.com" || ssn != "[redacted]" || balance != "12.50" || !strings.HasPrefix(born, "1980-02-03") {
		t.Errorf("%v %v %q %q %q %q", err, id, email, ssn, balance, born)
	}
	var up string
	if err := db.QueryRow("SELECT UPPER(email) FROM customers WHERE id = ?", 1).Scan(&up); err != nil || up != "[redacted]" {
		t.Errorf("%v %q", err, up)
	}
}

// driverTypes compares every type with what the server says itself.
func driverTypes(t *testing.T, db, root *sql.DB) {
	read := func(db *sql.DB) string {
		rows, err := db.Query("SELECT * FROM types WHERE id > ? ORDER BY id", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		cols, _ := rows.Columns()
		var out strings.Builder
		for rows.Next() {
			vals := make([]sql.RawBytes, len(cols))
			ptr := make([]any, len(cols))
			for i := range vals {
				ptr[i] = &vals[i]
			}
			if err := rows.Scan(ptr...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%q\n", vals)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got, want := read(db), read(root); got != want {
		t.Errorf("types\n got %s\nwant %s", got, want)
	}
}

func driverWrites(t *testing.T, db *sql.DB) {
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	res, err := tx.Exec("INSERT INTO orders (customer_id, total, note) VALUES (?, ?, ?), (?, ?, NULL)", 2, "99.50", "O'Brien \\ \"x\" — é", 2, 1.25)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := res.RowsAffected(); n != 2 {
		t.Errorf("%d rows", n)
	}
	id, _ := res.LastInsertId()
	var note string
	if err := tx.QueryRow("SELECT note FROM orders WHERE id = ?", id).Scan(&note); err != nil || note != "O'Brien \\ \"x\" — é" {
		t.Errorf("%v %q", err, note)
	}
	if _, err := tx.Exec("UPDATE orders SET total = total + 1 WHERE id = ?", id); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM orders WHERE id >= ?", id).Scan(&n); err != nil || n != 0 {
		t.Errorf("%v %d", err, n)
	}
	// The error of a unique key is about a table without masked columns: it is told.
	_, err = db.Exec("INSERT INTO orders (note) VALUES (?)", "first")
	var said *driver.MySQLError
	if !errors.As(err, &said) || said.Number != 1062 || !strings.Contains(said.Message, "'first'") {
		t.Errorf("%v", err)
	}
	// One about a table with masked columns is not.
	_, err = db.Exec("INSERT INTO customers (id, name) VALUES (?, ?)", 1, "x")
	if !errors.As(err, &said) || said.Number != 1062 || strings.Contains(said.Message, "'1'") {
		t.Errorf("%v", err)
	}
}

func driverSession(t *testing.T, db *sql.DB) {
	ctx := context.Background()
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, text := range []string{"SET NAMES utf8mb4", "SET @a = 5", "USE shop", "SET autocommit = 1", "CREATE TEMPORARY TABLE tmp1 (a INT, b VARCHAR(10))",
		"INSERT INTO tmp1 VALUES (1, 'x')", "SELECT a, b FROM tmp1", "DROP TEMPORARY TABLE tmp1", "CREATE TABLE made (a INT)", "INSERT INTO made VALUES (1)",
		"SELECT a FROM made", "DROP TABLE made", "SHOW TABLES", "DESCRIBE orders", "EXPLAIN SELECT * FROM orders", "SHOW WARNINGS",
		"SET SESSION sql_mode = 'ANSI_QUOTES'", `SELECT "note" FROM "orders"`, "SET SESSION sql_mode = ''", "SELECT 1 /* c */ -- d", "PREPARE s FROM 'SELECT id, email FROM customers'",
		"EXECUTE s", "DEALLOCATE PREPARE s", "LOCK TABLES orders READ", "UNLOCK TABLES"} {
		rows, err := c.QueryContext(ctx, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		rows.Close()
	}
	rows, err := c.QueryContext(ctx, "SELECT 1; SELECT email FROM customers WHERE id = 1; SELECT 3")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		for rows.Next() {
			var v string
			if err := rows.Scan(&v); err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		if !rows.NextResultSet() {
			break
		}
	}
	rows.Close()
	if strings.Join(got, " ") != "1 c***@example.com 3" {
		t.Errorf("several results: %v", got)
	}
}

// driverRefused: what is refused leaves the connection usable.
func driverRefused(t *testing.T, db *sql.DB) {
	for _, text := range []string{"SELECT id FROM customers WHERE ssn LIKE '2%'", "SELECT ssn INTO OUTFILE '/tmp/x' FROM customers", "CALL two()", "SELECT * FROM mysql.user",
		"DELETE FROM customers", "SELECT 1; DROP TABLE orders; UPDATE orders SET total = 0", "SELEC 1", "HANDLER customers OPEN", "SELECT * FROM customers ORDER BY email",
		"INSERT INTO orders (note) SELECT ssn FROM customers", "GRANT ALL ON *.* TO 'x'", "SET GLOBAL general_log = 0", "SELECT LOAD_FILE('/etc/passwd')"} {
		_, err := db.Exec(text)
		var said *driver.MySQLError
		if !errors.As(err, &said) || said.Number != 1142 || !strings.Contains(said.Message, "rule: ") {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if n, ok := notice.Parse(said.Message); !ok || n.Code != notice.Blocked {
			t.Errorf("%s: programs are told %+v", text, n)
		}
	}
	var n int
	if err := db.QueryRow("SELECT 7").Scan(&n); err != nil || n != 7 {
		t.Errorf("after refusals: %v", err)
	}
}

// driverLong writes and reads values over 16 MiB.
func driverLong(t *testing.T, db *sql.DB) {
	body := make([]byte, 20<<20)
	rand.Read(body)
	if _, err := db.Exec("INSERT INTO files VALUES (?, ?)", 1, body); err != nil {
		t.Fatal(err)
	}
	var got []byte
	if err := db.QueryRow("SELECT body FROM files WHERE id = ?", 1).Scan(&got); err != nil || string(got) != string(body) {
		t.Errorf("20 MiB came back as %d bytes: %v", len(got), err)
	}
}

// driverHold: a statement waits for people, runs when they approve, and fails when they do not.
func driverHold(t *testing.T, g *gateway, db *sql.DB) {
	for _, approve := range []bool{true, false} {
		done := make(chan error, 1)
		go func() {
			_, err := db.Exec("DELETE FROM orders WHERE id = ?", 3)
			done <- err
		}()
		id := ""
		waitUntil(t, 60*time.Second, "it is held", func() bool {
			_, rest, ok := strings.Cut(g.must("approvals", "list", "--json"), `"hld_`)
			if ok {
				id = "hld_" + rest[:strings.Index(rest, `"`)]
			}
			return ok
		})
		if approve {
			awaitEstimate(t, g, id, "deletes about 1 row; reads shop.orders by ")
			g.must("approvals", "approve", id, "--as", "user:dana@example.com", "--group", "dba")
		} else {
			g.must("approvals", "deny", id, "--as", "user:dana@example.com", "--group", "dba", "--reason", "not today")
		}
		err := <-done
		var said *driver.MySQLError
		if approve && err != nil || !approve && (!errors.As(err, &said) || !strings.Contains(said.Message, "not today") || !strings.Contains(said.Message, id)) {
			t.Errorf("approve %v: %v", approve, err)
		}
		if n, ok := notice.Parse(fmt.Sprint(err)); !approve && (!ok || n.Code != notice.Denied || n.Hold != id) {
			t.Errorf("programs are told %+v", n)
		}
	}
}
