package statement

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// paramsKey is where the parameters of an action are in its JSON. In a string the quotes would be escaped.
var paramsKey = []byte(`,"params":null,"fingerprint":`)

// Payload is the JSON of record.ActionPayload in two parts, between which the parameters go.
func Payload(act action.Action, d policy.Decision) (head, tail []byte) {
	act.Params = nil
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Neither features nor decisions hold anything that JSON cannot.
	_ = enc.Encode(record.ActionPayload{Action: act, Decision: d})
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	i := bytes.LastIndex(b, paramsKey)
	if i < 0 {
		return b, nil
	}
	i += len(paramsKey) - len(`null,"fingerprint":`)
	return b[:i:i], b[i+len("null"):]
}

// SameDecision reports whether two decisions say the same.
func SameDecision(a, b *policy.Decision) bool {
	return a.Verdict == b.Verdict && a.Rule == b.Rule && a.Reason == b.Reason && a.Revision == b.Revision && a.Hint == b.Hint &&
		a.Quorum == b.Quorum && a.Timeout == b.Timeout && a.ShapeFor == b.ShapeFor && a.ShapePool == b.ShapePool && slices.Equal(a.Approvers, b.Approvers) &&
		len(a.Mask) == len(b.Mask) && (len(a.Mask) == 0 || &a.Mask[0] == &b.Mask[0])
}

// AppendParams appends the parameters as JSON.
func AppendParams(b []byte, list []action.Param) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		p := &list[i]
		b = AppendString(append(b, `{"value":`...), p.Value)
		if p.Null {
			b = append(b, `,"null":true`...)
		}
		if p.Encoding != "" {
			b = AppendString(append(b, `,"encoding":`...), p.Encoding)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// AppendString appends a JSON string. Printable ASCII is what it is in Go's syntax.
func AppendString(b []byte, s string) []byte {
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
