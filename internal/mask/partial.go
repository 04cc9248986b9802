package mask

import (
	"bytes"
	"unicode/utf8"
)

// maxStars bounds how many stars stand for what is hidden, so that a long
// value stays short.
const maxStars = 16

// partial masks a whole text under the way partial.
func (m *Masker) partial(dst, val []byte) []byte {
	if m.class == cBpchar {
		val = bytes.TrimRight(val, " ")
	}
	if m.spec.KeepFirst > 0 || m.spec.KeepLast > 0 {
		return keepEnds(dst, val, m.spec.KeepFirst, m.spec.KeepLast)
	}
	v := bytes.TrimSpace(val)
	if d, ok := shapeOf(v); ok {
		return partialShape(dst, v, d, 0, 0)
	}
	return keepEnds(dst, val, 1, 0)
}

// shapeOf recognises a text that is one e-mail address, card, IBAN … and nothing else.
func shapeOf(v []byte) (detector, bool) {
	if plainEmail(v) {
		return detEmail, true
	}
	return lookForShape(v)
}

// plainEmail reports whether v is letters, digits, ".", "_", "-" and "+" with one "@" among them. No other shape
// has an "@" without "=", ":" or a blank, so nothing more needs to be looked at.
func plainEmail(v []byte) bool {
	at := -1
	for i, b := range v {
		switch {
		case isAlnum(b), b == '.', b == '_', b == '-', b == '+':
		case b == '@' && at < 0:
			at = i
		default:
			return false
		}
	}
	return at > 0 && at+1 < len(v)
}

func lookForShape(v []byte) (detector, bool) {
	const all = detSet(1<<detCount - 1)
	if m, ok := all.next(v, 0); ok && m.start == 0 && m.end == len(v) {
		return m.det, true
	}
	if at := bytes.LastIndexByte(v, '@'); at > 0 && at+1 < len(v) && bytes.IndexByte(v, ' ') < 0 {
		return detEmail, true
	}
	digits := 0
	for _, b := range v {
		if isDigit(b) {
			digits++
		} else if !phoneSep(b) && b != '+' {
			return 0, false
		}
	}
	switch {
	case digits >= 13:
		return detCard, true
	case digits >= 7:
		return detPhone, true
	}
	return 0, false
}

// partialShape masks one match and keeps what its shape usually shows.
func partialShape(dst, v []byte, d detector, first, last int) []byte {
	if first > 0 || last > 0 {
		return keepEnds(dst, v, first, last)
	}
	switch d {
	case detEmail:
		return partialEmail(dst, v)
	case detCard, detSSN:
		return starDigits(dst, v, 4)
	case detPhone:
		return starDigits(dst, v, 3)
	case detIBAN:
		return append(append(append(dst, v[:2]...), "****************"...), lastAlnum(v, 4)...)
	case detAPIKey:
		return append(append(dst, keyPrefix(v)...), "***"...)
	}
	return append(dst, redacted...)
}

// partialEmail gives a***@example.com; a local part of one character shows nothing.
func partialEmail(dst, v []byte) []byte {
	at, n := bytes.LastIndexByte(v, '@'), 1
	if at < 0 {
		at, n = bytes.LastIndex(v, []byte("%40")), 3
	}
	if at < 0 {
		return append(dst, redacted...)
	}
	_, size := utf8.DecodeRune(v[:at])
	if utf8.RuneCount(v[:at]) > 1 && v[0] != '"' {
		dst = append(dst, v[:size]...)
	}
	dst = append(dst, "***"...)
	return append(append(dst, v[at:at+n]...), v[at+n:]...)
}

// starDigits replaces all digits but the last keep, and never fewer than half.
func starDigits(dst, v []byte, keep int) []byte {
	total := 0
	for _, b := range v {
		if isDigit(b) {
			total++
		}
	}
	hide := total - min(keep, total/2)
	for _, b := range v {
		if isDigit(b) && hide > 0 {
			hide--
			b = '*'
		}
		dst = append(dst, b)
	}
	return dst
}

// lastAlnum is v's end with n letters or digits, which v must have.
func lastAlnum(v []byte, n int) []byte {
	i := len(v)
	for i > 0 && n > 0 {
		i--
		if isAlnum(v[i]) {
			n--
		}
	}
	return v[i:]
}

// keyPrefix is the part of a credential that says which kind it is.
func keyPrefix(v []byte) []byte {
	for k := range keyShapes {
		if p := keyShapes[k].prefix; bytes.HasPrefix(v, []byte(p)) {
			return v[:len(p)]
		}
	}
	return nil
}

// keepEnds keeps the first and last characters, together at most half of them,
// and puts a star for each of the others, up to maxStars.
func keepEnds(dst, v []byte, first, last int) []byte {
	n := utf8.RuneCount(v)
	first = min(first, n/2)
	last = min(last, n/2-first)
	from, to := 0, len(v)
	for i := 0; i < first; i++ {
		_, size := utf8.DecodeRune(v[from:])
		from += size
	}
	for i := 0; i < last; i++ {
		_, size := utf8.DecodeLastRune(v[:to])
		to -= size
	}
	dst = append(dst, v[:from]...)
	for i := min(n-first-last, maxStars); i > 0; i-- {
		dst = append(dst, '*')
	}
	return append(dst, v[to:]...)
}
