package mask

// ibanLength is the length of an IBAN by country, from the IBAN registry.
var ibanLength = map[[2]byte]int{
	{'A', 'D'}: 24, {'A', 'E'}: 23, {'A', 'L'}: 28, {'A', 'T'}: 20, {'A', 'Z'}: 28, {'B', 'A'}: 20, {'B', 'E'}: 16, {'B', 'G'}: 22,
	{'B', 'H'}: 22, {'B', 'I'}: 27, {'B', 'R'}: 29, {'B', 'Y'}: 28, {'C', 'H'}: 21, {'C', 'R'}: 22, {'C', 'Y'}: 28, {'C', 'Z'}: 24,
	{'D', 'E'}: 22, {'D', 'J'}: 27, {'D', 'K'}: 18, {'D', 'O'}: 28, {'E', 'E'}: 20, {'E', 'G'}: 29, {'E', 'S'}: 24, {'F', 'I'}: 18,
	{'F', 'K'}: 18, {'F', 'O'}: 18, {'F', 'R'}: 27, {'G', 'B'}: 22, {'G', 'E'}: 22, {'G', 'I'}: 23, {'G', 'L'}: 18, {'G', 'R'}: 27,
	{'G', 'T'}: 28, {'H', 'N'}: 28, {'H', 'R'}: 21, {'H', 'U'}: 28, {'I', 'E'}: 22, {'I', 'L'}: 23, {'I', 'Q'}: 23, {'I', 'S'}: 26,
	{'I', 'T'}: 27, {'J', 'O'}: 30, {'K', 'W'}: 30, {'K', 'Z'}: 20, {'L', 'B'}: 28, {'L', 'C'}: 32, {'L', 'I'}: 21, {'L', 'T'}: 20,
	{'L', 'U'}: 20, {'L', 'V'}: 21, {'L', 'Y'}: 25, {'M', 'C'}: 27, {'M', 'D'}: 24, {'M', 'E'}: 22, {'M', 'K'}: 19, {'M', 'N'}: 20,
	{'M', 'R'}: 27, {'M', 'T'}: 31, {'M', 'U'}: 30, {'N', 'I'}: 28, {'N', 'L'}: 18, {'N', 'O'}: 15, {'O', 'M'}: 23, {'P', 'K'}: 24,
	{'P', 'L'}: 28, {'P', 'S'}: 29, {'P', 'T'}: 25, {'Q', 'A'}: 29, {'R', 'O'}: 24, {'R', 'S'}: 22, {'R', 'U'}: 33, {'S', 'A'}: 24,
	{'S', 'C'}: 31, {'S', 'D'}: 18, {'S', 'E'}: 24, {'S', 'I'}: 19, {'S', 'K'}: 24, {'S', 'M'}: 27, {'S', 'O'}: 23, {'S', 'T'}: 25,
	{'S', 'V'}: 28, {'T', 'L'}: 23, {'T', 'N'}: 24, {'T', 'R'}: 26, {'U', 'A'}: 29, {'V', 'A'}: 22, {'V', 'G'}: 24, {'X', 'K'}: 20,
	{'Y', 'E'}: 30,
}

// maxIBAN is the longest IBAN that ISO 13616 allows.
const maxIBAN = 34

// ibanAt checks for an IBAN whose country begins at i: right length for the
// country, check digits by ISO 7064 mod 97-10; single blanks or hyphens may
// stand between, in either case.
func ibanAt(t []byte, i int) match {
	if i+14 >= len(t) || !isAlpha(t[i+1]) {
		return match{}
	}
	if !isDigit(t[i+2]) && !(isDigit(t[min(i+3, len(t)-1)]) && (t[i+2] == ' ' || t[i+2] == '-')) {
		return match{}
	}
	want, ok := ibanLength[[2]byte{upper(t[i]), upper(t[i+1])}]
	if !ok {
		return match{}
	}
	var buf [maxIBAN]byte
	id, at := buf[:0], i
	for at < len(t) && len(id) < want {
		switch b := t[at]; {
		case isAlnum(b):
			id = append(id, upper(b))
		case (b == ' ' || b == '-') && at+1 < len(t) && isAlnum(t[at+1]):
		case b == 0xC2 && at+1 < len(t) && t[at+1] == 0xA0:
			at++
		default:
			return match{}
		}
		at++
	}
	if len(id) < want || at < len(t) && isAlnum(t[at]) || !mod97(id) {
		return match{}
	}
	return match{i, at, detIBAN}
}

func upper(b byte) byte {
	if b >= 'a' && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}

func mod97(id []byte) bool {
	if !isDigit(id[2]) || !isDigit(id[3]) {
		return false
	}
	m := 0
	for k := range id {
		b := id[(k+4)%len(id)]
		if isDigit(b) {
			m = (m*10 + int(b-'0')) % 97
		} else {
			m = (m*100 + int(b-'A') + 10) % 97
		}
	}
	return m == 1
}
