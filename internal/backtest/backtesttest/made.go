package backtesttest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
)

// Made says how much history to make.
type Made struct {
	Seed     uint64
	Sessions int
	Actions  int // of each session
	Response int // bytes of each answer
	Start    time.Time
	// Every is the time between the beginnings of two sessions.
	Every time.Duration
}

var people = []struct {
	chain  []string
	groups []string
}{
	{[]string{"user:alice@example.com"}, []string{"analysts"}},
	{[]string{"user:alice@example.com", "agent:report-bot"}, []string{"analysts"}},
	{[]string{"user:bob@example.com", "agent:ci-bot"}, []string{"analysts", "dba"}},
	{[]string{"user:dana@example.com"}, []string{"dba"}},
	{[]string{"user:eve@example.com"}, []string{"visitors"}},
}

// History makes sessions that the policy has judged. It is the same for the same seed and policy.
func (m Made) History(e *policy.Engine) []Session {
	rnd := rand.New(rand.NewPCG(m.Seed, 7))
	all := make([]Session, m.Sessions)
	for i := range all {
		who := people[rnd.IntN(len(people))]
		target := fmt.Sprintf("shop-%d", rnd.IntN(3))
		id := fmt.Sprintf("ses_%026d", i+1)
		all[i].Open = Open(id, m.Start.Add(time.Duration(i)*m.Every), target, who.groups, who.chain...)
		all[i].Response = m.Response
		for range m.Actions {
			all[i].Actions = append(all[i].Actions, Judge(e, all[i].Open, statement(rnd)))
		}
	}
	return all
}

// statement is one of those that agents send, with values of its own.
func statement(rnd *rand.Rand) *Statement {
	n := rnd.IntN(100_000)
	var st *Statement
	switch k := rnd.IntN(100); {
	case k < 40:
		st = Select("SELECT id, total FROM orders WHERE id = $1", "orders", []string{"id", "total"}, []string{"id"})
	case k < 65:
		st = Select("SELECT id, name, email FROM customers WHERE id = $1", "customers", []string{"email", "id", "name"}, []string{"id"})
	case k < 75:
		st = Select(fmt.Sprintf("SELECT id FROM customers WHERE email = 'a%d@example.com'", n), "customers", []string{"email", "id"}, []string{"email"})
	case k < 85:
		st = Change("update", "UPDATE orders SET total = 1 WHERE id = $1", "orders", []string{"total"}, true)
	case k < 90:
		st = Change("delete", fmt.Sprintf("DELETE FROM orders WHERE id < %d", n), "orders", nil, true)
	case k < 92:
		st = Change("delete", "DELETE FROM orders", "orders", nil, false)
	case k < 96:
		st = Select("SELECT ssn FROM customers WHERE id = $1", "customers", []string{"id", "ssn"}, []string{"id"})
	default:
		return &Statement{Action: action.Action{Kind: action.KindSQL, Verbs: []string{"begin"}, Reads: []action.Object{}, Writes: []action.Object{},
			Functions: []action.Function{}, Features: map[string]any{action.FeatureTransaction: true}, Text: "BEGIN", Params: []action.Param{}}}
	}
	st.Action.Params = []action.Param{{Value: fmt.Sprint(n)}}
	return st
}

// Count is how many actions sessions have, with their openings.
func Count(all []Session) int {
	n := len(all)
	for i := range all {
		n += len(all[i].Actions)
	}
	return n
}
