package mask

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// json scrubs a JSON text and keeps it JSON: a match outside of a string takes
// the whole number, and becomes a string.
func (s *scrubber) json(dst, t []byte) ([]byte, outcome) {
	w := jsonWriter{s: s, dst: dst}
	ok := true
	if bytes.IndexByte(t, '\\') < 0 {
		ok = w.raw(t)
	} else {
		ok = w.escaped(t)
	}
	switch {
	case !ok:
		return dst, hideWhole
	case w.n == 0:
		return dst, same
	case w.null:
		return dst, nulled
	}
	return w.dst, changedPart
}

type jsonWriter struct {
	s       *scrubber
	dst     []byte
	scratch []byte
	n       int
	null    bool
}

// raw scrubs a text without escapes as a whole, so that a key can tell what
// its value is. It reports false when the whole text must be hidden.
func (w *jsonWriter) raw(t []byte) bool {
	last, inString := 0, false
	for {
		m, ok := w.s.ways.set.next(t, last)
		if !ok {
			break
		}
		if bytes.IndexByte(t[m.start:m.end], '"') >= 0 {
			return false
		}
		if bytes.Count(t[last:m.start], []byte{'"'})%2 == 1 {
			inString = !inString
		}
		last = w.found(t, last, m, !inString)
	}
	w.dst = append(w.dst, t[last:]...)
	return true
}

// found writes what lies before the match and its replacement, and returns where to go on.
func (w *jsonWriter) found(t []byte, last int, m match, quote bool) int {
	w.n++
	w.null = w.null || w.s.ways.spec[m.det].Way == WayNull
	if !quote {
		w.dst = append(w.dst, t[last:m.start]...)
		w.dst = w.s.replace(w.dst, t[m.start:m.end], m.det)
		return m.end
	}
	from, to := m.start, m.end
	for from > last && numberByte(t[from-1]) {
		from--
	}
	for to < len(t) && numberByte(t[to]) {
		to++
	}
	w.dst = append(append(w.dst, t[last:from]...), '"')
	w.dst = w.s.replace(w.dst, t[m.start:m.end], m.det)
	w.dst = append(w.dst, '"')
	return to
}

func numberByte(b byte) bool {
	return isDigit(b) || b == '.' || b == '-' || b == '+' || b == 'e' || b == 'E'
}

// escaped scrubs each string with its escapes undone.
func (w *jsonWriter) escaped(t []byte) bool {
	for len(t) > 0 {
		i := bytes.IndexByte(t, '"')
		if i < 0 {
			i = len(t)
		}
		w.outside(t[:i])
		if i == len(t) {
			return true
		}
		end := stringEnd(t, i+1)
		if end < 0 {
			return false
		}
		w.str(t[i+1 : end])
		t = t[end+1:]
	}
	return true
}

// outside scrubs what stands between strings.
func (w *jsonWriter) outside(t []byte) {
	last := 0
	for {
		m, ok := w.s.ways.set.next(t, last)
		if !ok {
			break
		}
		last = w.found(t, last, m, true)
	}
	w.dst = append(w.dst, t[last:]...)
}

// stringEnd finds the closing quote, -1 when there is none.
func stringEnd(t []byte, i int) int {
	for ; i < len(t); i++ {
		switch t[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// str scrubs the inside of one string and writes it with its quotes.
func (w *jsonWriter) str(t []byte) {
	w.dst = append(w.dst, '"')
	plain := t
	if bytes.IndexByte(t, '\\') >= 0 {
		w.scratch = unescapeJSON(w.scratch[:0], t)
		plain = w.scratch
	}
	out, n, null := w.s.plain(nil, plain)
	if n == 0 {
		w.dst = append(w.dst, t...)
	} else {
		w.n += n
		w.null = w.null || null
		w.dst = escapeJSON(w.dst, out)
	}
	w.dst = append(w.dst, '"')
}

func unescapeJSON(dst, t []byte) []byte {
	for i := 0; i < len(t); i++ {
		if t[i] != '\\' || i+1 == len(t) {
			dst = append(dst, t[i])
			continue
		}
		i++
		switch t[i] {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r, n := unicodeEscape(t[i+1:])
			dst = utf8.AppendRune(dst, r)
			i += n
		default:
			dst = append(dst, t[i])
		}
	}
	return dst
}

// unicodeEscape reads the digits behind \u, and a second escape that makes a pair of it.
func unicodeEscape(t []byte) (r rune, n int) {
	r, ok := hex4(t)
	if !ok {
		return utf8.RuneError, 0
	}
	if utf16.IsSurrogate(r) && len(t) >= 10 && t[4] == '\\' && t[5] == 'u' {
		if low, ok := hex4(t[6:]); ok {
			if p := utf16.DecodeRune(r, low); p != utf8.RuneError {
				return p, 10
			}
		}
	}
	return r, 4
}

func hex4(t []byte) (rune, bool) {
	if len(t) < 4 {
		return 0, false
	}
	var r rune
	for _, b := range t[:4] {
		if !isHex(b) {
			return 0, false
		}
		r = r<<4 | rune(unhex(b))
	}
	return r, true
}

func escapeJSON(dst, t []byte) []byte {
	const digits = "0123456789abcdef"
	for _, b := range t {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return dst
}
