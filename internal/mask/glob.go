package mask

import (
	"fmt"
	"strings"

	"dragoman.dev/dragoman/internal/sql"
)

const globForms = `write schema.table.column or table.column; "*" stands for any characters of one part, ` +
	`"?" for one character, and a part in double quotes is taken literally`

// glob is one compiled column pattern: schema, table, column.
type glob [3]globPart

type globPart struct {
	text    string
	literal bool // no wildcards
	any     bool // "*"
}

// parseGlob reads schema.table.column or table.column.
func parseGlob(s string) (glob, error) {
	parts, err := splitGlob(s)
	if err != nil {
		return glob{}, err
	}
	switch len(parts) {
	case 2:
		return glob{{any: true}, parts[0], parts[1]}, nil
	case 3:
		return glob{parts[0], parts[1], parts[2]}, nil
	}
	return glob{}, fmt.Errorf("column pattern %q has %d parts: %s", s, len(parts), globForms)
}

func splitGlob(s string) ([]globPart, error) {
	var parts []globPart
	for rest, more := s, true; more; {
		var p globPart
		var err error
		if p, rest, more, err = nextPart(rest); err != nil {
			return nil, fmt.Errorf("column pattern %q: %w: %s", s, err, globForms)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// nextPart takes one part off s; more says that a dot followed.
func nextPart(s string) (p globPart, rest string, more bool, err error) {
	if strings.HasPrefix(s, `"`) {
		return quotedPart(s[1:])
	}
	text, rest, more := strings.Cut(s, ".")
	switch {
	case text == "":
		return p, "", false, fmt.Errorf("a part is empty")
	case strings.ContainsAny(text, "[]{}\\\"!,'` \t\r\n"):
		return p, "", false, fmt.Errorf("the part %q has a character that needs double quotes around it", text)
	}
	wild := strings.ContainsAny(text, "*?")
	return globPart{text: text, literal: !wild, any: strings.Trim(text, "*") == ""}, rest, more, nil
}

// quotedPart reads an identifier whose opening quote is already gone; "" is a quote.
func quotedPart(s string) (p globPart, rest string, more bool, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		rest = s[i+1:]
		if b.Len() == 0 {
			return p, "", false, fmt.Errorf("a part is empty")
		}
		if rest != "" && rest[0] != '.' {
			return p, "", false, fmt.Errorf("after a closing quote comes a dot or the end")
		}
		return globPart{text: b.String(), literal: true}, strings.TrimPrefix(rest, "."), rest != "", nil
	}
	return p, "", false, fmt.Errorf("a quote is not closed")
}

// match reports whether the pattern covers the column. A part of the column
// that is not known ("") is taken to match.
func (g *glob) match(c sql.Column) bool {
	return g[0].match(c.Schema) && g[1].match(c.Table) && g[2].match(c.Name)
}

func (p *globPart) match(s string) bool {
	switch {
	case p.any || s == "":
		return true
	case p.literal:
		return p.text == s
	}
	return wildMatch(p.text, s)
}

// wildMatch matches * and ?; it takes at most len(pattern)*len(s) steps.
func wildMatch(pattern, s string) bool {
	p, r := []rune(pattern), []rune(s)
	pi, si, star, mark := 0, 0, -1, 0
	for si < len(r) {
		switch {
		case pi < len(p) && p[pi] == '*':
			star, mark = pi, si
			pi++
		case pi < len(p) && (p[pi] == '?' || p[pi] == r[si]):
			pi, si = pi+1, si+1
		case star >= 0:
			mark++
			pi, si = star+1, mark
		default:
			return false
		}
	}
	for pi < len(p) && p[pi] == '*' {
		pi++
	}
	return pi == len(p)
}
