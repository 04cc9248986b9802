package content

import (
	"regexp"

	"dragoman.dev/dragoman/internal/highlight"
	"dragoman.dev/dragoman/internal/mask"
)

// Span is a piece of text. Masked says that it stands for what a mask hid; Class is what it is, where that is known.
type Span struct {
	Text   string
	Masked bool
	Class  highlight.Class
}

// spans collects text; pieces of one kind that follow each other are one.
type spans struct {
	list   []Span
	now    []byte // of the piece that is not in list yet
	masked bool   // so is that piece
	class  highlight.Class
}

func (s *spans) add(text string, masked bool) { s.addAs(text, masked, highlight.Plain) }

func (s *spans) addAs(text string, masked bool, class highlight.Class) {
	if text == "" {
		return
	}
	if masked != s.masked || class != s.class {
		s.end()
		s.masked, s.class = masked, class
	}
	s.now = append(s.now, text...)
}

// end gives all pieces.
func (s *spans) end() []Span {
	if len(s.now) > 0 {
		s.list = append(s.list, Span{string(s.now), s.masked, s.class})
		s.now = s.now[:0]
	}
	return s.list
}

// Marks knows what masks leave behind. The zero value marks nothing.
type Marks struct{ plan *mask.Plan }

// NewMarks is about the masks of one decision. What cannot be compiled marks nothing.
func NewMarks(specs []mask.Spec) Marks {
	if len(specs) == 0 {
		return Marks{}
	}
	plan, err := mask.Compile(specs, nil) // without a key: nothing is masked here
	if err != nil {
		return Marks{}
	}
	return Marks{plan}
}

// left are the forms in which masks leave text: the constant (in base64, too), hashes, and stars.
var left = regexp.MustCompile(`\[redacted\]|W3JlZGFjdGVkXQ==|hmac_[a-z2-7]{26}|[^\s"'<>(),;:=\\]*\*{3,}[^\s"'<>(),;\\]*`)

// Text marks in a text what looks like a mask's. Without masks nothing is.
func (m Marks) Text(text string) []Span {
	var s spans
	m.text(&s, text)
	return s.end()
}

func (m Marks) text(to *spans, text string) { m.textAs(to, text, highlight.Plain) }

func (m Marks) textAs(to *spans, text string, class highlight.Class) {
	if m.plan == nil {
		to.addAs(text, false, class)
		return
	}
	at := 0
	for _, p := range left.FindAllStringIndex(text, -1) {
		to.addAs(text[at:p[0]], false, class)
		to.add(text[p[0]:p[1]], true)
		at = p[1]
	}
	to.addAs(text[at:], false, class)
}

// Field marks a header field's or parameter's value: all of it when a mask names the field.
func (m Marks) Field(name, value string) []Span {
	if m.plan != nil && m.plan.Field(name).Whole() {
		return []Span{{Text: value, Masked: true}}
	}
	return m.Text(value)
}
