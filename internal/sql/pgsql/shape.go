package pgsql

// Placeholders in a shape, one for each class of literal. Shape refuses texts
// that hold such bytes themselves.
const (
	shapeInt    = 1 // an integer of 32 bits
	shapeNumber = 2
	shapeString = 3
)

// Shape is the text with its plain literals replaced by placeholders. Texts of
// one shape have one parse tree, those literals apart. It refuses whatever is
// not trivial to lex: comments, backslashes, dollar quotes, prefixed or
// continued strings, bytes over 127.
func Shape(text string) (key string, ok bool) {
	var buf [512]byte
	dst, ok := AppendShape(buf[:0], text)
	if !ok {
		return "", false
	}
	return string(dst), true
}

// AppendShape appends the shape of text to dst. When it refuses, what it returns is to be dropped.
func AppendShape(dst []byte, text string) ([]byte, bool) {
	keep := false // the next number stays: its value is part of the meaning
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			dst = append(dst, c)
			i++
		case c < ' ' || c >= 0x7f || c == '\\':
			return dst, false
		case isLetter(c):
			j := wordEnd(text, i)
			if j < len(text) && (text[j] == '\'' || text[j] == '&' && j+1 < len(text) && (text[j+1] == '\'' || text[j+1] == '"')) {
				return dst, false
			}
			dst = append(dst, text[i:j]...)
			keep = keepsNumber(text[i:j])
			i = j
		case isDigit(c):
			j, class, ok := number(text, i)
			if !ok {
				return dst, false
			}
			if keep {
				dst = append(dst, text[i:j]...)
			} else {
				dst = append(dst, class)
			}
			keep = false
			i = j
		case c == '\'':
			j, ok := plainString(text, i)
			if !ok {
				return dst, false
			}
			dst = append(dst, shapeString)
			keep = false
			i = j
		case c == '"':
			j := quotedName(text, i)
			if j < 0 {
				return dst, false
			}
			dst = append(dst, text[i:j]...)
			keep = false
			i = j
		case c == '$':
			j := i + 1
			for j < len(text) && isDigit(text[j]) {
				j++
			}
			if j == i+1 || j < len(text) && isWordByte(text[j]) {
				return dst, false
			}
			dst = append(dst, text[i:j]...)
			keep = false
			i = j
		default:
			if i+1 < len(text) && (c == '-' && text[i+1] == '-' || c == '/' && text[i+1] == '*' || c == '.' && isDigit(text[i+1])) {
				return dst, false
			}
			dst = append(dst, c)
			if c != '(' && c != '-' && c != '+' {
				keep = false
			}
			i++
		}
	}
	return dst, true
}

// keepsNumber reports the words after which a number is part of the meaning:
// LIMIT 10 is a fact, FLOAT(10) is another type than FLOAT(30), and the
// precision of LOCALTIME(2) is no literal in the parse tree.
func keepsNumber(word string) bool {
	switch len(word) {
	case 5:
		return foldEqual(word, "limit") || foldEqual(word, "float")
	case 9:
		return foldEqual(word, "localtime")
	case 12:
		return foldEqual(word, "current_time")
	case 14:
		return foldEqual(word, "localtimestamp")
	case 17:
		return foldEqual(word, "current_timestamp")
	}
	return false
}

// foldEqual compares a word of ASCII with one in lower case of the same length.
func foldEqual(word, lower string) bool {
	for i := range len(lower) {
		if c := word[i]; c != lower[i] && (c < 'A' || c > 'Z' || c|0x20 != lower[i]) {
			return false
		}
	}
	return true
}

func wordEnd(text string, i int) int {
	for i < len(text) && text[i] < 0x80 && isWordByte(text[i]) {
		i++
	}
	return i
}

// number is the end and the class of the plain number at i.
func number(text string, i int) (end int, class byte, ok bool) {
	j := i
	for j < len(text) && isDigit(text[j]) {
		j++
	}
	class = shapeInt
	if digits := text[i:j]; len(digits) > 9 && !fitsInt32(digits) {
		class = shapeNumber
	}
	if j < len(text) && text[j] == '.' {
		k := j + 1
		for k < len(text) && isDigit(text[k]) {
			k++
		}
		if k == j+1 {
			return 0, 0, false
		}
		j, class = k, shapeNumber
	}
	if j < len(text) && (isWordByte(text[j]) || text[j] == '.') {
		return 0, 0, false
	}
	return j, class, true
}

func fitsInt32(digits string) bool {
	n := int64(0)
	for i := range len(digits) {
		if n = n*10 + int64(digits[i]-'0'); n > 1<<31-1 {
			return false
		}
	}
	return true
}

// plainString is the end of the string at i; another quote may not follow it, nor stand right before.
func plainString(text string, i int) (end int, ok bool) {
	for j := i + 1; j < len(text); j++ {
		switch c := text[j]; {
		case c == '\\' || c >= 0x7f || c < ' ' && c != '\n' && c != '\t' && c != '\r':
			return 0, false
		case c == '\'':
			if j+1 < len(text) && text[j+1] == '\'' {
				j++
				continue
			}
			for k := j + 1; k < len(text); k++ {
				if text[k] == '\'' {
					return 0, false
				}
				if !isSpace(text[k]) {
					break
				}
			}
			return j + 1, true
		}
	}
	return 0, false
}

// quotedName is the end of the quoted name at i, or -1.
func quotedName(text string, i int) int {
	for j := i + 1; j < len(text); j++ {
		switch c := text[j]; {
		case c < ' ' || c >= 0x7f || c == '\\':
			return -1
		case c == '"':
			if j+1 < len(text) && text[j+1] == '"' {
				j++
				continue
			}
			if j == i+1 {
				return -1 // an empty name is an error
			}
			return j + 1
		}
	}
	return -1
}
