package jsonbody

import (
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// state says what may come next.
type state uint8

const (
	atValue   state = iota // a value
	atFirst                // a list's first value, or its end
	atName                 // an object's first name, or its end
	atNext                 // a name
	atColon                // a colon
	atComma                // a comma, or the end of the object or list
	atEnd                  // nothing but blanks, or the next document
	inString               // within a string
	inName                 // within a name
	inNumber               // within a number
	inLiteral              // within true, false or null
	failed
)

// treatment is what is done with the string that is being read.
type treatment uint8

const (
	pass    treatment = iota // given out as it comes
	drop                     // hidden; what stands for it has been given out
	collect                  // kept until it is whole
)

// frame is one object or list that is open.
type frame struct {
	list    bool
	index   int        // of the element that comes next
	inherit mask.Named // detectors that run on everything in it
}

// Masker masks one JSON document, or many of them. It is not safe for
// concurrent use. Call New or NewLines.
type Masker struct {
	plan   *mask.Plan
	values mask.Values
	paths  *mask.Paths
	words  int
	lim    Limits
	many   bool
	text   bool // detectors run on any text

	state   state
	stack   []frame
	places  []uint64 // one Place for each level
	by      mask.Named
	name    []byte // of the member that is being read
	hide    int    // all is dropped until the stack has this height; 0: nothing
	treat   treatment
	escaped bool
	esc     int8 // within an escape: 1 behind the backslash, -4…-1 digits to come
	utf     utf8State
	buf     []byte
	scratch []byte
	out     []byte
	masked  int
	bom     int8 // bytes of a byte order mark that were seen; -1: past it
	some    bool // a value has begun
}

// New masks one document by the plan.
func New(plan *mask.Plan, lim Limits) *Masker {
	m := &Masker{plan: plan, values: plan.Values(), paths: plan.Paths(), lim: lim.withDefaults(), text: plan.HasText()}
	if m.paths != nil {
		m.words = m.paths.Words()
	}
	m.places = make([]uint64, m.words)
	m.begin()
	return m
}

// NewText masks one document by the detectors alone, for documents that the
// plan's JSON paths are not about.
func NewText(plan *mask.Plan, lim Limits) *Masker {
	m := New(plan, lim)
	m.paths, m.words, m.by = nil, 0, mask.Named{}
	return m
}

// NewLines masks any number of documents, each with or without blanks behind
// it: NDJSON, JSON Lines.
func NewLines(plan *mask.Plan, lim Limits) *Masker {
	m := New(plan, lim)
	m.many = true
	return m
}

// Reset makes m ready for another document.
func (m *Masker) Reset() {
	m.stack, m.hide, m.esc, m.bom, m.some = m.stack[:0], 0, 0, 0, false
	m.utf = utf8State{}
	m.begin()
}

// begin is the place before a document.
func (m *Masker) begin() {
	m.state, m.by, m.name = atValue, mask.Named{}, m.name[:0]
	if m.paths != nil {
		m.by = m.paths.Root(m.places[:m.words])
	}
}

// Masked is how many values have been masked so far. An object or list that
// was hidden whole counts once.
func (m *Masker) Masked() int { return m.masked }

// Write takes the next piece and appends what can be given out to dst. After an
// error the document cannot go on. chunk is not kept.
func (m *Masker) Write(dst, chunk []byte) ([]byte, error) {
	if m.state == failed {
		return dst, refusal.New(refusal.State, "the JSON document had an error before")
	}
	m.out = dst
	err := m.run(chunk)
	if err != nil {
		m.state = failed
	}
	dst, m.out = m.out, nil
	return dst, err
}

// Close ends the document and appends what was kept of it to dst. A document that is not whole is an error.
func (m *Masker) Close(dst []byte) ([]byte, error) {
	m.out = dst
	var err error
	if m.state == inNumber {
		err = m.endNumber()
	}
	switch {
	case err != nil:
	case m.state == failed:
		err = refusal.New(refusal.State, "the JSON document had an error before")
	case m.state == atEnd, !m.some && m.state == atValue && m.bom <= 0:
	default:
		err = refusal.New(refusal.Ended, "the JSON document ends in the middle")
	}
	m.state = failed
	dst, m.out = m.out, nil
	return dst, err
}

func (m *Masker) run(t []byte) error {
	for len(t) > 0 {
		n, err := m.step(t)
		if err != nil {
			return err
		}
		t = t[n:]
	}
	return nil
}

// step takes at least one byte of t.
func (m *Masker) step(t []byte) (int, error) {
	switch m.state {
	case inString, inName:
		return m.inside(t)
	case inNumber:
		return m.number(t)
	case inLiteral:
		return m.literal(t)
	}
	b := t[0]
	if m.bom >= 0 {
		if took, err := m.mark(b); took || err != nil {
			return 1, err
		}
	}
	if b == ' ' || b == '\n' || b == '\r' || b == '\t' {
		m.put(b)
		return 1, nil
	}
	if m.state == atEnd && m.many {
		m.begin()
	}
	return m.token(b)
}

// mark takes the byte order mark that may be before the first document.
func (m *Masker) mark(b byte) (took bool, err error) {
	const bom = "\xEF\xBB\xBF"
	if b != bom[m.bom] {
		if m.bom > 0 {
			return false, unexpected(b)
		}
		m.bom = -1
		return false, nil
	}
	m.out = append(m.out, b)
	if m.bom++; int(m.bom) == len(bom) {
		m.bom = -1
	}
	return true, nil
}

// token takes one byte outside of values.
func (m *Masker) token(b byte) (int, error) {
	switch m.state {
	case atValue, atFirst:
		if b == ']' && m.state == atFirst {
			return 1, m.pop(b)
		}
		return m.value(b)
	case atName, atNext:
		switch {
		case b == '"':
			m.state, m.treat, m.escaped, m.buf = inName, collect, false, m.buf[:0]
			return 1, nil
		case b == '}' && m.state == atName:
			return 1, m.pop(b)
		}
	case atColon:
		if b == ':' {
			m.put(b)
			m.state = atValue
			return 1, nil
		}
	case atComma:
		top := &m.stack[len(m.stack)-1]
		switch {
		case b == ',':
			m.put(b)
			if m.state = atNext; top.list {
				m.state = atValue
				m.element()
			}
			return 1, nil
		case b == ']' && top.list, b == '}' && !top.list:
			return 1, m.pop(b)
		}
	}
	return 0, unexpected(b)
}

// put gives out a byte unless it is in what is hidden.
func (m *Masker) put(b byte) {
	if m.hide == 0 {
		m.out = append(m.out, b)
	}
}

func unexpected(b byte) error {
	return refusal.New(refusal.Undecodable, "it is not JSON: a byte %#02x is where it cannot be", b)
}
