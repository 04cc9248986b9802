package postgres

import (
	"bytes"

	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
)

// sheetFor gives the record of a prepared statement's action.
func (p *prepared) sheetFor(j *judged) *statement.Sheet {
	p.sheet = statement.SheetFor(p.sheet, j.st, &j.action, &j.d)
	return p.sheet
}

// shapeSheet is the record of the shape that ran last: texts that differ in plain literals only share all but
// the text and the parameters.
type shapeSheet struct {
	key        string
	facts      action.Action // of the analysis that they share
	d          policy.Decision
	head, tail []byte // before the text, and after the parameters
}

const paramsName = `,"params":`

// sheetFor gives the sheet of j's shape, or nil when it has none.
func (s *shapeSheet) sheetFor(j *judged) *shapeSheet {
	if j.st.ShapeKey == "" || j.moment || j.st.Inner != nil {
		return nil
	}
	if s.key == j.st.ShapeKey && sameFacts(&s.facts, &j.st.Action) && statement.SameDecision(&s.d, &j.d) {
		return s
	}
	head, tail := statement.Payload(j.action, j.d)
	// Within a string the quotes would be escaped.
	i := bytes.LastIndex(head, []byte(`,"text":"`))
	if i < 0 || tail == nil {
		return nil
	}
	*s = shapeSheet{key: j.st.ShapeKey, facts: j.st.Action, d: j.d, head: head[:i+len(`,"text":`)], tail: tail}
	return s
}

// sameFacts reports whether two actions of one shape are copies of one analysis.
func sameFacts(a, b *action.Action) bool {
	return a.Fingerprint == b.Fingerprint && len(a.Features) == len(b.Features) &&
		same(a.Verbs, b.Verbs) && same(a.Reads, b.Reads) && same(a.Writes, b.Writes) && same(a.Functions, b.Functions)
}

func same[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
