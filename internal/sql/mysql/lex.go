package mysql

import (
	"errors"
	"fmt"
	"strings"
)

// Mode is what the meaning of a text depends on beside its bytes.
type Mode struct {
	SQLMode string // as @@sql_mode has it
	MariaDB bool
	Version int // 80015, 101119
}

func (m *Mode) has(name string) bool { return strings.Contains(","+m.SQLMode+",", ","+name+",") }

// ansi reports whether double quotes quote names.
func (m *Mode) ansi() bool { return m.has("ANSI_QUOTES") }

// backslash reports whether a backslash escapes within strings.
func (m *Mode) backslash() bool { return !m.has("NO_BACKSLASH_ESCAPES") }

// foreign reports whether the mode makes another language of the text.
func (m *Mode) foreign() bool {
	return m.has("ORACLE") || m.has("MSSQL") || m.has("DB2") || m.has("MAXDB")
}

// Errors of Normalize. All mean that server and gateway could read the text differently.
var (
	errUnclosed = errors.New("a string, name or comment is not closed")
	errByte     = errors.New("a character that is not known outside of quotes")
	errNumber   = errors.New("a number or name that begins with a digit and can be read in two ways")
)

// Normalize gives the text without comments: a versioned one is code when the server's version runs it, and gone
// otherwise; optimizer hints stay. An error means that the text is not to be trusted.
func Normalize(text string, m Mode) (string, error) {
	n := normalizer{in: text, mode: m, backslash: m.backslash(), ansi: m.ansi()}
	if err := n.run(); err != nil {
		return "", err
	}
	if !n.changed {
		return text, nil
	}
	// What stood around a comment may be one itself now.
	again := normalizer{in: string(n.out), mode: m, backslash: n.backslash, ansi: n.ansi}
	if err := again.run(); err != nil || again.changed {
		return "", errByte
	}
	return string(n.out), nil
}

type normalizer struct {
	in              string
	out             []byte
	mode            Mode
	backslash, ansi bool
	open            int // versioned comments whose code we are in
	changed         bool
	kept            int // of in, up to here is in out
}

// cut leaves in[from:to] out and puts a blank in its place.
func (n *normalizer) cut(from, to int) {
	n.out = append(append(n.out, n.in[n.kept:from]...), ' ')
	n.kept, n.changed = to, true
}

func (n *normalizer) run() error {
	for i := 0; i < len(n.in); {
		next, err := n.token(i)
		if err != nil {
			return err
		}
		i = next
	}
	if n.open > 0 {
		return errUnclosed
	}
	n.out = append(n.out, n.in[n.kept:]...)
	return nil
}

// token takes what is at i and gives where the next begins.
func (n *normalizer) token(i int) (int, error) {
	s := n.in
	switch c := s[i]; {
	case c == '\'' || c == '"' || c == '`':
		return n.quoted(i)
	case c == '#', c == '-' && strings.HasPrefix(s[i:], "--") && (i+2 == len(s) || s[i+2] <= ' ' || s[i+2] == 0x7f):
		end := strings.IndexByte(s[i:], '\n')
		if end < 0 {
			end = len(s) - i
		}
		n.cut(i, i+end)
		return i + end, nil
	case c == '/' && strings.HasPrefix(s[i:], "/*"):
		return n.comment(i)
	case c == '*' && strings.HasPrefix(s[i:], "*/") && n.open > 0:
		n.open--
		n.cut(i, i+2)
		return i + 2, nil
	case isDigit(c) || c == '.' && i+1 < len(s) && isDigit(s[i+1]):
		return n.number(i)
	case isWord(c):
		for i < len(s) && isWord(s[i]) {
			i++
		}
		return i, nil
	case c < ' ' && !isSpace(c), c >= 0x7f, c == '\\':
		return 0, fmt.Errorf("%w: %#x", errByte, c)
	}
	return i + 1, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
}
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// quoted passes a string or name. A quote is doubled, or in a string escaped.
func (n *normalizer) quoted(i int) (int, error) {
	quote := n.in[i]
	escapes := n.backslash && quote != '`' && !(quote == '"' && n.ansi)
	for i++; i < len(n.in); i++ {
		switch {
		case n.in[i] == '\\' && escapes:
			i++
		case n.in[i] == quote && i+1 < len(n.in) && n.in[i+1] == quote:
			i++
		case n.in[i] == quote:
			return i + 1, nil
		case n.in[i] == 0 && quote != '\'' && quote != '"':
			return 0, errByte
		}
	}
	return 0, errUnclosed
}

// number passes a number. What could be a number with an exponent, or a name, is refused: servers and parsers
// differ about 1e, 1.e, 2.e(…) and names like 1st. Names in quotes have no such trouble.
func (n *normalizer) number(i int) (int, error) {
	s, start := n.in, i
	for i < len(s) && isWord(s[i]) {
		i++
	}
	word := s[start:i]
	if len(word) > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'b') {
		digits := "0123456789abcdefABCDEF"
		if word[1] == 'b' {
			digits = "01"
		}
		if strings.Trim(word[2:], digits) != "" || i < len(s) && s[i] == '.' {
			return 0, errNumber
		}
		return i, nil
	}
	digits := strings.TrimLeft(word, "0123456789")
	if i < len(s) && s[i] == '.' && digits == "" {
		i++
		frac := i
		for i < len(s) && isWord(s[i]) {
			i++
		}
		digits = strings.TrimLeft(s[frac:i], "0123456789")
	}
	if digits == "" {
		return i, nil
	}
	if digits[0] != 'e' && digits[0] != 'E' {
		return 0, errNumber
	}
	if digits = digits[1:]; digits == "" { // 1e+5
		if i+1 < len(s) && (s[i] == '+' || s[i] == '-') && isDigit(s[i+1]) {
			i++
			for i < len(s) && isDigit(s[i]) {
				i++
			}
			if i < len(s) && (isWord(s[i]) || s[i] == '.') {
				return 0, errNumber
			}
			return i, nil
		}
		return 0, errNumber
	}
	if strings.TrimLeft(digits, "0123456789") != "" || i < len(s) && s[i] == '.' {
		return 0, errNumber
	}
	return i, nil
}

// comment takes what begins with a slash and a star.
func (n *normalizer) comment(i int) (int, error) {
	rest := n.in[i+2:]
	maria := strings.HasPrefix(rest, "M!")
	if strings.HasPrefix(rest, "!") || maria {
		head := 2 + strings.IndexByte(rest, '!') + 1
		digits := 0
		for digits < 6 && i+head+digits < len(n.in) && isDigit(n.in[i+head+digits]) {
			digits++
		}
		if n.runs(n.in[i+head:i+head+digits], maria) {
			n.open++
			n.cut(i, i+head+digits)
			return i + head + digits, nil
		}
		return n.skip(i, true)
	}
	if strings.HasPrefix(rest, "+") {
		end := strings.Index(rest, "*/")
		if end < 0 {
			return 0, errUnclosed
		}
		if harmlessHint(rest[1:end]) {
			return i + 2 + end + 2, nil
		}
	}
	return n.skip(i, false)
}

// runs reports whether the server runs a comment of that version.
func (n *normalizer) runs(version string, maria bool) bool {
	if maria && !n.mode.MariaDB || len(version) > 0 && len(version) < 5 {
		return false
	}
	v := 0
	for _, d := range version {
		v = v*10 + int(d-'0')
	}
	if n.mode.MariaDB && !maria && v >= 50700 && v <= 99999 {
		return false // of MySQL, which MariaDB is not
	}
	return v <= n.mode.Version
}

// skip leaves a comment out. Within one of a version comments may be nested.
func (n *normalizer) skip(i int, nested bool) (int, error) {
	depth, at := 1, i+2
	for depth > 0 {
		end := strings.Index(n.in[at:], "*/")
		if end < 0 {
			return 0, errUnclosed
		}
		if inner := strings.Index(n.in[at:at+end], "/*"); nested && inner >= 0 {
			depth++
			at += inner + 2
			continue
		}
		depth--
		at += end + 2
	}
	n.cut(i, at)
	return at, nil
}

// harmlessHint reports whether a hint holds nothing but names and numbers. SET_VAR would change what is known of
// the session.
func harmlessHint(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) && !isSpace(s[i]) && !strings.ContainsRune("(),@.", rune(s[i])) {
			return false
		}
	}
	return !strings.Contains(strings.ToLower(s), "set_var")
}
