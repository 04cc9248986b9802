package mask

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Bounds of an e-mail address in bytes: RFC 5321 has 64 and 255 characters.
const (
	maxLocal  = 256
	maxDomain = 255
)

// emailAt finds the address around the at sign at t[at:at+n] ("@" or "%40").
// Nothing before floor is taken.
func emailAt(t []byte, at, n, floor int) match {
	start := localStart(t, at, max(floor, at-maxLocal))
	if start == at {
		return match{}
	}
	end := domainEnd(t, at+n)
	if end == 0 {
		return match{}
	}
	return match{start, end, detEmail}
}

// localStart walks back over the local part; it returns at when there is none.
func localStart(t []byte, at, floor int) int {
	if at > floor && t[at-1] == '"' {
		if i := bytes.LastIndexByte(t[floor:at-1], '"'); i >= 0 && floor+i < at-2 && at-floor-i < 70 {
			return floor + i
		}
		return at
	}
	i := at
	for i > floor {
		r, size := utf8.DecodeLastRune(t[floor:i])
		if !localRune(r, size) {
			break
		}
		i -= size
	}
	for i < at && (t[i] == '.' || t[i] == '\'' || t[i] == '-' || t[i] == '!') {
		i++
	}
	return i
}

// localRune takes letters and digits of any script, bytes that are no UTF-8
// (letters in a single-byte encoding), and the punctuation in real use.
func localRune(r rune, size int) bool {
	if r < utf8.RuneSelf {
		return isAlnum(byte(r)) || bytes.IndexByte([]byte("._%+-'!#$&^~"), byte(r)) >= 0
	}
	return r == utf8.RuneError && size == 1 || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// domainEnd is the end of the domain that begins at i, 0 when there is none.
func domainEnd(t []byte, i int) int {
	if i < len(t) && t[i] == '[' {
		return addressLiteralEnd(t, i)
	}
	limit := min(len(t), i+maxDomain)
	good, labels := 0, 0
	for i < limit {
		end, tld := label(t[:limit], i)
		if end == i {
			break
		}
		labels++
		if labels > 1 && tld > 0 {
			good = tld
		}
		if end >= limit || t[end] != '.' {
			break
		}
		i = end + 1
	}
	return good
}

// label reads one label of a domain. tld is where a top-level domain would
// end, 0 when the label cannot be one.
func label(t []byte, i int) (end, tld int) {
	start, letters, runes := i, true, 0
	for i < len(t) {
		r, size := utf8.DecodeRune(t[i:])
		switch {
		case r < utf8.RuneSelf && isAlpha(byte(r)), r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsMark(r)):
			if letters {
				runes++
				tld = i + size
			}
		case r == '-', r < utf8.RuneSelf && isDigit(byte(r)):
			if letters && r != '-' {
				tld = 0
			}
			letters = false
		default:
			return i, tldOK(t[start:i], runes, tld)
		}
		i += size
	}
	return i, tldOK(t[start:i], runes, tld)
}

func tldOK(label []byte, runes, tld int) int {
	if bytes.HasPrefix(label, []byte("xn--")) && len(label) > 4 {
		return tld - 2 + len(label)
	}
	if runes < 2 || fileSuffix(label) {
		return 0
	}
	return tld
}

// fileSuffix knows endings of file names ("icon@2x.png") that are no top-level domains.
func fileSuffix(label []byte) bool {
	switch string(label) {
	case "png", "jpg", "jpeg", "gif", "webp", "svg", "css", "html", "json", "yaml":
		return true
	}
	return false
}

// addressLiteralEnd reads [192.0.2.1] or [IPv6:…].
func addressLiteralEnd(t []byte, i int) int {
	for n := i + 1; n < min(len(t), i+48); n++ {
		switch b := t[n]; {
		case b == ']' && n > i+6:
			return n + 1
		case isHex(b), b == '.', b == ':', b == 'I', b == 'P', b == 'v':
		default:
			return 0
		}
	}
	return 0
}
