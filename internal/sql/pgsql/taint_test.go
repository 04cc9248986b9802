package pgsql

import (
	"context"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/sql"
)

// secrets are values that stand in one column each.
var secrets = map[string]sql.Column{
	"111-22-3333": col("customers", "ssn"), "222-33-4444": col("customers", "ssn"),
	"ann@example.com": col("customers", "email"), "4111111111111111": col("customers", "card"),
}

// TestTaint runs the statements and looks for the secrets in what comes back: a
// column in which one shows must have its column among the origins.
func TestTaint(t *testing.T) {
	for _, s := range servers {
		t.Run(s.version, func(t *testing.T) {
			seen := 0
			for _, file := range []string{"testdata/describe.sql", "testdata/facts.sql", "testdata/taint.sql"} {
				for _, q := range lines(t, file) {
					seen += s.taint(t, strings.TrimPrefix(q, "18:"))
				}
			}
			if seen < 200 {
				t.Errorf("secrets were seen %d times only", seen)
			}
			t.Logf("secrets were seen %d times", seen)
		})
	}
}

func (s *server) taint(t *testing.T, q string) int {
	ctx := context.Background()
	sts, err := Analyze(q, s.env)
	if err != nil || len(sts) != 1 || sts[0].Effects&(sql.EffectBegin|sql.EffectEnd|sql.EffectCopyIn|sql.EffectCopyOut) != 0 ||
		strings.Contains(q, "$") || sts[0].Action.Has(FeatureAdmin) || strings.Contains(q, "pg_sleep") || endless(q) || sts[0].Action.Has("server_file") {
		return 0
	}
	conn := s.conn.PgConn()
	if _, err := conn.Exec(ctx, "begin; set local statement_timeout = 300; set local work_mem = '1MB'; set local temp_file_limit = '10MB'").ReadAll(); err != nil {
		t.Fatal(err)
	}
	defer func() { conn.Exec(ctx, "rollback; reset all; discard all").ReadAll() }()
	results, err := conn.Exec(ctx, q).ReadAll()
	if err != nil {
		return 0
	}
	seen := 0
	for _, r := range results {
		for _, row := range r.Rows {
			for i, cell := range row {
				for secret, from := range secrets {
					if !strings.Contains(string(cell), secret) {
						continue
					}
					seen++
					if !covered(sts[0], i, len(row), from) {
						t.Errorf("%s\n  column %d shows %v, its outputs are %v", q, i+1, from, outputs(sts[0]))
					}
				}
			}
		}
	}
	return seen
}

// endless: a recursion that is there for its lineage only and never ends.
func endless(q string) bool {
	return strings.HasPrefix(q, "with recursive t(a, b, c)") || strings.HasPrefix(q, "with recursive a as")
}

func covered(st *sql.Statement, i, n int, from sql.Column) bool {
	return len(st.Outputs) != n || st.Outputs[i].Unknown || slices.Contains(st.Outputs[i].Origins, from)
}
