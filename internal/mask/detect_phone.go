package mask

// phoneAt checks for a telephone number that begins with a plus or with a
// parenthesis: +44 20 7946 0958, (555) 234-5678, (030) 1234567.
func phoneAt(t []byte, i int) match {
	if i > 0 && (isAlnum(t[i-1]) && !boundaryBefore(t, i) || t[i-1] == '+') {
		return match{}
	}
	if t[i] == '+' {
		return plusPhone(t, i)
	}
	return parenPhone(t, i)
}

// plusPhone reads an E.164 number: 8 to 15 digits, the first not 0, with
// separators and one group in parentheses.
func plusPhone(t []byte, i int) match {
	at := i + 1
	if at >= len(t) || t[at] < '1' || t[at] > '9' {
		return match{}
	}
	digits, seps, end, run := 0, 0, 0, 0
	for at < len(t) {
		switch b := t[at]; {
		case isDigit(b):
			digits++
			run++
			seps = 0
			if at+1 == len(t) || !isDigit(t[at+1]) {
				if digits <= 15 {
					end = at + 1
				}
			}
		case phoneSep(b) && seps < 2 && digits > 0:
			seps++
			run = 0
		default:
			return plusEnd(t, i, end)
		}
		if digits > 15 {
			break
		}
		at++
	}
	if run > 15 {
		return match{}
	}
	return plusEnd(t, i, end)
}

func plusEnd(t []byte, start, end int) match {
	n := 0
	for _, b := range t[start:max(start, end)] {
		if isDigit(b) {
			n++
		}
	}
	if n < 8 || end < len(t) && isAlnum(t[end]) {
		return match{}
	}
	return match{start, end, detPhone}
}

func phoneSep(b byte) bool {
	switch b {
	case ' ', '-', '.', '/', '(', ')', 0xC2, 0xA0:
		return true
	}
	return false
}

// parenPhone reads (555) 234-5678 and (030) 123 4567.
func parenPhone(t []byte, i int) match {
	n := i + 1
	for n < len(t) && n < i+7 && isDigit(t[n]) {
		n++
	}
	size := n - i - 1
	if size < 2 || n >= len(t) || t[n] != ')' {
		return match{}
	}
	n++
	if n < len(t) && (t[n] == ' ' || t[n] == '-') {
		n++
	}
	if n >= len(t) || !isDigit(t[n]) {
		return match{}
	}
	var g groups
	g.read(t, n)
	if size == 3 && t[i+1] >= '2' && g.sizes(3, 4) && t[g.start[0]] >= '2' && clean(t, g.end[1]) {
		return match{i, g.end[1], detPhone}
	}
	if t[i+1] != '0' || t[i+2] == '0' {
		return match{}
	}
	total := size
	for k := 0; k < g.n; k++ {
		total += g.size(k)
		if total >= 9 && total <= 12 && (k+1 == g.n || g.sep[k+1] == '.') && clean(t, g.end[k]) {
			return match{i, g.end[k], detPhone}
		}
	}
	return match{}
}

// clean reports whether a number may end at i.
func clean(t []byte, i int) bool { return i >= len(t) || !isAlnum(t[i]) }

var phoneWords = []string{"tel", "phone", "telephone", "telefon", "mobile", "mobil", "cell", "fax", "whatsapp", "sms", "call", "handy"}

// nationalPhone checks for the common national forms. Digits alone are one
// only behind a word that says so.
func nationalPhone(t []byte, g *groups) match {
	if g.n == 0 || !boundaryBefore(t, g.start[0]) || chained(t, g) {
		return match{}
	}
	n := nanp(t, g)
	if n == 0 {
		n = trunkZero(t, g)
	}
	if n == 0 {
		n = doubleZero(t, g)
	}
	if n == 0 && keywordBefore(t, g.start[0], phoneWords) {
		n = anyPhone(g)
	}
	if n == 0 || !clean(t, g.end[n-1]) || g.n > n && g.sep[n] == g.sep[min(n-1, 1)] && n > 1 {
		return match{}
	}
	return match{g.start[0], g.end[n-1], detPhone}
}

// nanp is the North American form: 555-234-5678, 1-555-234-5678.
func nanp(t []byte, g *groups) int {
	o := 0
	if g.sizes(1, 3, 3, 4) && t[g.start[0]] == '1' {
		o = 1
	} else if !g.sizes(3, 3, 4) {
		return 0
	}
	if t[g.start[o]] < '2' || t[g.start[o+1]] < '2' || g.sep[1] == '/' {
		return 0
	}
	return o + 3
}

// trunkZero is the form of much of the world: 020 7946 0958, 0171/1234567,
// 06 12 34 56 78: ten to twelve digits, groups of two and more.
func trunkZero(t []byte, g *groups) int {
	first := t[g.start[0]:g.end[0]]
	if len(first) < 2 || len(first) > 6 || first[0] != '0' || first[1] == '0' || g.n < 2 {
		return 0
	}
	total, n := len(first), 1
	for n < g.n && g.size(n) >= 2 && (n < 2 || g.sep[n] == g.sep[2] || n == 2) && (n == 1 || g.sep[n] != '/') && total+g.size(n) <= 12 {
		total += g.size(n)
		n++
	}
	if total < 10 || n < 2 || g.sep[1] == '.' && !g.sizes(2, 2, 2, 2, 2) {
		return 0
	}
	return n
}

// doubleZero is the international prefix: 0049 30 1234567, 00 44 20 7946 0958.
func doubleZero(t []byte, g *groups) int {
	first := t[g.start[0]:g.end[0]]
	if len(first) < 2 || len(first) > 5 || first[0] != '0' || first[1] != '0' || g.n < 3 || len(first) > 2 && first[2] == '0' {
		return 0
	}
	total := 0
	for k := 0; k < g.n; k++ {
		if g.sep[k] == '.' {
			return 0
		}
		total += g.size(k)
	}
	if total < 11 || total > 17 {
		return 0
	}
	return g.n
}

// anyPhone takes 7 to 15 digits as they stand.
func anyPhone(g *groups) int {
	total, n := 0, 0
	for k := 0; k < g.n && total+g.size(k) <= 15; k++ {
		total += g.size(k)
		n = k + 1
	}
	if total < 7 {
		return 0
	}
	return n
}
