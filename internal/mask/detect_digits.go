package mask

// maxGroups and maxDigits bound what is read at once: a card has at most 19
// digits, a telephone number at most 15 and a prefix.
const (
	maxGroups = 8
	maxDigits = 24
)

// groups is a number as written: runs of digits with single separators.
type groups struct {
	n        int // groups read
	firstEnd int // where the first run ends, however long
	start    [maxGroups]int
	end      [maxGroups]int
	sep      [maxGroups]byte // separator before group i; 0xA0 is a no-break space
	digits   int
}

// read takes the groups that begin at i; t[i] is a digit. A first run of more
// than maxDigits gives no group.
func (g *groups) read(t []byte, i int) {
	at, sep := i, byte(0)
	for g.n < maxGroups {
		end := at
		for end < len(t) && isDigit(t[end]) {
			end++
		}
		if g.n == 0 {
			g.firstEnd = end
		}
		if g.digits+end-at > maxDigits {
			return
		}
		g.start[g.n], g.end[g.n], g.sep[g.n] = at, end, sep
		g.n++
		g.digits += end - at
		var next int
		if sep, next = separator(t, end); next == 0 {
			return
		}
		at = next
	}
}

// separator reads one separator at i that is followed by a digit; next is 0 without one.
func separator(t []byte, i int) (sep byte, next int) {
	if i >= len(t) {
		return 0, 0
	}
	next = i + 1
	switch sep = t[i]; {
	case sep == ' ', sep == '-', sep == '.', sep == '/':
	case sep == 0xC2 && i+1 < len(t) && t[i+1] == 0xA0:
		sep, next = 0xA0, i+2
	case sep == '%' && i+2 < len(t) && t[i+1] == '2' && t[i+2] == '0':
		sep, next = ' ', i+3
	case sep == '+' && i > 0:
		sep = ' ' // a blank in a URL's query
	default:
		return 0, 0
	}
	if next >= len(t) || !isDigit(t[next]) {
		return 0, 0
	}
	return sep, next
}

func (g *groups) size(i int) int { return g.end[i] - g.start[i] }

// sizes reports whether the first groups have the given sizes, with one sort
// of separator; it does not matter what follows.
func (g *groups) sizes(want ...int) bool {
	if g.n < len(want) {
		return false
	}
	for i, w := range want {
		if g.size(i) != w || i > 1 && g.sep[i] != g.sep[1] {
			return false
		}
	}
	return true
}

// cardAt checks whether a payment card number begins at the first group.
func cardAt(t []byte, g *groups) match {
	if g.n == 0 || !cardStart(t, g) {
		return match{}
	}
	for n := 1; n <= min(g.n, 5); n++ {
		if !cardGrouping(g, n) {
			continue
		}
		var buf [maxDigits]byte
		d := g.copyDigits(buf[:0], t, n)
		if plausibleIIN(d) && luhn(d) {
			return match{g.start[0], g.end[n-1], detCard}
		}
	}
	return match{}
}

// cardGrouping knows how cards are printed: unbroken or in their usual groups.
func cardGrouping(g *groups, n int) bool {
	if n > 1 && g.sep[1] == '/' {
		return false
	}
	switch n {
	case 1:
		return g.size(0) >= 13 && g.size(0) <= 19
	case 2:
		return g.sizes(8, 8) || g.sizes(6, 10)
	case 3:
		return g.sizes(4, 6, 5) || g.sizes(4, 6, 4)
	case 4:
		return g.sizes(4, 4, 4, 4) || g.sizes(4, 4, 4, 3) || g.sizes(4, 4, 4, 1)
	case 5:
		return g.sizes(4, 4, 4, 4, 3) || g.sizes(4, 4, 4, 4, 2) || g.sizes(4, 4, 4, 4, 1)
	}
	return false
}

// cardStart rejects the fraction of a number, a telephone number, and a piece
// of a hexadecimal string (a digest, a UUID).
func cardStart(t []byte, g *groups) bool {
	s := g.start[0]
	if s >= 2 && t[s-1] == '.' && isDigit(t[s-2]) {
		return false
	}
	if s >= 1 && t[s-1] == '+' && g.size(0) <= 15 && (s == 1 || !isAlnum(t[s-2])) {
		return false // E.164
	}
	hexBefore, hexAfter := 0, 0
	for i := s - 1; i >= 0 && isAlnum(t[i]) && hexBefore < 64; i-- {
		if !isHex(t[i]) {
			return true
		}
		hexBefore++
	}
	for i := g.end[0]; i < len(t) && isAlnum(t[i]) && hexAfter < 64; i++ {
		if !isHex(t[i]) {
			return true
		}
		hexAfter++
	}
	return hexBefore+hexAfter == 0 || boundaryBefore(t, s) && hexAfter == 0
}

func (g *groups) copyDigits(dst, t []byte, n int) []byte {
	for i := 0; i < n; i++ {
		dst = append(dst, t[g.start[i]:g.end[i]]...)
	}
	return dst
}

// luhn checks the check digit of ISO/IEC 7812-1.
func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// plausibleIIN knows the issuer ranges of the larger networks and their lengths.
func plausibleIIN(d []byte) bool {
	n := len(d)
	if n < 13 || n > 19 {
		return false
	}
	p := int(d[0]-'0')*1000 + int(d[1]-'0')*100 + int(d[2]-'0')*10 + int(d[3]-'0')
	switch {
	case p/1000 == 4: // Visa
		return n == 13 || n == 16 || n == 19
	case p/100 >= 51 && p/100 <= 55, p >= 2221 && p <= 2720: // Mastercard
		return n == 16
	case p/100 == 34 || p/100 == 37: // American Express
		return n == 15
	case p == 6011, p/100 == 65, p/10 >= 644 && p/10 <= 649, p/100 == 62, p/100 == 60, p/100 == 81: // Discover, UnionPay, RuPay
		return n >= 16
	case p >= 3528 && p <= 3589, p >= 2200 && p <= 2204: // JCB, Mir
		return n >= 16
	case p/100 == 36 || p/100 == 38 || p/100 == 39, p/10 >= 300 && p/10 <= 305, p/10 == 309: // Diners
		return n == 14 || n == 16
	case p == 5018, p == 5020, p == 5038, p == 5893, p == 6304, p == 6759, p/10 == 676: // Maestro
		return n == 16 || n >= 18
	}
	return false
}

// ssnAt checks for a US social security number: 3-2-4 digits with one sort of
// separator, or nine digits behind a word that names it.
func ssnAt(t []byte, g *groups) match {
	n := 3
	switch {
	case g.sizes(3, 2, 4) && (g.sep[1] == '-' || g.sep[1] == ' ' || g.sep[1] == 0xA0 || g.sep[1] == '.'):
		if g.n > 3 && g.sep[3] == g.sep[1] || chained(t, g) {
			return match{}
		}
	case g.n >= 1 && g.size(0) == 9 && keywordBefore(t, g.start[0], ssnWords):
		n = 1
	default:
		return match{}
	}
	end := g.end[n-1]
	if !boundaryBefore(t, g.start[0]) || end < len(t) && isAlnum(t[end]) {
		return match{}
	}
	var buf [maxDigits]byte
	d := g.copyDigits(buf[:0], t, n)
	area := string(d[:3])
	if area == "000" || area == "666" || d[0] == '9' || string(d[3:5]) == "00" || string(d[5:9]) == "0000" {
		return match{}
	}
	return match{g.start[0], end, detSSN}
}

var ssnWords = []string{"ssn", "social security", "socialsecurity", "social_security", "social sec"}

// chained reports whether the groups go on from digits before them with the
// same separator: they are then a part of a longer number.
func chained(t []byte, g *groups) bool {
	s := g.start[0]
	return s >= 2 && g.n > 1 && t[s-1] == g.sep[1] && isDigit(t[s-2])
}

// keywordBefore looks for one of the words in the few bytes before i, with at most
// a little punctuation between.
func keywordBefore(t []byte, i int, words []string) bool {
	end, gap := i, 0
	for end > 0 && gap < 8 && !isAlpha(t[end-1]) {
		if b := t[end-1]; isDigit(b) || b == '\n' || b >= 0x80 {
			return false
		}
		end--
		gap++
	}
	for skip := 0; skip < 2; skip++ {
		for _, w := range words {
			if end >= len(w) && equalFold(t[end-len(w):end], w) {
				return true
			}
		}
		end = skipWordBack(t, end)
	}
	return false
}

// skipWordBack steps over "number", "no" and the like in "SSN number: …".
func skipWordBack(t []byte, end int) int {
	for _, w := range [...]string{"number", "num", "nr", "no", "is"} {
		if end > len(w) && equalFold(t[end-len(w):end], w) {
			end -= len(w)
			for n := 0; n < 2 && end > 0 && (t[end-1] == ' ' || t[end-1] == '_' || t[end-1] == '-'); n++ {
				end--
			}
			return end
		}
	}
	return end
}

// equalFold compares with an ASCII word in lower case.
func equalFold(b []byte, word string) bool {
	for i := range b {
		c := b[i]
		if isUpper(c) {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
