package statement

import (
	"bytes"
	"slices"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// paramsKey is where the parameters of an action are in its JSON. In a string the quotes would be escaped.
var paramsKey = []byte(`,"params":null,"fingerprint":`)

// Payload is the JSON of record.ActionPayload in two parts, between which the parameters go.
func Payload(act action.Action, d policy.Decision) (head, tail []byte) {
	act.Params = nil
	// Neither features nor decisions hold anything that JSON cannot.
	b, _ := record.AppendAction(nil, &act, &d)
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
