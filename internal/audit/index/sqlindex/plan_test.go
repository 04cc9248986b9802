package sqlindex

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit/index/indexgen"
	"dragoman.dev/dragoman/internal/pgserver"
)

// plan gives the store's plan of the query that walks, for a question.
func plan(t *testing.T, x *Index, explain string, q indexgen.Question) string {
	t.Helper()
	query := q.Make()
	conds, r, err := x.conditions(t.Context(), &query)
	if err != nil {
		t.Fatal(err)
	}
	if len(conds) == 0 {
		return "" // nothing has this value
	}
	text, args, _ := walk(conds, r, indexgen.PageSize, x.d.fence())
	rows, err := x.rdb.QueryContext(t.Context(), x.d.bind(explain+text), args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", q.Name, err, text)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(*cells[len(cells)-1].(*any)))
	}
	return strings.Join(lines, "\n")
}

func filled(t *testing.T, x *Index) *indexgen.Generator {
	t.Helper()
	g := indexgen.New(1, planned, time.Now())
	for b := g.Next(1000); !b.Empty(); b = g.Next(1000) {
		if err := x.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPlansSQLite: no kind of question reads a table from one end to the other, or sorts.
func TestPlansSQLite(t *testing.T) {
	x, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, q := range filled(t, x).Questions() {
		for range 20 {
			p := plan(t, x, "EXPLAIN QUERY PLAN ", q)
			for _, line := range strings.Split(p, "\n") {
				if strings.Contains(line, "VIRTUAL TABLE INDEX") && strings.Contains(line, ":M") { // by words
					continue
				}
				if strings.Contains(line, "TEMP B-TREE") || strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "INDEX sessions_live") {
					t.Fatalf("%s:\n%s", q.Name, p)
				}
			}
		}
	}
}

// TestPlansPostgres is the same; only the sessions with a rare word are sorted.
func TestPlansPostgres(t *testing.T) {
	ctx := context.Background()
	home, err := pgserver.Ensure(ctx, "../../../../.tools", pgserver.Newest)
	if err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Start(ctx, pgserver.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	// A table of this size is read whole where one of a million rows would not be.
	x, err := OpenPostgres(ctx, s.URL("postgres")+"&options=-c%20enable_seqscan%3Doff", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, q := range filled(t, x).Questions() {
		for range 20 {
			p := plan(t, x, "EXPLAIN ", q)
			few := strings.Contains(p, "texts_words") || strings.Contains(p, "sessions_id_key")
			if strings.Contains(p, "Seq Scan") || (strings.Contains(p, "Sort") && !few) {
				t.Fatalf("%s:\n%s", q.Name, p)
			}
		}
	}
}
