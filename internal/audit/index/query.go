package index

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
)

// Query chooses sessions. Zero fields do not matter; a session must fit all others.
type Query struct {
	Session  string    // its id
	Identity string    // any actor of the chain
	Target   string    // its name
	Since    time.Time // started at or after
	Until    time.Time // started before
	Verdict  string    // has an action with it: "allow", "block", "hold"
	Table    string    // reads or writes it: "schema.name" or "name"
	Column   string    // reads or writes it: "schema.table.column", "table.column" or "column"
	Verb     string
	Approver string // decided on one of its holds, or acted through who did
	// Text is free text: a statement has all the words, in any case. "quoted words" stand beside each
	// other, a word with * at its end begins so. What is neither letter nor digit parts words.
	Text   string
	Live   *bool
	Limit  int    // 0 means 100; at most 10,000
	Cursor string // Page.Next of the page before
}

// QueryError says what is wrong with a query.
type QueryError struct{ What string }

func (e *QueryError) Error() string { return e.What }

// Size is the limit in force.
func (q *Query) Size() int {
	if q.Limit <= 0 {
		return DefaultLimit
	}
	return min(q.Limit, MaxLimit)
}

// Facts are those that a session must have.
func (q *Query) Facts() ([]Fact, error) {
	if !slices.Contains([]string{"", "allow", "block", "hold"}, q.Verdict) {
		return nil, &QueryError{fmt.Sprintf("verdict %q: must be allow, block or hold", q.Verdict)}
	}
	var all []Fact
	for _, f := range []Fact{
		{Kind: Actor, Value: q.Identity}, {Kind: Approver, Value: q.Approver}, {Kind: Table, Value: strings.ToLower(q.Table)},
		{Kind: Column, Value: strings.ToLower(q.Column)}, {Kind: Verb, Value: strings.ToLower(q.Verb)},
		{Kind: Target, Value: q.Target}, {Kind: Verdict, Value: q.Verdict},
	} {
		if f.Value != "" {
			all = append(all, Fact{Kind: f.Kind, Value: Bounded(f.Value, MaxValue)})
		}
	}
	return all, nil
}
