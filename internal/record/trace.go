package record

// NoteTrace is the What of the note that says of which span of Envoy's an action is the child.
const NoteTrace = "trace"

// Lengths of W3C trace context ids, in hexadecimal digits.
const (
	traceDigits = 32
	spanDigits  = 16
)

// TraceNote is the note of an action whose request Envoy traces.
func TraceNote(trace, span string) Note {
	return Note{What: NoteTrace, Detail: map[string]any{"trace": trace, "span": span}}
}

// Trace gives the ids of a NoteTrace; false for any other note.
func (n *Note) Trace() (trace, span string, ok bool) {
	if n.What != NoteTrace {
		return "", "", false
	}
	trace, _ = n.Detail["trace"].(string)
	span, _ = n.Detail["span"].(string)
	return trace, span, ValidTrace(trace, span)
}

// ValidTrace reports whether these are ids by W3C Trace Context: lower-case hexadecimal and not zero.
func ValidTrace(trace, span string) bool {
	return len(trace) == traceDigits && len(span) == spanDigits && hexID(trace) && hexID(span)
}

func hexID(s string) bool {
	zero := true
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
		zero = zero && c == '0'
	}
	return !zero
}
