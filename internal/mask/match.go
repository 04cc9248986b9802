package mask

// Find gives the next match of the detectors that apply to any text at or
// after from; ReplaceMatch appends what is shown instead.
func (p *Plan) Find(t []byte, from int) (m Match, ok bool) {
	if !p.HasText() {
		return Match{}, false
	}
	found, ok := p.global.set.next(t, from)
	return Match{found.start, found.end, found.det}, ok
}

// Match is one find of a detector: text[Start:End].
type Match struct {
	Start, End int
	det        detector
}

// ReplaceMatch appends what is shown instead of the text of a match.
func (p *Plan) ReplaceMatch(dst, text []byte, m Match) []byte {
	return p.large.replace(dst, text, m.det)
}

// Hidden is what stands for a value that cannot be looked at.
const Hidden = redacted

// AppendUnescaped appends the inside of a JSON string without its escapes,
// AppendEscaped text as the inside of a JSON string.
func AppendUnescaped(dst, inside []byte) []byte { return unescapeJSON(dst, inside) }

// AppendEscaped is AppendUnescaped's opposite.
func AppendEscaped(dst, text []byte) []byte { return escapeJSON(dst, text) }
