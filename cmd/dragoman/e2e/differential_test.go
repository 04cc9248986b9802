package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/policy"
)

// allowAll lets everybody do everything, what cannot be parsed or resolved
// included. It is a policy folder's rules.yaml.
var allowAll = "rules:\n  - {name: everything, verdict: allow, features_allowed: [" +
	strings.Join(policy.DangerousFeatures(), ", ") + "]}\n"

// volatile is what differs between two runs of the same script anyway.
var volatile = []*regexp.Regexp{
	regexp.MustCompile(`LOCATION:.*`),
	regexp.MustCompile(`/\*dragoman[^*]*\*/ ?`),
	regexp.MustCompile(`pg_toast_\d+`),
	regexp.MustCompile(`server process with PID \d+|server process PID \d+`),
}

// TestDifferential runs every script direct and through the gateway with a
// policy that allows everything; both must print the same.
func TestDifferential(t *testing.T) {
	db := postgres(t, pgserver.Newest, pgserver.Options{})
	port := freePort(t)
	g := newGateway(t, setup{
		Config: "targets:\n" + target("pg", port, db, `""`) + "policy:\n  dir: policy\n",
		Files:  map[string]string{"pg-password": db.Password + "\n", "policy/rules.yaml": allowAll},
	}).start()
	through := place{Port: port, User: "postgres", Password: g.token("analysts")}
	direct := place{Port: db.Port, User: db.User, Password: db.Password, Extra: "application_name=psql"}
	scripts, err := filepath.Glob(repo + "/filters/postgres/testdata/differential/*.sql")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	differ := 0
	for _, path := range scripts {
		script, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".sql")
		want := normal(runScript(t, db, direct, string(script)))
		got := normal(runScript(t, db, through, string(script)))
		if want != got {
			differ++
			t.Errorf("%s differs\n--- direct\n%s\n--- through the gateway\n%s", name, want, got)
		}
	}
	t.Logf("%d scripts, %d differ", len(scripts), differ)
}

// runScript gives the script a fresh database.
func runScript(t *testing.T, db *pgserver.Server, p place, script string) string {
	execSQL(t, db, "postgres", "DROP DATABASE IF EXISTS diff WITH (FORCE)")
	execSQL(t, db, "postgres", "CREATE DATABASE diff")
	p.Database = "diff"
	return p.psql(t, script, "-e")
}

func normal(out string) string {
	for _, re := range volatile {
		out = re.ReplaceAllString(out, "")
	}
	return out
}
