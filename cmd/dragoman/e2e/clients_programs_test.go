package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/pgclients"
	"dragoman.dev/dragoman/internal/pgserver"
)

var tools = filepath.Join(repo, ".tools")

// clientPrograms are whole clients in other languages; each knows itself what must come of its steps.
var clientPrograms = []struct {
	name string
	run  func(t *testing.T, p place, through bool)
}{
	{"psycopg", func(t *testing.T, p place, through bool) { python(t, p, through, "psycopg_client.py") }},
	{"asyncpg", func(t *testing.T, p place, through bool) { python(t, p, through, "asyncpg_client.py") }},
	{"node", func(t *testing.T, p place, through bool) {
		home, err := pgclients.Node(context.Background(), tools)
		if err != nil {
			t.Fatal(err)
		}
		program(t, p, through, []string{"NODE_PATH=" + home}, "node", "testdata/clients/pg_client.js")
	}},
	{"jdbc", func(t *testing.T, p place, through bool) {
		jar, err := pgclients.JDBC(context.Background(), tools)
		if err != nil {
			t.Fatal(err)
		}
		program(t, p, through, nil, "java", "-XX:TieredStopAtLevel=1", "-cp", jar, "testdata/clients/JdbcClient.java")
	}},
	{"pgbench", pgbench},
}

func python(t *testing.T, p place, through bool, script string) {
	home, err := pgclients.Python(context.Background(), tools)
	if err != nil {
		t.Fatal(err)
	}
	program(t, p, through, []string{"PYTHONPATH=" + home}, "python3", "testdata/clients/"+script)
}

// TestClients runs every client program direct, to prove the program, and then
// through the gateway, which has the newest server behind it and then an older one.
func TestClients(t *testing.T) {
	for _, version := range []string{pgserver.Newest, pgserver.V15} {
		t.Run("postgres-"+version, func(t *testing.T) {
			db := clientsDatabase(t, version)
			pgbenchTables(t, db)
			for _, c := range clientPrograms {
				if version == pgserver.Newest {
					t.Run("direct/"+c.name, func(t *testing.T) { c.run(t, direct(db), false) })
				}
			}
			execSQL(t, db, "clients", "TRUNCATE work")
			r := startRig(t, db, clientsRules)
			r.approver(t)
			for _, c := range clientPrograms {
				t.Run("gateway/"+c.name, func(t *testing.T) { c.run(t, r.place, true) })
			}
		})
	}
}

func pgbenchTables(t testing.TB, db *pgserver.Server) {
	t.Helper()
	runPgbench(t, direct(db), "-i", "-s", "1", "-q")
}

func runPgbench(t testing.TB, p place, args ...string) string {
	t.Helper()
	path, err := pgclients.Pgbench(context.Background(), tools)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(args, "-h", "127.0.0.1", "-p", fmt.Sprint(p.Port), "-U", p.User, p.Database)...)
	cmd.Env = append(cmd.Environ(), "PGPASSWORD="+p.Password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pgbench %v: %v\n%s", args, err, out)
	}
	return string(out)
}

var processed = regexp.MustCompile(`actually processed: (\d+)/(\d+)`)

func pgbench(t *testing.T, p place, _ bool) {
	for _, script := range []string{"tpcb-like", "select-only", "simple-update"} {
		for _, mode := range []string{"simple", "extended", "prepared"} {
			out := runPgbench(t, p, "-n", "-b", script, "-M", mode, "-c", "4", "-j", "1", "-t", "50")
			m := processed.FindStringSubmatch(out)
			if m == nil || m[1] != m[2] || !strings.Contains(out, "failed transactions: 0 ") {
				t.Errorf("pgbench %s %s:\n%s", script, mode, out)
			}
		}
	}
}
