package mask

import (
	"bytes"
	"fmt"
	"strings"
)

// detector is one sort of value that is recognised in text by its shape.
type detector uint8

const (
	detEmail detector = iota
	detCard
	detIBAN
	detSSN
	detPhone
	detJWT
	detAPIKey
	detCount
)

var detectorNames = [detCount]string{"email", "card", "iban", "us_ssn", "phone", "jwt", "api_key"}

func (d detector) String() string { return detectorNames[d] }

func detectorByName(name string) (detector, error) {
	for d, n := range detectorNames {
		if n == name {
			return detector(d), nil
		}
	}
	return 0, fmt.Errorf("unknown detector %q: use %s", name, strings.Join(detectorNames[:], ", "))
}

// detSet is a set of detectors, one bit each.
type detSet uint8

func (s detSet) has(d detector) bool { return s&(1<<d) != 0 }

// match is one find: t[start:end] is what is to be hidden.
type match struct {
	start, end int
	det        detector
}

// charClass says at which bytes a detector may begin its work.
const (
	chAlpha = iota + 1
	chDigit
	chAt
	chEscape // % and \, which may open an escape
	chPlus
	chParen
	chDash
)

var charClass = func() (c [256]uint8) {
	for b := 'a'; b <= 'z'; b++ {
		c[b], c[b-'a'+'A'] = chAlpha, chAlpha
	}
	for b := '0'; b <= '9'; b++ {
		c[b] = chDigit
	}
	c['@'], c['%'], c['\\'], c['+'], c['('], c['-'] = chAt, chEscape, chEscape, chPlus, chParen, chDash
	return c
}()

// next finds the first match in t that lies at or after from. Each byte is
// looked at a bounded number of times, so the time is linear in len(t).
func (s detSet) next(t []byte, from int) (match, bool) {
	for i := from; i < len(t); {
		var m match
		step := 1
		switch charClass[t[i]] {
		case 0:
			i++
			continue
		case chAlpha:
			m, step = s.word(t, i)
		case chDigit:
			m, step = s.digits(t, i)
		case chAt:
			if s.has(detEmail) {
				m = emailAt(t, i, 1, from)
			}
		case chEscape:
			step = escapeLen(t, i)
			if step == 3 && t[i+1] == '4' && t[i+2] == '0' && s.has(detEmail) {
				m = emailAt(t, i, 3, from)
			}
		case chPlus, chParen:
			if s.has(detPhone) {
				m = phoneAt(t, i)
			}
		case chDash:
			if s.has(detAPIKey) {
				m, step = pemAt(t, i)
			}
		}
		if m.end > 0 {
			return m, true
		}
		i += step
	}
	return match{}, false
}

// word looks at a run of letters that begins at i; step leads past it.
func (s detSet) word(t []byte, i int) (m match, step int) {
	if s&(1<<detIBAN|1<<detJWT|1<<detAPIKey) != 0 && boundaryBefore(t, i) {
		if m = s.token(t, i); m.end > 0 {
			return m, 0
		}
	}
	n := i + 1
	for n < len(t) && charClass[t[n]] == chAlpha {
		n++
	}
	return match{}, n - i
}

func (s detSet) token(t []byte, i int) match {
	if s.has(detJWT) && t[i] == 'e' {
		if m := jwtAt(t, i); m.end > 0 {
			return m
		}
	}
	if s.has(detAPIKey) {
		if m := keyAt(t, i); m.end > 0 {
			return m
		}
	}
	if s.has(detIBAN) {
		return ibanAt(t, i)
	}
	return match{}
}

// digits looks at a run of digits that begins at i; step leads past it.
func (s detSet) digits(t []byte, i int) (m match, step int) {
	var g groups
	g.read(t, i)
	if s.has(detCard) {
		if m = cardAt(t, &g); m.end > 0 {
			return m, 0
		}
	}
	if s.has(detSSN) {
		if m = ssnAt(t, &g); m.end > 0 {
			return m, 0
		}
	}
	if s.has(detPhone) {
		if m = nationalPhone(t, &g); m.end > 0 {
			return m, 0
		}
	}
	return match{}, g.firstEnd - i
}

// boundaryBefore reports whether a token may begin at i: not inside a word,
// but after %XX of a URL, or \n, \u000a of a string literal.
func boundaryBefore(t []byte, i int) bool {
	if i == 0 || !isAlnum(t[i-1]) {
		return true
	}
	for _, n := range [...]int{2, 3, 6} {
		if i >= n && charClass[t[i-n]] == chEscape && escapeLen(t[:i], i-n) == n {
			return true
		}
	}
	return false
}

// escapeLen is the length of the escape at i (%XX, \n, \uXXXX), 1 when there is none.
func escapeLen(t []byte, i int) int {
	if t[i] == '%' {
		if i+2 < len(t) && isHex(t[i+1]) && isHex(t[i+2]) {
			return 3
		}
		return 1
	}
	if i+1 < len(t) && bytes.IndexByte([]byte("nrtbf"), t[i+1]) >= 0 {
		return 2
	}
	if i+5 < len(t) && t[i+1] == 'u' && isHex(t[i+2]) && isHex(t[i+3]) && isHex(t[i+4]) && isHex(t[i+5]) {
		return 6
	}
	return 1
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
func isUpper(b byte) bool { return b >= 'A' && b <= 'Z' }
func isAlpha(b byte) bool { return charClass[b] == chAlpha }
func isAlnum(b byte) bool { return charClass[b] == chAlpha || charClass[b] == chDigit }
func isHex(b byte) bool {
	return isDigit(b) || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}
