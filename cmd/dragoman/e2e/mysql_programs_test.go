package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/mysqlserver"
)

// mysqlPrograms runs the programs that come with a server: a dump through the gateway is, byte for byte, the one that is made
// direct; piped back through it into another database, that one gives the same dump.
func mysqlPrograms(t *testing.T, s *mysqlserver.Server, root *sql.DB, through mysqlPlace) {
	direct := mysqlPlace{Port: s.Port, Password: "app-secret"}
	dump := func(p mysqlPlace, args ...string) string {
		return p.program(t, "mariadb-dump", "", append([]string{"--skip-comments", "--skip-dump-date"}, args...)...)
	}
	for _, args := range [][]string{{"corpus"}, {"--single-transaction", "--routines", "--triggers", "--hex-blob", "corpus"}, {"--databases", "corpus", "--skip-extended-insert"}, {"--no-data", "corpus", "orders"}} {
		if got, want := dump(through, args...), dump(direct, args...); got != want || !strings.Contains(got, "CREATE TABLE") {
			t.Errorf("mariadb-dump %v differs: %d bytes, direct %d", args, len(got), len(want))
		}
	}
	mysqlExec(t, root, "DROP DATABASE IF EXISTS again; CREATE DATABASE again")
	tables := []string{"orders", "notes", "types"}
	text := dump(through, append([]string{"corpus"}, tables...)...)
	through.program(t, "mariadb", text, "again")
	if got := dump(direct, append([]string{"again"}, tables...)...); got != text {
		t.Errorf("the dump of what was restored differs: %d bytes, %d were piped", len(got), len(text))
	}
	for args, want := range map[string]string{"mysqladmin ping": "is alive", "mysqladmin status": "Uptime", "mysqladmin version": "Server version", "mysqladmin processlist": "show processlist",
		"mysqlcheck --check corpus": "corpus.orders", "mysqlcheck --analyze corpus": "corpus.orders", "mariadb-show corpus orders": "customer_id"} {
		words := strings.Fields(args)
		if out := through.program(t, words[0], "", words[1:]...); !strings.Contains(out, want) {
			t.Errorf("%s: %s", args, out)
		}
	}
}

// program runs one of the client programs and gives what it prints.
func (p mysqlPlace) program(t testing.TB, name, in string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	user := "agent"
	if p.Password == "app-secret" {
		user = "app" // at the server itself
	}
	cmd := exec.CommandContext(ctx, name, append([]string{"--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", fmt.Sprint(p.Port), "-u", user}, args...)...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+p.Password, "LC_ALL=C")
	cmd.Stdin = strings.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, errs.String())
	}
	return out.String()
}
