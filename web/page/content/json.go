package content

import (
	"bytes"
	"encoding/json"

	"dragoman.dev/dragoman/internal/highlight"
	"dragoman.dev/dragoman/internal/mask"
)

// maxDepth bounds how deep JSON that is indented may be nested; deeper one is shown as it was sent.
const maxDepth = 100

// indenter writes a valid JSON document with line breaks. Literals are copied byte by byte.
type indenter struct {
	in    []byte
	out   *spans
	marks Marks
	paths *mask.Paths
	deep  bool // nested too deep
	plain bool // too long for colours
}

// JSON is a document indented, or nil when it is none.
func (m Marks) JSON(b []byte) []Span {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || !json.Valid(b) {
		return nil
	}
	x := &indenter{in: b, out: &spans{}, marks: m, plain: len(b) > highlight.MaxText}
	var root mask.Place
	var by mask.Named
	if m.plan.HasJSON() {
		x.paths = m.plan.Paths()
		root = make(mask.Place, x.paths.Words())
		by = x.paths.Root(root)
	}
	x.value(root, by, false, 0)
	if x.deep {
		return m.Text(string(b))
	}
	return x.out.end()
}

// value writes the next value. hidden says that all of it stands for what a mask hid.
func (x *indenter) value(at mask.Place, by mask.Named, hidden bool, depth int) {
	x.blank()
	if x.deep = x.deep || depth > maxDepth; x.deep || len(x.in) == 0 {
		return
	}
	hidden = hidden || by.Whole()
	switch c := x.in[0]; c {
	case '{', '[':
		x.inner(at, hidden, depth, c)
	case '"':
		text := x.text()
		if hidden {
			x.out.add(text, true)
		} else {
			x.marks.textAs(x.out, text, x.class(highlight.String))
		}
	default:
		n := bytes.IndexAny(x.in, ",]} \t\r\n")
		if n < 0 {
			n = len(x.in)
		}
		class := highlight.Number
		if c == 't' || c == 'f' || c == 'n' {
			class = highlight.Keyword
		}
		if hidden {
			class = highlight.Plain
		}
		x.out.addAs(string(x.in[:n]), hidden, x.class(class))
		x.in = x.in[n:]
	}
}

// inner writes an object or a list.
func (x *indenter) inner(at mask.Place, hidden bool, depth int, open byte) {
	end := open + 2 // '}' is behind '{' by two, and ']' behind '['
	x.in = x.in[1:]
	x.out.add(string(open), false)
	var to mask.Place
	if x.paths != nil {
		to = make(mask.Place, x.paths.Words())
	}
	for i := 0; ; i++ {
		x.blank()
		if x.deep || len(x.in) == 0 {
			return
		}
		if x.in[0] == end {
			x.in = x.in[1:]
			if i > 0 {
				x.line(depth)
			}
			x.out.add(string(end), false)
			return
		}
		if x.in[0] == ',' {
			x.in = x.in[1:]
			x.out.add(",", false)
			x.blank()
		}
		x.line(depth + 1)
		x.value(to, x.place(at, to, i, open), hidden, depth+1)
	}
}

// place goes to the member or element that comes, and writes a member's name.
func (x *indenter) place(at, to mask.Place, i int, open byte) (by mask.Named) {
	if open == '[' {
		if x.paths != nil {
			by = x.paths.Element(at, to, i)
		}
		return by
	}
	name := x.text()
	x.out.addAs(name, false, x.class(highlight.Name))
	x.out.add(": ", false)
	x.blank()
	x.in = bytes.TrimPrefix(x.in, []byte(":"))
	if x.paths != nil {
		plain := name
		if s, err := unquote(name); err == nil {
			plain = s
		}
		by = x.paths.Member(at, to, []byte(plain))
	}
	return by
}

// class is what a literal is told to be.
func (x *indenter) class(c highlight.Class) highlight.Class {
	if x.plain {
		return highlight.Plain
	}
	return c
}

func unquote(literal string) (s string, err error) {
	err = json.Unmarshal([]byte(literal), &s)
	return s, err
}

func (x *indenter) line(depth int) {
	x.out.add("\n"+string(bytes.Repeat([]byte("  "), depth)), false)
}

func (x *indenter) blank() { x.in = bytes.TrimLeft(x.in, " \t\r\n") }

// text takes a string's literal.
func (x *indenter) text() string {
	for i := 1; i < len(x.in); i++ {
		switch x.in[i] {
		case '\\':
			i++
		case '"':
			s := string(x.in[:i+1])
			x.in = x.in[i+1:]
			return s
		}
	}
	s := string(x.in) // not in valid JSON
	x.in = nil
	return s
}

// documents are the JSON documents of which b is made, one after the other, and what is left of it.
func documents(b []byte) (list [][]byte, rest []byte) {
	for len(list) < maxMessages {
		d := json.NewDecoder(bytes.NewReader(b))
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			break
		}
		list = append(list, raw)
		b = bytes.TrimLeft(b[d.InputOffset():], " \t\r\n")
	}
	return list, b
}
