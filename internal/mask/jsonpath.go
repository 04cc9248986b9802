package mask

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of JSON paths: the steps of one, and the positions of all of a plan.
const (
	maxSteps     = 32
	maxSelectors = 64
	maxPositions = 1024
)

// JSONPath is a compiled path.
type JSONPath struct{ steps []step }

// step is one segment of a path.
type step struct {
	descendant bool // ..
	any        bool // *
	names      []string
	ranges     []span
}

// span is indexes from, from+by, … below to (to < 0: no end).
type span struct{ from, to, by int }

const jsonPathForms = `use $, .name, ["name"], [*], .*, [0], [0,2], [1:5], ..name; ` +
	`filters and what counts from a list's end cannot be followed in a stream`

// ParseJSONPath reads a JSONPath (RFC 9535) without filters, functions and
// indexes from the end, which cannot be followed in a stream.
func ParseJSONPath(s string) (*JSONPath, error) {
	p := &pathParser{all: s, rest: s}
	path, err := p.parse()
	if err != nil {
		return nil, fmt.Errorf("json path %q: %w: %s", s, err, jsonPathForms)
	}
	return path, nil
}

type pathParser struct{ all, rest string }

func (p *pathParser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *pathParser) blanks() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *pathParser) parse() (*JSONPath, error) {
	if !p.skip("$") {
		return nil, fmt.Errorf("it does not begin with $")
	}
	path := &JSONPath{}
	for p.blanks(); p.rest != ""; p.blanks() {
		if len(path.steps) == maxSteps {
			return nil, fmt.Errorf("it has more than %d steps", maxSteps)
		}
		var s step
		var err error
		switch {
		case p.skip(".."):
			s.descendant = true
			if !strings.HasPrefix(p.rest, "[") {
				err = p.short(&s)
			} else {
				p.skip("[")
				err = p.bracket(&s)
			}
		case p.skip("."):
			err = p.short(&s)
		case p.skip("["):
			err = p.bracket(&s)
		default:
			err = fmt.Errorf("%q is not a step", p.rest)
		}
		if err != nil {
			return nil, err
		}
		path.steps = append(path.steps, s)
	}
	if strings.TrimRight(p.all, " \t\r\n") != p.all {
		return nil, fmt.Errorf("it ends with blanks")
	}
	return path, nil
}

// short reads what follows a dot: * or a name (member-name-shorthand).
func (p *pathParser) short(s *step) error {
	if p.skip("*") {
		s.any = true
		return nil
	}
	i := 0
	for i < len(p.rest) {
		r, size := utf8.DecodeRuneInString(p.rest[i:])
		first := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80 && r != utf8.RuneError
		if !first && (i == 0 || r < '0' || r > '9') {
			break
		}
		i += size
	}
	if i == 0 {
		return fmt.Errorf("a name is missing before %q", p.rest)
	}
	s.names, p.rest = append(s.names, p.rest[:i]), p.rest[i:]
	return nil
}

// bracket reads selectors up to the closing bracket.
func (p *pathParser) bracket(s *step) error {
	for n := 0; n < maxSelectors; n++ {
		p.blanks()
		if err := p.selector(s); err != nil {
			return err
		}
		p.blanks()
		switch {
		case p.skip("]"):
			return nil
		case !p.skip(","):
			return fmt.Errorf("a ] is missing before %q", p.rest)
		}
	}
	return fmt.Errorf("a step has more than %d selectors", maxSelectors)
}

func (p *pathParser) selector(s *step) error {
	switch {
	case p.skip("*"):
		s.any = true
		return nil
	case p.rest != "" && (p.rest[0] == '"' || p.rest[0] == '\''):
		name, err := p.quoted()
		s.names = append(s.names, name)
		return err
	case strings.HasPrefix(p.rest, "?"):
		return fmt.Errorf("it has a filter")
	}
	return p.slice(s)
}

// slice reads index, or start:end:step, all optional.
func (p *pathParser) slice(s *step) error {
	out, parts := span{0, -1, 1}, 0
	for ; parts < 3; parts++ {
		p.blanks()
		n, found, err := p.number()
		if err != nil {
			return err
		}
		switch {
		case !found && parts == 0 && !strings.HasPrefix(p.rest, ":"):
			return fmt.Errorf("%q is not a selector", p.rest)
		case !found:
		case parts == 0:
			out.from = n
		case parts == 1:
			out.to = n
		case n == 0:
			return fmt.Errorf("a slice's step is 0")
		default:
			out.by = n
		}
		p.blanks()
		if !p.skip(":") {
			break
		}
	}
	if parts == 0 {
		out.to = out.from + 1
	}
	s.ranges = append(s.ranges, out)
	return nil
}

// maxIndex is the largest index that RFC 9535 has (I-JSON).
const maxIndex = 1<<53 - 1

func (p *pathParser) number() (n int, found bool, err error) {
	if strings.HasPrefix(p.rest, "-") {
		return 0, false, fmt.Errorf("it counts from the end")
	}
	i := 0
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		i++
	}
	if i == 0 {
		return 0, false, nil
	}
	text := p.rest[:i]
	p.rest = p.rest[i:]
	n, err = strconv.Atoi(text)
	if err != nil || n > maxIndex || i > 1 && text[0] == '0' {
		return 0, false, fmt.Errorf("%q is not an index", text)
	}
	return n, true, nil
}

// quoted reads a name in quotes with the escapes of JSON.
func (p *pathParser) quoted() (string, error) {
	quote := p.rest[0]
	for i := 1; i < len(p.rest); i++ {
		switch b := p.rest[i]; {
		case b == '\\':
			if i+1 < len(p.rest) && strings.IndexByte(`\/bfnrtu`, p.rest[i+1]) < 0 && p.rest[i+1] != quote {
				return "", fmt.Errorf("the escape \\%c is not known", p.rest[i+1])
			}
			i++
		case b == quote:
			name := string(unescapeJSON(nil, []byte(p.rest[1:i])))
			p.rest = p.rest[i+1:]
			return name, nil
		case b < ' ':
			return "", fmt.Errorf("a name has a control character")
		}
	}
	return "", fmt.Errorf("a quoted name does not end")
}

// name reports whether the step selects a member of that name.
func (s *step) name(name []byte) bool {
	if s.any {
		return true
	}
	for _, n := range s.names {
		if n == string(name) {
			return true
		}
	}
	return false
}

// index reports whether the step selects the element at i.
func (s *step) index(i int) bool {
	if s.any {
		return true
	}
	for _, r := range s.ranges {
		if i >= r.from && (r.to < 0 || i < r.to) && (i-r.from)%r.by == 0 {
			return true
		}
	}
	return false
}
