package indexgen

import (
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

// Question is a kind of query. Make gives a different one each time.
type Question struct {
	Name string
	Make func() index.Query
}

// PageSize is that of the questions.
const PageSize = 50

// Questions are the kinds that people ask, values spread as in the sessions: mostly popular ones, sometimes rare.
func (g *Generator) Questions() []Question {
	yes := true
	ask := func(name string, f func(*index.Query)) Question {
		return Question{name, func() index.Query { q := index.Query{Limit: PageSize}; f(&q); return q }}
	}
	uniform := func(form string, n int) string { return fmt.Sprintf(form, g.rnd.IntN(n)) }
	day := func(q *index.Query) { q.Since = g.Time(); q.Until = q.Since.Add(24 * time.Hour) }
	return []Question{
		ask("the newest", func(*index.Query) {}),
		ask("identity: a person", func(q *index.Query) { q.Identity = g.Human() }),
		ask("identity: any person, rare ones too", func(q *index.Query) { q.Identity = uniform("user:person%04d@example.com", humans) }),
		ask("identity: an agent", func(q *index.Query) { q.Identity = g.Agent() }),
		ask("target", func(q *index.Query) { q.Target = g.Target() }),
		ask("time: a day", day),
		ask("verb: common", func(q *index.Query) { q.Verb = "select" }),
		ask("verb: rare", func(q *index.Query) { q.Verb = "truncate" }),
		ask("table", func(q *index.Query) { q.Table = g.Table() }),
		ask("column", func(q *index.Query) { q.Column = g.Column(g.Table()) }),
		ask("verdict: block", func(q *index.Query) { q.Verdict = "block" }),
		ask("verdict: hold", func(q *index.Query) { q.Verdict = "hold" }),
		ask("approver", func(q *index.Query) { q.Approver = g.Approver() }),
		ask("session", func(q *index.Query) { q.Session = ID(g.Any()) }),
		ask("live", func(q *index.Query) { q.Live = &yes }),
		ask("text: a word", func(q *index.Query) { q.Text = g.Word() }),
		ask("text: any word, rare ones too", func(q *index.Query) { q.Text = word(uint64(g.rnd.IntN(words))) }),
		ask("text: a word that most have", func(q *index.Query) { q.Text = "select" }),
		ask("text: two words", func(q *index.Query) { q.Text = g.Word() + " update" }),
		ask("text: words beside each other", func(q *index.Query) { q.Text = `"` + g.Word() + " " + g.Word() + `"` }),
		ask("text: the beginning of a word", func(q *index.Query) { w := g.Word(); q.Text = w[:min(4, len(w))] + "*" }),
		ask("text: a number", func(q *index.Query) { q.Text = uniform("%d", 100_000) }),
		ask("identity and table", func(q *index.Query) { q.Identity, q.Table = g.Human(), g.Table() }),
		ask("two large lists that hardly meet", func(q *index.Query) { q.Target, q.Verb, q.Verdict = g.Target(), "truncate", "hold" }),
		ask("target, verdict and a day", func(q *index.Query) { q.Target, q.Verdict = g.Target(), "block"; day(q) }),
		ask("identity and text", func(q *index.Query) { q.Identity, q.Text = g.Agent(), g.Word() }),
		ask("table, text and a day", func(q *index.Query) { q.Table, q.Text = g.Table(), "select"; day(q) }),
		ask("column of a person on a target", func(q *index.Query) {
			q.Identity, q.Target, q.Column = g.Human(), g.Target(), strings.SplitAfter(g.Column(g.Table()), ".")[2]
		}),
	}
}
