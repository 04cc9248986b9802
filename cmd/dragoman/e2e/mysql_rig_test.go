package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

// mysqlServer starts a server of the kind and stops it with the test.
func mysqlServer(t testing.TB, o mysqlserver.Options) *mysqlserver.Server {
	t.Helper()
	home, err := mysqlserver.Ensure(context.Background(), filepath.Join(repo, ".tools"), o.Kind)
	if err != nil {
		t.Fatal(err)
	}
	o.Home = home
	s, err := mysqlserver.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// mysqlTarget is the YAML of one MySQL target; its user is "app", as which the gateway logs in.
func mysqlTarget(name string, port int, s *mysqlserver.Server, more ...string) string {
	text := fmt.Sprintf("  - name: %s\n    protocol: mysql\n    address: %s\n    listen: 127.0.0.1:%d\n    credentials:\n      user: app\n      password: file:%s-password\n",
		name, s.Addr(), port, name)
	for _, line := range more {
		text += "    " + line + "\n"
	}
	return text
}

// mysqlUser makes the user as which the gateway logs in.
const mysqlUser = "CREATE USER 'app'@'%' IDENTIFIED BY 'app-secret';\nGRANT ALL ON *.* TO 'app'@'%' WITH GRANT OPTION;\n"

// mysqlRoot is a connection to the server itself, as root.
func mysqlRoot(t testing.TB, s *mysqlserver.Server, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", "root:root@unix("+s.Socket()+")/"+database+"?multiStatements=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func mysqlExec(t testing.TB, db *sql.DB, script string) {
	t.Helper()
	if _, err := db.Exec(script); err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
}

// mysqlAnalyze has the statistics of a database's tables made once: the server does not make them anew by itself, so that plans,
// and the order of rows that follows from them, are the same each time.
func mysqlAnalyze(t testing.TB, root *sql.DB, database string) {
	t.Helper()
	var tables string
	if err := root.QueryRow("SELECT GROUP_CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
		database).Scan(&tables); err != nil {
		t.Fatal(err)
	}
	mysqlExec(t, root, "ANALYZE TABLE "+tables)
}

// mysqlPlace is where a client connects to and as whom.
type mysqlPlace struct {
	Port     int
	Password string
	Database string
	TLS      bool
}

// cli runs a script in the mariadb program and gives stdout and stderr as they came.
func (p mysqlPlace) cli(t testing.TB, script string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	base := []string{"--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", fmt.Sprint(p.Port), "-u", "agent", "--force", "--comments"}
	if p.TLS {
		base = append(base, "--ssl")
	}
	if p.Database != "" {
		base = append(base, "-D", p.Database)
	}
	cmd := exec.CommandContext(ctx, "mariadb", append(base, args...)...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+p.Password, "LC_ALL=C")
	cmd.Stdin = strings.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && ctx.Err() != nil {
		t.Errorf("mariadb did not end: %v\n%s", err, out.String())
	}
	return out.String()
}

// dsn is for go-sql-driver.
func (p mysqlPlace) dsn(params string) string {
	s := fmt.Sprintf("agent:%s@tcp(127.0.0.1:%d)/%s?allowCleartextPasswords=true&timeout=20s", p.Password, p.Port, p.Database)
	if p.TLS {
		s += "&tls=skip-verify"
	}
	if params != "" {
		s += "&" + params
	}
	return s
}

// connect opens a pool of one connection.
func (p mysqlPlace) connect(t testing.TB, params string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", p.dsn(params))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}
