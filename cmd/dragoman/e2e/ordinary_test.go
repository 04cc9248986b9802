package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var refused = regexp.MustCompile(`42501|ERROR|FATAL`)

// TestOrdinaryQueries runs what an analyst does all day with the demo's
// policy. None may be refused, and none may show what is masked.
func TestOrdinaryQueries(t *testing.T) {
	g, shop := demoGateway(t)
	var queries []string
	for _, name := range []string{"analyst", "tools"} {
		text, err := os.ReadFile(repo + "/filters/postgres/testdata/ordinary/" + name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		queries = append(queries, strings.Split(strings.TrimSpace(string(text)), "\n")...)
	}
	if len(queries) < 170 {
		t.Fatalf("the corpus has shrunk to %d", len(queries))
	}
	p := shop.as(g.token("analysts"))
	wrong := 0
	for _, q := range queries {
		if out := p.psql(t, q+"\n"); refused.MatchString(out) {
			wrong++
			t.Errorf("refused: %s\n%s", q, out)
		}
	}
	t.Logf("%d ordinary queries, %d false blocks", len(queries), wrong)
}
