// Package form masks application/x-www-form-urlencoded as it streams through:
// fields by name, and every name and value by the detectors.
package form

import (
	"bytes"
	"net/url"

	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// DefaultValue is how many bytes a field may have, as it comes, that is looked at; the
// value of a longer one is hidden.
const DefaultValue = 1 << 20

// Masker masks one form.
type Masker struct {
	plan   *mask.Plan
	values mask.Values
	limit  int
	buf    []byte // the field that is being read
	drop   bool   // its rest is dropped
	masked int
	err    error
}

// New masks a form; limit is in bytes, 0 for DefaultValue.
func New(plan *mask.Plan, limit int) *Masker {
	if limit <= 0 {
		limit = DefaultValue
	}
	return &Masker{plan: plan, values: plan.Values(), limit: limit}
}

// Masked is how many values have been masked so far.
func (m *Masker) Masked() int { return m.masked }

// Write takes the next piece, which is not kept, and appends what can be given out to dst.
func (m *Masker) Write(dst, piece []byte) ([]byte, error) {
	for len(piece) > 0 && m.err == nil {
		i := bytes.IndexByte(piece, '&')
		part := piece
		if i >= 0 {
			part = piece[:i]
		}
		dst = m.take(dst, part)
		if i < 0 || m.err != nil {
			break
		}
		dst = append(m.end(dst), '&')
		piece = piece[i+1:]
	}
	return dst, m.err
}

// Close ends the form.
func (m *Masker) Close(dst []byte) ([]byte, error) {
	if m.err != nil {
		return dst, m.err
	}
	dst = m.end(dst)
	m.err = refusal.New(refusal.State, "the form has ended")
	return dst, nil
}

// take keeps bytes of a field, and hides its value when there are too many.
func (m *Masker) take(dst, part []byte) []byte {
	if bytes.IndexByte(part, 0) >= 0 {
		m.err = refusal.New(refusal.Charset, "a form has zero bytes")
		return dst
	}
	if m.drop {
		return dst
	}
	if len(m.buf)+len(part) <= m.limit {
		m.buf = append(m.buf, part...)
		return dst
	}
	m.buf = append(m.buf, part[:m.limit-len(m.buf)]...)
	i := bytes.IndexByte(m.buf, '=')
	if i < 0 {
		m.err = refusal.New(refusal.TooLarge, "a form has a name of more than %d bytes", m.limit)
		return dst
	}
	m.drop = true
	m.masked++
	dst = append(m.name(dst, m.buf[:i]), '=')
	return append(dst, url.QueryEscape(mask.Hidden)...)
}

// end is behind a field.
func (m *Masker) end(dst []byte) []byte {
	if m.drop {
		m.drop, m.buf = false, m.buf[:0]
		return dst
	}
	name, value, found := bytes.Cut(m.buf, []byte("="))
	dst = m.name(dst, name)
	if found {
		dst = m.value(append(dst, '='), unescape(name), value)
	}
	m.buf = m.buf[:0]
	return dst
}

func (m *Masker) name(dst, raw []byte) []byte {
	out, _, n := m.values.Text(nil, mask.Named{}, nil, unescape(raw))
	if n == 0 {
		return append(dst, raw...)
	}
	m.masked += n
	return append(dst, url.QueryEscape(string(out))...)
}

func (m *Masker) value(dst, name, raw []byte) []byte {
	out, _, n := m.values.Text(nil, m.plan.Field(string(name)), name, unescape(raw))
	if n == 0 {
		return append(dst, raw...)
	}
	m.masked += n
	return append(dst, url.QueryEscape(string(out))...)
}

// unescape undoes + and the escapes that are well-formed.
func unescape(s []byte) []byte {
	if bytes.IndexByte(s, '%') < 0 && bytes.IndexByte(s, '+') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			out = append(out, byte(hex(s[i+1])<<4|hex(s[i+2])))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return out
}

func hex(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}
