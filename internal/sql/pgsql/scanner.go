package pgsql

import (
	"strings"
)

type token uint8

const (
	tokenEnd token = iota
	tokenWord
	tokenOther // one character of punctuation, or an operator
	tokenValue // a literal, a quoted name, a parameter
)

// scanner splits a text into tokens as PostgreSQL's scan.l does, with
// standard_conforming_strings on, closely enough to count them: it must agree
// on where strings, comments and quoted names begin and end. What it does not
// understand is an error.
type scanner struct {
	text string
	pos  int
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '$' }

// isNumberByte: what may go on a number or a parameter. A dollar does not: it begins the next token.
func isNumberByte(c byte) bool { return isLetter(c) || isDigit(c) }

func (s *scanner) fail(why string) error { return &ParseError{why, s.pos} }

// numberLen is the length of a number, which has one point at most; two beside each other are none of it.
func numberLen(t string) int {
	n, point := 1, t[0] == '.'
	for ; n < len(t); n++ {
		if t[n] == '.' {
			if point || n+1 < len(t) && t[n+1] == '.' {
				return n
			}
			point = true
		} else if !isNumberByte(t[n]) {
			return n
		}
	}
	return n
}

// next returns the next token; word is its text for words and punctuation.
func (s *scanner) next() (token, string, error) {
	if err := s.skip(); err != nil {
		return tokenEnd, "", err
	}
	if s.pos >= len(s.text) {
		return tokenEnd, "", nil
	}
	rest := s.text[s.pos:]
	switch c := rest[0]; {
	case c == '\'':
		return tokenValue, "", s.quoted('\'', false)
	case c == '"':
		return tokenValue, "", s.quoted('"', false)
	case c == '$':
		return s.dollar()
	case isLetter(c):
		return s.word()
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		s.pos += numberLen(rest)
		return tokenValue, "", nil
	}
	s.pos++
	return tokenOther, rest[:1], nil
}

// skip passes blanks and comments; comments nest.
func (s *scanner) skip() error {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch {
		case isSpace(rest[0]):
			s.pos++
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				n = len(rest)
			}
			s.pos += n
		case strings.HasPrefix(rest, "/*"):
			n := commentEnd(rest)
			if n < 0 {
				return s.fail("unterminated comment")
			}
			s.pos += n
		default:
			return nil
		}
	}
	return nil
}

func commentEnd(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch {
		case s[i] == '/' && s[i+1] == '*':
			depth++
			i++
		case s[i] == '*' && s[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// quoted passes a string or a quoted name at pos; escapes says that backslashes count.
func (s *scanner) quoted(q byte, escapes bool) error {
	return s.until(q, escapes, true)
}

// until is the rest of quoted text. In bit strings a doubled quote is none: the first ends the one, and the second
// begins another.
func (s *scanner) until(q byte, escapes, doubles bool) error {
	for i := s.pos + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\' && escapes:
			i++
		case c == q && doubles && i+1 < len(s.text) && s.text[i+1] == q:
			i++
		case c == q:
			s.pos = i + 1
			if escapes && s.continues() {
				return s.fail("a continued string with escapes")
			}
			return nil
		}
	}
	return s.fail("unterminated quoted text")
}

// continues reports whether another quote follows after blanks: its text goes on
// with the rules of the first part.
func (s *scanner) continues() bool {
	t := s.text[s.pos:]
	for t != "" {
		switch {
		case isSpace(t[0]):
			t = t[1:]
		case strings.HasPrefix(t, "--"):
			n := strings.IndexAny(t, "\r\n")
			if n < 0 {
				return false
			}
			t = t[n:]
		default:
			return t[0] == '\''
		}
	}
	return false
}

// word passes a name or keyword, or a string with a letter before its quote.
func (s *scanner) word() (token, string, error) {
	n := 0
	rest := s.text[s.pos:]
	for n < len(rest) && isWordByte(rest[n]) {
		n++
	}
	if n == 1 && len(rest) > 1 {
		switch c := rest[0] | 0x20; {
		case c == 'e' && rest[1] == '\'':
			s.pos++
			return tokenValue, "", s.quoted('\'', true)
		case (c == 'b' || c == 'x') && rest[1] == '\'':
			s.pos++
			return tokenValue, "", s.until('\'', false, false)
		case c == 'n' && rest[1] == '\'':
			s.pos++
			return tokenValue, "", s.quoted('\'', false)
		case c == 'u' && rest[1] == '&' && len(rest) > 2 && (rest[2] == '\'' || rest[2] == '"'):
			s.pos += 2
			return tokenValue, "", s.quoted(rest[2], false)
		}
	}
	s.pos += n
	return tokenWord, rest[:n], nil
}

// dollar passes a parameter or a dollar-quoted string.
func (s *scanner) dollar() (token, string, error) {
	rest := s.text[s.pos:]
	n := 1
	if n < len(rest) && isDigit(rest[n]) {
		for n < len(rest) && isNumberByte(rest[n]) {
			n++
		}
		s.pos += n
		return tokenValue, "", nil
	}
	for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])) {
		n++
	}
	if n >= len(rest) || rest[n] != '$' {
		s.pos++
		return tokenOther, "$", nil
	}
	tag := rest[:n+1]
	end := strings.Index(rest[n+1:], tag)
	if end < 0 {
		return tokenEnd, "", s.fail("unterminated dollar-quoted string")
	}
	s.pos += n + 1 + end + len(tag)
	return tokenValue, "", nil
}
