package postgres

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
)

// sheet is the record of an action in two parts, between which its parameters go: a prepared statement that runs
// again has the same record but for them.
type sheet struct {
	st         *sql.Statement
	d          policy.Decision
	head, tail []byte
}

// paramsKey is where the parameters of an action are in its JSON. In a string the quotes would be escaped.
var paramsKey = []byte(`,"params":null,"fingerprint":`)

// payload is the JSON of record.ActionPayload without the parameters.
func payload(j *judged) (head, tail []byte) {
	act := j.action
	act.Params = nil
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Neither features nor decisions hold anything that JSON cannot.
	_ = enc.Encode(record.ActionPayload{Action: act, Decision: j.d})
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	i := bytes.LastIndex(b, paramsKey)
	if i < 0 {
		return b, nil
	}
	i += len(paramsKey) - len(`null,"fingerprint":`)
	return b[:i:i], b[i+len("null"):]
}

// sheetFor gives the record of a prepared statement's action, made anew when the decision has changed. It is
// for actions that are the statement's own: without features of the moment.
func (p *prepared) sheetFor(j *judged) *sheet {
	if s := p.sheet; s != nil && s.st == j.st && sameDecision(&s.d, &j.d) {
		return s
	}
	head, tail := payload(j)
	p.sheet = &sheet{st: j.st, d: j.d, head: head, tail: tail}
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
	if s.key == j.st.ShapeKey && sameFacts(&s.facts, &j.st.Action) && sameDecision(&s.d, &j.d) {
		return s
	}
	head, tail := payload(j)
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

func sameDecision(a, b *policy.Decision) bool {
	return a.Verdict == b.Verdict && a.Rule == b.Rule && a.Reason == b.Reason && a.Revision == b.Revision && a.Hint == b.Hint &&
		a.Quorum == b.Quorum && a.Timeout == b.Timeout && slices.Equal(a.Approvers, b.Approvers) &&
		len(a.Mask) == len(b.Mask) && (len(a.Mask) == 0 || &a.Mask[0] == &b.Mask[0])
}

// appendParams appends the parameters as JSON.
func appendParams(b []byte, list []action.Param) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		p := &list[i]
		b = appendString(append(b, `{"value":`...), p.Value)
		if p.Null {
			b = append(b, `,"null":true`...)
		}
		if p.Encoding != "" {
			b = appendString(append(b, `,"encoding":`...), p.Encoding)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendString appends a JSON string. Printable ASCII is what it is in Go's syntax.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			j, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, j...)
		}
	}
	return strconv.AppendQuote(b, s)
}
