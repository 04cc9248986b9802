package e2e

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

// TestMySQLDifferential: under a policy that allows everything and masks nothing, a script gives through the gateway, byte for
// byte, what it gives direct: values, columns, errors, counts of rows and warnings.
func TestMySQLDifferential(t *testing.T) {
	text, err := os.ReadFile(mysqlOrdinary + "/analyst.sql")
	if err != nil {
		t.Fatal(err)
	}
	script := strings.Split(strings.TrimSpace(string(text)), ";\n")
	script = append(script, mysqlDifferential...)
	for _, kind := range []mysqlserver.Kind{mysqlserver.MariaDB, mysqlserver.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			s := mysqlServer(t, mysqlserver.Options{Kind: kind, SQL: mysqlUser})
			root := mysqlRoot(t, s, "")
			setupSQL, err := os.ReadFile(mysqlCorpus + "/setup.sql")
			if err != nil {
				t.Fatal(err)
			}
			fresh := func() {
				mysqlExec(t, root, "SET GLOBAL log_bin_trust_function_creators=1; DROP DATABASE IF EXISTS corpus;"+string(setupSQL)+mysqlTypes)
				mysqlAnalyze(t, root, "corpus")
			}
			fresh()
			port := freePort(t)
			g := newGateway(t, setup{Config: "targets:\n" + mysqlTarget("all", port, s, "audit: {comment: false}") + "policy:\n  dir: policy\n",
				Files: map[string]string{"all-password": "app-secret\n", "policy/rules.yaml": mysqlAllowAll}}).start()
			through := mysqlPlace{Port: port, Password: g.token("writers"), Database: "corpus"}
			differing := 0
			for _, params := range []string{"interpolateParams=true", ""} {
				fresh()
				a, err := sql.Open("mysql", fmt.Sprintf("app:app-secret@tcp(%s)/corpus?%s", s.Addr(), params))
				if err != nil {
					t.Fatal(err)
				}
				a.SetMaxOpenConns(1)
				var want []string
				for _, q := range script {
					want = append(want, transcript(a, q, params == ""))
				}
				a.Close()
				fresh()
				b := through.connect(t, params)
				for i, q := range script {
					want, got := want[i], transcript(b, q, params == "")
					if volatileQuery(q) {
						want, got = firstWord(want), firstWord(got)
					}
					if got != want {
						differing++
						t.Errorf("%s\ndirect  %s\nthrough %s", q, want, got)
					}
				}
				b.Close()
			}
			t.Logf("%d statements, as text and prepared: %d differ", len(script), differing)
			fresh()
			mysqlPrograms(t, s, root, through)
		})
	}
}

const mysqlAllowAll = `rules:
  - name: all
    verdict: allow
    when: {groups: [writers]}
    features_allowed: [unparsed, unresolved, unknown_statement, dynamic, opaque, role, admin, server_file, credentials]
`

var mysqlDifferential = []string{"SELECT * FROM types", "CALL two()", "SELECT shout('x')", "SELECT nosuch FROM orders", "SELEC 1", "SELECT 1/0, 'a'+1", "SHOW WARNINGS",
	"INSERT INTO notes (body) VALUES ('a'),('b'),(NULL)", "SELECT ROW_COUNT()", "SELECT LAST_INSERT_ID()", "UPDATE notes SET body = 'c' WHERE id > 0", "DELETE FROM notes WHERE id = 2",
	"SELECT * FROM notes", "INSERT INTO notes (id) VALUES (1)", "TRUNCATE notes", "CREATE TABLE d1 (a INT, b TEXT)", "INSERT INTO d1 SELECT id, note FROM orders", "SELECT * FROM d1",
	"ALTER TABLE d1 ADD COLUMN c INT DEFAULT 7", "SELECT c FROM d1", "DROP TABLE d1", "SELECT * FROM d1", "CREATE TEMPORARY TABLE d2 (a INT)", "INSERT INTO d2 VALUES (5)", "SELECT a FROM d2",
	"DROP TEMPORARY TABLE d2", "SET @x = 5", "SELECT @x, @x := @x + 1", "SET sql_mode = 'ANSI_QUOTES'", `SELECT "id" FROM "orders"`, "SET sql_mode = ''", "SELECT REPEAT('x', 100000)",
	"HANDLER orders OPEN", "HANDLER orders READ FIRST", "HANDLER orders CLOSE", "CHECKSUM TABLE orders", "XA RECOVER", "INSERT INTO notes (body) VALUES ('r'), ('s') RETURNING id, CONCAT(body, '!') AS b",
	"REPLACE INTO notes (id, body) VALUES (1, 'x') RETURNING notes.body", "DELETE FROM notes WHERE body = 'r' RETURNING *", "BEGIN WORK", "COMMIT WORK AND CHAIN", "ROLLBACK WORK", "SELECT SLEEP(0)", "KILL 999999"}

// volatileQuery: answers that are another time another.
func volatileQuery(q string) bool {
	for _, w := range []string{"NOW()", "CONNECTION_ID", "UUID()", "SHOW TABLE STATUS", "STATUS LIKE", "EXPLAIN", "KILL", "SHOW GRANTS", "USER()", "SHOW FULL", "FUNCTION STATUS", "information_schema.",
		"SHOW INDEX", "SHOW KEYS", "PROCESSLIST"} { // the cardinality is an estimate that the server makes anew when it likes
		if strings.Contains(q, w) {
			return true
		}
	}
	return false
}

func firstWord(s string) string { return strings.SplitN(s, "\n", 2)[0] }

// transcript is all that a statement gives.
func transcript(db *sql.DB, q string, prepared bool) string {
	var rows *sql.Rows
	var err error
	if prepared {
		st, perr := db.Prepare(q)
		if perr != nil {
			return "prepare: " + perr.Error()
		}
		defer st.Close()
		rows, err = st.Query()
	} else {
		rows, err = db.Query(q)
	}
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	var out strings.Builder
	for {
		types, _ := rows.ColumnTypes()
		for _, c := range types {
			n, ok := c.Length()
			p, sc, ok2 := c.DecimalSize()
			null, _ := c.Nullable()
			fmt.Fprintf(&out, "%s %s %d %v %d %d %v %v|", c.Name(), c.DatabaseTypeName(), n, ok, p, sc, ok2, null)
		}
		out.WriteString("\n")
		for rows.Next() {
			vals := make([]sql.RawBytes, len(types))
			ptr := make([]any, len(types))
			for i := range vals {
				ptr[i] = &vals[i]
			}
			if err := rows.Scan(ptr...); err != nil {
				fmt.Fprintf(&out, "scan: %v", err)
			}
			fmt.Fprintf(&out, "%q\n", vals)
		}
		if !rows.NextResultSet() {
			break
		}
	}
	if err := rows.Err(); err != nil {
		fmt.Fprintf(&out, "error: %v", err)
	}
	return out.String()
}
