// Package indexgen makes up sessions, for measuring an index: who does what, where, and how often is spread as
// people and agents spread it, few doing much and many doing little. The same seed gives the same sessions.
package indexgen

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/record"
)

// How many there are of what.
const (
	humans    = 4000
	agents    = 300
	approvers = 80
	targets   = 60
	tables    = 600
	columns   = 14 // of a table
	words     = 20_000
)

// Version changes when the same seed gives other sessions.
const Version = 1

// Year is how long the sessions are spread over.
const Year = 365 * 24 * time.Hour

// Generator makes sessions, oldest first.
type Generator struct {
	rnd   *rand.Rand
	zipf  map[uint64]*rand.Zipf
	begin time.Time
	total int
	made  int
}

// New makes a generator of total sessions that end at a time.
func New(seed uint64, total int, end time.Time) *Generator {
	return &Generator{rnd: rand.New(rand.NewPCG(seed, seed)), zipf: map[uint64]*rand.Zipf{}, begin: end.Add(-Year), total: total}
}

// pick is a number below n, small ones more often.
func (g *Generator) pick(n uint64) uint64 {
	z := g.zipf[n]
	if z == nil {
		z = rand.NewZipf(g.rnd, 1.15, 8, n-1)
		g.zipf[n] = z
	}
	return z.Uint64()
}

// Human, Agent and the others are values as sessions have them.
func (g *Generator) Human() string { return fmt.Sprintf("user:person%04d@example.com", g.pick(humans)) }
func (g *Generator) Agent() string { return fmt.Sprintf("agent:bot-%03d", g.pick(agents)) }
func (g *Generator) Approver() string {
	return fmt.Sprintf("user:approver%02d@example.com", g.pick(approvers))
}
func (g *Generator) Target() string { return fmt.Sprintf("db-%02d", g.pick(targets)) }
func (g *Generator) Table() string  { return fmt.Sprintf("public.t%03d", g.pick(tables)) }

// Column is one of a table's.
func (g *Generator) Column(table string) string {
	return fmt.Sprintf("%s.c%s_%02d", table, table[len(table)-2:], g.pick(columns))
}

// Word is one that statements have.
func (g *Generator) Word() string { return word(g.pick(words)) }

// word makes number n sayable.
func word(n uint64) string {
	const consonants, vowels = "bcdfghklmnprstvz", "aeiou"
	var b strings.Builder
	for n += 80; n > 0; n /= 80 {
		b.WriteByte(consonants[n%80/5])
		b.WriteByte(vowels[n%5])
	}
	return b.String()
}

// Time is when a session may have started.
func (g *Generator) Time() time.Time { return g.begin.Add(time.Duration(g.rnd.Int64N(int64(Year)))) }

// ID is that of session n.
func ID(n int) string { return fmt.Sprintf("ses_%026d", n) }

// Any is the number of one that was made.
func (g *Generator) Any() int { return g.rnd.IntN(max(1, g.made)) }

// Next makes up to n sessions; none after the last.
func (g *Generator) Next(n int) *index.Batch {
	b := &index.Batch{}
	for ; n > 0 && g.made < g.total; n-- {
		g.session(b)
		g.made++
	}
	return b
}

// draft is a session in the making.
type draft struct {
	b     *index.Batch
	s     index.Session
	facts map[index.Fact]bool
	texts map[string]bool
}

func (d *draft) fact(kind, value string) {
	f := index.Fact{Session: d.s.ID, Kind: kind, Value: value}
	if !d.facts[f] {
		d.facts[f] = true
		d.b.Facts = append(d.b.Facts, f)
	}
}

func (g *Generator) session(b *index.Batch) {
	at := g.begin.Add(Year / time.Duration(g.total) * time.Duration(g.made)).Add(time.Duration(g.rnd.Int64N(int64(time.Second))))
	d := &draft{b: b, facts: map[index.Fact]bool{}, texts: map[string]bool{}, s: index.Session{ID: ID(g.made), Node: fmt.Sprintf("node-%d", g.rnd.IntN(8)), Target: g.Target(),
		Protocol: "postgres", Groups: []string{"analysts"}, Issuer: "https://issuer.example.com", Method: "token", Started: at, Ended: at.Add(time.Minute),
		Reason: "client", Client: "10.0.0.7:51312", Application: "psql", Database: "shop", User: "app", Sealed: true, Hash: strings.Repeat("ab", 32)}}
	d.s.File = "sessions/" + at.Format("2006/01/02/") + d.s.ID + ".drs"
	human, agent := g.Human(), g.Agent()
	d.s.Subject, d.s.OnBehalfOf, d.s.Actors = agent, human, []string{human, agent}
	if g.rnd.IntN(10) == 0 {
		sub := g.Agent()
		d.s.Subject, d.s.Actors = sub, append(d.s.Actors, sub)
	}
	if g.total-g.made < 200 {
		d.s.Live, d.s.Sealed, d.s.Ended, d.s.Reason = true, false, time.Time{}, ""
	}
	for _, a := range d.s.Actors {
		d.fact(index.Actor, a)
	}
	d.fact(index.Target, d.s.Target)
	for n := 1 + g.pick(30)/4; n > 0; n-- {
		g.action(d)
	}
	d.s.Frames, d.s.Stream = uint64(2+4*d.s.Actions), uint64(500*d.s.Actions)
	b.Sessions = append(b.Sessions, d.s)
}

func (g *Generator) action(d *draft) {
	d.s.Actions++
	table := g.Table()
	verb, text := g.statement(d, table)
	a := &index.Action{Ordinal: uint64(d.s.Actions), Time: d.s.Started.Add(time.Duration(d.s.Actions) * time.Second), Kind: "sql", Verdict: "allow", Rule: "analysts-read",
		Verbs: []string{verb}, Tables: []string{table}, Fingerprint: "3f2a9c0d11e4", Text: text}
	c := index.Change{Session: d.s.ID, Ordinal: a.Ordinal, Base: a, Result: &record.Result{Status: "ok", Tag: "SELECT 5", Rows: 5, Bytes: 400, Masked: 5, Duration: 3 * time.Millisecond}}
	switch r := g.rnd.IntN(1000); {
	case r < 8:
		who := g.Approver()
		a.Verdict, c.Held = "hold", &index.Held{ID: "hld_" + d.s.ID, State: "used", By: []string{who}}
		d.fact(index.Approver, who)
		d.s.Held++
	case r < 40:
		a.Verdict, c.Result = "block", &record.Result{Status: "blocked", Code: "42501"}
		d.s.Blocked++
	default:
		d.s.Allowed++
		d.s.Rows, d.s.Masked, d.s.Bytes = d.s.Rows+5, d.s.Masked+5, d.s.Bytes+400
	}
	d.fact(index.Verdict, a.Verdict)
	d.fact(index.Verb, verb)
	_, bare, _ := strings.Cut(table, ".")
	d.fact(index.Table, table)
	d.fact(index.Table, bare)
	d.b.Actions = append(d.b.Actions, c)
	if !d.texts[text] {
		d.b.Texts = append(d.b.Texts, index.Text{Session: d.s.ID, Slot: len(d.texts), Text: text})
		d.texts[text] = true
	}
}

// statement is what an action says, and what it touches.
func (g *Generator) statement(d *draft, table string) (verb, text string) {
	a, b := g.Column(table), g.Column(table)
	for _, c := range []string{a, b} {
		parts := strings.Split(c, ".")
		d.fact(index.Column, parts[2])
		d.fact(index.Column, parts[1]+"."+parts[2])
		d.fact(index.Column, c)
	}
	_, x, _ := strings.Cut(a[7:], ".")
	_, y, _ := strings.Cut(b[7:], ".")
	id := g.rnd.IntN(100_000)
	switch r := g.rnd.IntN(100); {
	case r < 35:
		return "select", fmt.Sprintf("SELECT %s, %s FROM %s WHERE id = $1", x, y, table)
	case r < 60:
		return "select", fmt.Sprintf("SELECT count(*) FROM %s WHERE %s = '%s %s'", table, x, g.Word(), g.Word())
	case r < 80:
		return "select", fmt.Sprintf("SELECT %s FROM %s JOIN %s USING (id) WHERE %s LIKE '%s%%' LIMIT %d", x, table, g.Table(), y, g.Word(), id%100)
	case r < 88:
		return "update", fmt.Sprintf("UPDATE %s SET %s = '%s' WHERE id = %d", table, x, g.Word(), id)
	case r < 95:
		return "insert", fmt.Sprintf("INSERT INTO %s (%s, %s) VALUES (%d, '%s %s %s')", table, x, y, id, g.Word(), g.Word(), g.Word())
	case r < 99:
		return "delete", fmt.Sprintf("DELETE FROM %s WHERE %s = '%s'", table, x, g.Word())
	}
	return "truncate", "TRUNCATE " + table
}
