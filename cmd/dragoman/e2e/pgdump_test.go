package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/pgserver"
)

// restrictKey is drawn anew for each dump.
var restrictKey = regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`)

// TestPgDump: pg_dump gives through the gateway what it gives directly where nothing is masked, as COPY and as INSERTs, and what it gave
// can be restored through the gateway; where something is masked, it is dumped masked or refused.
func TestPgDump(t *testing.T) {
	db := clientsDatabase(t, pgserver.V15)
	execSQL(t, db, "clients", `CREATE SCHEMA depot; CREATE TYPE depot.state AS ENUM ('new', 'sold');
CREATE TABLE depot.parts (id serial PRIMARY KEY, name text NOT NULL, state depot.state DEFAULT 'new', size numeric(8,2) CHECK (size > 0), tags text[], made timestamptz DEFAULT '2026-01-01');
CREATE INDEX parts_name ON depot.parts (lower(name)); CREATE VIEW depot.sold AS SELECT id, name FROM depot.parts WHERE state = 'sold'; COMMENT ON TABLE depot.parts IS 'what is there';
INSERT INTO depot.parts (name, state, size, tags) SELECT 'part ' || n, CASE WHEN n % 3 = 0 THEN 'sold' ELSE 'new' END::depot.state, n, ARRAY['a', NULL, E'tab\t"' || n] FROM generate_series(1, 500) n;`)
	r := startRig(t, db, strings.Replace(clientsRules, "rules:\n", dumpRules, 1))
	dump := func(p place, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "pg_dump", append(args, "--no-owner", p.dsn())...)
		cmd.Env = append(os.Environ(), "PGPASSWORD="+p.Password, "LC_ALL=C")
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, errs.String())
		}
		return restrictKey.ReplaceAllString(string(out), ""), err
	}
	for _, args := range [][]string{{"--schema=depot"}, {"--schema=depot", "--inserts"}, {"--schema=depot", "--schema-only"}, {"--table=depot.parts", "--data-only"}} {
		want, err := dump(direct(db), args...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dump(r.place, args...)
		if err != nil {
			t.Errorf("%v: %v", args, err)
		} else if got != want {
			t.Errorf("%v: the gateway's dump is another one:\n%s", args, firstDifference(got, want))
		}
	}
	whole, err := dump(r.place, "--schema=depot")
	if err != nil {
		t.Fatal(err)
	}
	if out := r.place.psql(t, strings.ReplaceAll(whole, "depot", "store"), "-v", "ON_ERROR_STOP=1"); strings.Contains(out, "ERROR") {
		t.Errorf("restoring it:\n%s", out)
	}
	if got, err := dump(direct(db), "--schema=store"); err != nil || strings.ReplaceAll(got, "store", "depot") != whole {
		t.Errorf("what was restored is another: %v %s", err, firstDifference(strings.ReplaceAll(got, "store", "depot"), whole))
	}
	if text, err := dump(r.place, "--table=public.people", "--data-only"); err == nil && (strings.Contains(text, "ada@") || !strings.Contains(text, "***")) {
		t.Errorf("what is masked was dumped as\n%.500s", text)
	} else {
		t.Logf("people: %v", err)
	}
}

// dumpRules let pg_dump read the catalogs that have passwords of foreign servers and subscriptions, too.
const dumpRules = `rules:
  - name: dumps
    verdict: allow
    when: {groups: [clients], verbs: [select], tables: ["pg_catalog.*"]}
    features_allowed: [credentials]
  - name: restores
    verdict: allow
    when: {groups: [clients], verbs: [create, alter, comment, select], tables: ["store.*"]}
  - name: schemas-and-settings
    verdict: allow
    when: {groups: [clients], verbs: [create, set]}
`

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d: %q, not %q", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(a), len(b))
}
