package e2e

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestPsql is what people do with psql beside statements: its own commands must
// print what they print direct, as they only read catalogs.
func TestPsql(t *testing.T) {
	db := clientsDatabase(t, pgserver.V15) // as old as the psql of most distributions
	r := startRig(t, db, clientsRules)
	same := direct(db)
	same.Extra = "application_name=psql"
	for _, command := range []string{`\d`, `\d people`, `\d+ work`, `\dt`, `\di`, `\ds`, `\dn`, `\df`, `\dT`, `\dp people`, `\dx`, `\l`, `\encoding`,
		`SELECT 1 AS a, 'x' AS b \gdesc`, `\sv pg_tables`, `SELECT id FROM people WHERE id < 3 \gx`, `\copy (SELECT id, name FROM people ORDER BY id LIMIT 3) TO STDOUT`,
		"\\set FETCH_COUNT 7\nSELECT id FROM people ORDER BY id;",
		"SELECT 1; SELECT 2\\; SELECT 3;"} {
		want, got := normal(same.psql(t, command+"\n")), normal(r.place.psql(t, command+"\n"))
		if want != got {
			t.Errorf("%s\n--- direct\n%s\n--- through the gateway\n%s", command, want, got)
		}
	}
	out := r.place.psql(t, "SELECT * FROM off_limits;\nSELECT 'goes on';\n")
	for _, want := range []string{"42501", "DETAIL:", "no-off-limits", "HINT:", "read another one", "goes on"} {
		if !strings.Contains(out, want) {
			t.Errorf("a refusal does not show %q:\n%s", want, out)
		}
	}
}
