package policy

import (
	"context"
	"fmt"
	"testing"

	"dragoman.dev/dragoman/internal/sql"
)

// manyRules is a policy for n teams, of which one has the identity as a member.
func manyRules(n int) Source {
	s := Source{Rules: []Rule{block("no-ddl", When{Features: map[string]any{"ddl": true}})}}
	for i := range n {
		s.Rules = append(s.Rules, allow(fmt.Sprintf("team-%d", i), When{Groups: []string{fmt.Sprintf("team-%d", i)},
			Targets: []string{"shop*"}, Verbs: []string{"select"}, Tables: []string{fmt.Sprintf("team_%d.*", i), "public.*"}}))
	}
	return s
}

func BenchmarkJudgeColdManyRules(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := engineOf(b, manyRules(n))
			e.refs.clock = true
			a := sqlAction("select", objs(table("customers", "id")), nil)
			s := e.Session(who("agent:x", "team-5"), shop, Session{})
			for b.Loop() {
				if d := s.Judge(context.Background(), &a, &sql.Statement{}); d.Verdict != Allow {
					b.Fatal(d)
				}
			}
		})
	}
}
