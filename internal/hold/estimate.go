package hold

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Estimate is what the target's planner expects of a held statement, of which nothing has run. It has no values: those would
// be the statement's own.
type Estimate struct {
	At   time.Time `json:"at"`
	Verb string    `json:"verb"` // select, insert, update, delete, merge, replace
	// Rows are those that it is expected to return, or for other verbs to change; -1 where the planner does not say.
	Rows  int64   `json:"rows"`
	Cost  float64 `json:"cost,omitempty"` // in the planner's own unit
	Scans []Scan  `json:"scans"`
}

// Scan is how a table is read.
type Scan struct {
	Table string `json:"table"` // by its full name, where the planner gives it; else as the statement calls it
	How   string `json:"how"`   // "the whole table", "by index orders_pkey", …
	Rows  int64  `json:"rows"`  // that it is expected to give; -1: not told
	Of    int64  `json:"of"`    // in the table, by its statistics; -1: not known
}

var estimateVerbs = map[string]string{"select": "returns", "insert": "adds", "update": "changes", "delete": "deletes", "merge": "changes", "replace": "puts in"}

// String says it in one line.
func (e *Estimate) String() string {
	verb := estimateVerbs[e.Verb]
	if verb == "" {
		verb = "concerns"
	}
	var b strings.Builder
	switch {
	case e.Rows < 0:
		b.WriteString(verb + " rows, and does not say how many")
	default:
		fmt.Fprintf(&b, "%s about %s", verb, rows(e.Rows))
	}
	for i, s := range e.Scans {
		if i == 0 {
			b.WriteString("; reads ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(s.String())
	}
	return b.String()
}

// String says it in words.
func (s Scan) String() string {
	var more []string
	if s.Rows >= 0 {
		more = append(more, "about "+rows(s.Rows))
	}
	if s.Of >= 0 {
		more = append(more, "of about "+count(s.Of))
	}
	text := s.Table + " " + s.How
	if len(more) > 0 {
		text += " (" + strings.Join(more, " ") + ")"
	}
	return text
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return count(n) + " rows"
}

// count groups digits by thousands.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
