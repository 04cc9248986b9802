package login

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// prepare is SASLprep (RFC 4013) as PostgreSQL does it: a password that is not
// UTF-8, or that has a prohibited character, is taken as it is.
func prepare(password string) string {
	if isPlain(password) || !utf8.ValidString(password) {
		return password
	}
	mapped := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Zs, r), r == 0x200b: // C.1.2
			return ' '
		case r == 0xad, r == 0x34f, r == 0x1806, r >= 0x180b && r <= 0x180d, r >= 0x200c && r <= 0x200d,
			r == 0x2060, r >= 0xfe00 && r <= 0xfe0f, r == 0xfeff: // B.1
			return -1
		}
		return r
	}, password)
	out := norm.NFKC.String(mapped)
	if out == "" || strings.ContainsFunc(out, prohibited) {
		return password
	}
	return out
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// prohibited are the characters of RFC 4013, section 2.3, that have a class of
// their own in Unicode.
func prohibited(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cs, r) ||
		r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe || // non-characters
		r >= 0xfff9 && r <= 0xfffd || r >= 0x2ff0 && r <= 0x2ffb ||
		r == 0x340 || r == 0x341 || r >= 0x200e && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x206a && r <= 0x206f || r >= 0xe0000 && r <= 0xe007f
}
