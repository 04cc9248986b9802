// Package highlight takes the text of an action apart for people who read it before they decide: what is a keyword, a string,
// a comment, and what would deceive the eye. Boundaries are those of the scanners that the gateway judges with, so that
// what looks like a comment is one. It changes no text: the pieces, one behind the other, are the text, byte for byte. What
// cannot be seen (control and direction characters, those without width, blanks that are none, broken bytes) is a piece
// of its own, which is shown as an escape.
package highlight

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
)

// Class is what a piece is; also its name in style sheets. "" is plain.
type Class string

// Classes.
const (
	Plain    Class = ""
	Keyword  Class = "keyword"
	Name     Class = "name" // in quotes
	String   Class = "string"
	Number   Class = "number"
	Comment  Class = "comment"
	Param    Class = "param" // $1, $HOME
	Operator Class = "operator"
	Command  Class = "command" // the program of a command line
	Odd      Class = "odd"     // cannot be seen: Shown is an escape
	Mixed    Class = "mixed"   // a word of letters of more than one script, which look alike
)

// Piece is a part of the text.
type Piece struct {
	Class Class
	Text  string // as it is
	Shown string // as it is shown: Text but for Odd
	Title string // for Odd and Mixed: what it is
}

// MaxText is the longest text that is taken apart, in bytes; longer ones are plain but for what is odd.
const MaxText = 64 << 10

// Protocols whose statements are told apart.
const (
	postgres = "postgres"
	mysql    = "mysql"
)

// paint has the class of each byte of a text.
type paint []Class

func (p paint) set(start, end int, c Class) {
	for i := max(start, 0); i < min(end, len(p)); i++ {
		p[i] = c
	}
}

// Action takes an action's text apart. protocol is its target's.
func Action(a *action.Action, protocol string) []Piece { return Text(a.Kind, protocol, a.Text) }

// Text is Action of a text alone.
func Text(kind, protocol, text string) []Piece {
	p := make(paint, len(text))
	if len(text) <= MaxText {
		switch {
		case kind == action.KindSQL && protocol == mysql:
			mysqlText(p, text)
		case kind == action.KindSQL:
			if protocol != postgres && protocol != "" || !postgresText(p, text) {
				clear(p)
			}
		case kind == action.KindExec, kind == action.KindShell:
			if !shellText(p, text) {
				clear(p)
			}
		case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
			jsonText(p, text)
		case kind == action.KindHTTP, kind == action.KindKube:
			if i := strings.IndexByte(text, ' '); i > 0 {
				p.set(0, i, Keyword)
			}
		}
	}
	return pieces(text, p)
}

// JSON takes a JSON text apart, as far as it is one.
func JSON(text string) []Piece {
	p := make(paint, len(text))
	if len(text) <= MaxText {
		jsonText(p, text)
	}
	return pieces(text, p)
}

// pieces cuts the text where the class changes, and cuts out what is odd.
func pieces(text string, p paint) (out []Piece) {
	for i := 0; i < len(text); {
		class, n := p[i], 0
		for i+n < len(text) && p[i+n] == class || n > 0 && i+n < len(text) && !utf8.RuneStart(text[i+n]) {
			n++
		}
		out = seen(out, text[i:i+n], class)
		i += n
	}
	return out
}

// seen adds a part of one class.
func seen(out []Piece, part string, class Class) []Piece {
	from := 0
	add := func(to int) {
		if from < to {
			out = words(out, part[from:to], class)
		}
	}
	for i := 0; i < len(part); {
		r, n := utf8.DecodeRuneInString(part[i:])
		if !odd(r, n) {
			i += n
			continue
		}
		add(i)
		shown, title := escape(part[i:i+n], r, n)
		out = append(out, Piece{Odd, part[i : i+n], shown, title})
		i += n
		from = i
	}
	add(len(part))
	return out
}

// words adds a part in which nothing is odd; outside of strings and comments words of several scripts are told.
func words(out []Piece, part string, class Class) []Piece {
	if class == String || class == Comment || isASCII(part) {
		return append(out, Piece{Class: class, Text: part, Shown: part})
	}
	from := 0
	for i := 0; i < len(part); {
		n := 0
		for i+n < len(part) {
			r, size := utf8.DecodeRuneInString(part[i+n:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && r != '_' {
				break
			}
			n += size
		}
		if n == 0 {
			_, n = utf8.DecodeRuneInString(part[i:])
		} else if word := part[i : i+n]; mixed(word) {
			if from < i {
				out = append(out, Piece{Class: class, Text: part[from:i], Shown: part[from:i]})
			}
			out = append(out, Piece{Mixed, word, word, "letters of more than one script"})
			from = i + n
		}
		i += n
	}
	if from < len(part) {
		out = append(out, Piece{Class: class, Text: part[from:], Shown: part[from:]})
	}
	return out
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mixed reports whether a word has letters of the Latin script and others.
func mixed(word string) bool {
	var latin, other bool
	for _, r := range word {
		if unicode.IsLetter(r) {
			latin = latin || unicode.Is(unicode.Latin, r)
			other = other || !unicode.Is(unicode.Latin, r) && !unicode.Is(unicode.Common, r)
		}
	}
	return latin && other
}

// invisible are characters without a shape of their own, beside controls and formats (Cc, Cf): fillers and variation selectors.
var invisible = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x034f, Hi: 0x034f, Stride: 1}, {Lo: 0x115f, Hi: 0x1160, Stride: 1}, {Lo: 0x17b4, Hi: 0x17b5, Stride: 1},
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, {Lo: 0x2800, Hi: 0x2800, Stride: 1}, {Lo: 0x3164, Hi: 0x3164, Stride: 1}, {Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, {Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, {Lo: 0xfff0, Hi: 0xfffc, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1d173, Hi: 0x1d17a, Stride: 1}, {Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}},
}

// odd reports whether a character does not look like what it is. Line feeds and tabs are laid out.
func odd(r rune, n int) bool {
	switch {
	case r == '\n', r == '\t', r > ' ' && r < 0x7f, r == ' ':
		return false
	case r == utf8.RuneError && n <= 1:
		return true
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Co, unicode.Cs, invisible) || r != utf8.RuneError && !unicode.IsGraphic(r)
}

func escape(raw string, r rune, n int) (shown, title string) {
	switch {
	case r == utf8.RuneError && n <= 1:
		return fmt.Sprintf(`\x%02x`, raw[0]), "a byte that is not UTF-8"
	case r == '\r':
		return `\r`, "carriage return"
	case r < 0x100:
		shown = fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		shown = fmt.Sprintf(`\u%04x`, r)
	default:
		shown = fmt.Sprintf(`\U%08x`, r)
	}
	title = fmt.Sprintf("U+%04X", r)
	switch {
	case unicode.Is(unicode.Bidi_Control, r):
		title += ", changes the direction of text"
	case unicode.Is(unicode.Zs, r):
		title += ", a blank that is not a space"
	case unicode.IsControl(r):
		title += ", a control character"
	default:
		title += ", cannot be seen"
	}
	return shown, title
}
