package statement

import (
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
)

// Sheet is the record of an action in two parts, between which its parameters go: a statement that runs again has the
// same record but for them.
type Sheet struct {
	Head, Tail []byte

	st *sql.Statement
	d  policy.Decision
}

// SheetFor gives the record of a statement's action, made anew when the decision has changed; before is that of the last time,
// or nil. It is for actions that are the statement's own: without features of the moment.
func SheetFor(before *Sheet, st *sql.Statement, a *action.Action, d *policy.Decision) *Sheet {
	if before != nil && before.st == st && SameDecision(&before.d, d) {
		return before
	}
	head, tail := Payload(*a, *d)
	return &Sheet{Head: head, Tail: tail, st: st, d: *d}
}
