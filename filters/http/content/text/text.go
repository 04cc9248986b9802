// Package text masks text as it streams through, by detectors: plain text, and
// XML and HTML with their character references undone. What it gives out does
// not depend on the pieces in which the text came, and a value on the border of
// two pieces is found: text is held back until it can be looked at with enough
// behind it. Memory is bounded by the window.
package text

import (
	"bytes"
	"unicode/utf8"

	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// Sizes in bytes. A match that begins more than ahead bytes before the end of
// the window is seen whole, unless it is longer than that: then all of it that
// can be seen is hidden, and what follows without a blank as well.
const (
	window  = 64 << 10
	ahead   = 16 << 10
	context = 512 // what stays before a cut, so that a name there can tell what a value is
)

// Masker masks one text. Call New or NewMarkup.
type Masker struct {
	plan   *mask.Plan
	markup bool
	strict bool
	cut    []byte // of a character that is not whole yet
	buf    []byte
	seen   int // bytes of buf that were given out: context
	again  int // Flush does not look before buf has so many bytes
	masked int
	began  bool
	long   longMatch
	view   view
	err    error
}

// longMatch is a match that did not end within the window.
type longMatch uint8

const (
	none  longMatch = iota
	token           // until a blank or a quotation mark
	pem             // until the END line
)

// New masks plain text.
func New(plan *mask.Plan) *Masker { return &Masker{plan: plan} }

// NewStrict masks what was not said to be text: what is not UTF-8, or has control characters that texts do not have, is refused.
func NewStrict(plan *mask.Plan) *Masker { return &Masker{plan: plan, strict: true} }

// NewMarkup masks XML or HTML.
func NewMarkup(plan *mask.Plan) *Masker { return &Masker{plan: plan, markup: true} }

// Masked is how many values have been masked so far.
func (m *Masker) Masked() int { return m.masked }

// Write takes the next piece, which is not kept, and appends what can be given out to dst.
func (m *Masker) Write(dst, piece []byte) ([]byte, error) {
	if m.err == nil {
		m.err = m.check(piece)
	}
	if m.err != nil {
		return dst, m.err
	}
	for len(piece) > 0 {
		n := min(window-len(m.buf), len(piece))
		m.buf = append(m.buf, piece[:n]...)
		piece = piece[n:]
		if len(m.buf) == window {
			dst = m.scan(dst, window-ahead, false)
		}
	}
	return dst, nil
}

// check refuses what is not text in an encoding that has ASCII in it as it is.
func (m *Masker) check(piece []byte) error {
	if bytes.IndexByte(piece, 0) >= 0 {
		return refusal.New(refusal.Charset, "a text has zero bytes; it may be UTF-16, which cannot be looked into")
	}
	if m.strict && !m.plain(piece) {
		return refusal.New(refusal.Charset, "it is neither text in UTF-8 nor of a type that can be looked into")
	}
	if m.began || len(m.buf)+len(piece) < 2 {
		return nil
	}
	m.began = true
	head := append(bytes.Clone(m.buf), piece[:min(2, len(piece))]...)
	if bytes.HasPrefix(head, []byte("\xFE\xFF")) || bytes.HasPrefix(head, []byte("\xFF\xFE")) {
		return refusal.New(refusal.Charset, "a text in UTF-16 cannot be looked into")
	}
	return nil
}

// plain reports whether a piece goes on as text in UTF-8.
func (m *Masker) plain(piece []byte) bool {
	t := append(m.cut, piece...)
	m.cut = nil
	for len(t) > 0 {
		r, size := utf8.DecodeRune(t)
		switch {
		case r == utf8.RuneError && size == 1:
			if utf8.FullRune(t) {
				return false
			}
			m.cut = bytes.Clone(t)
			return true
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1B:
			return false
		}
		t = t[size:]
	}
	return true
}

// Flush gives out all whole lines, but for a value that may go on in the next one. As long as such a one is open it
// looks only each time that twice as much is there: else pieces of a byte would have it read a key again and again.
func (m *Masker) Flush(dst []byte) ([]byte, error) {
	if m.err != nil {
		return dst, m.err
	}
	i := bytes.LastIndexByte(m.buf, '\n') + 1
	if i <= m.seen || len(m.buf) < m.again {
		return dst, nil
	}
	dst = m.scan(dst, i, true)
	if m.again = 0; len(m.buf)-m.seen > 2*context {
		m.again = 2 * len(m.buf)
	}
	return dst, nil
}

// Close gives out the rest.
func (m *Masker) Close(dst []byte) ([]byte, error) {
	if m.err != nil {
		return dst, m.err
	}
	dst = m.scan(dst, len(m.buf), false)
	m.buf, m.seen, m.err = nil, 0, refusal.New(refusal.State, "the text has ended")
	return dst, nil
}

// scan gives out what lies before limit, with matches that begin there whole. hold
// keeps a match that comes up to the limit instead.
func (m *Masker) scan(dst []byte, limit int, hold bool) []byte {
	if m.long != none {
		final := limit == len(m.buf)
		if !m.skipLong() || !final {
			return dst
		}
		limit = len(m.buf)
	}
	t := m.view.of(m.buf, m.markup)
	at := m.seen // in buf
	for from := 0; ; {
		found, ok := m.plan.Find(t, from)
		if !ok {
			break
		}
		from = found.End
		start, end := m.view.raw(found.Start), m.view.rawEnd(found.End)
		if end <= at {
			continue
		}
		if start >= limit {
			break
		}
		if hold && end >= limit { // it may go on: a key over several lines does
			limit = max(start, at)
			break
		}
		start = max(start, at)
		dst = append(dst, m.buf[at:start]...)
		dst = m.view.replace(dst, m.plan, t, found, m.buf[start:end])
		m.masked++
		at = end
		if end == len(m.buf) && limit < len(m.buf) && !hold {
			m.long = token
			if bytes.HasPrefix(t[found.Start:], []byte("-----BEGIN ")) {
				m.long = pem
			}
		}
	}
	if limit > at {
		dst = append(dst, m.buf[at:limit]...)
		at = limit
	}
	m.keep(at)
	return dst
}

// keep drops what was given out, but for the context.
func (m *Masker) keep(at int) {
	from := max(0, at-context)
	m.buf = append(m.buf[:0], m.buf[from:]...)
	m.seen = at - from
}

// skipLong drops the rest of a long match; it reports whether its end was found.
func (m *Masker) skipLong() bool {
	rest := m.buf[m.seen:]
	n := -1
	if m.long == token {
		n = bytes.IndexAny(rest, " \t\r\n\"'<>,;{}()[]|")
	} else if i := bytes.Index(rest, []byte("-----END ")); i >= 0 {
		if n = bytes.IndexByte(rest[i+9:], '\n'); n >= 0 {
			n += i + 9
		}
	}
	if n < 0 {
		keep := min(len(rest), 80) // an END line may have begun
		m.buf = append(m.buf[:m.seen], rest[len(rest)-keep:]...)
		return false
	}
	m.buf = append(m.buf[:m.seen], rest[n:]...)
	m.long = none
	return true
}
