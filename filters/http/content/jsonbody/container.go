package jsonbody

import (
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// value takes a value's first byte.
func (m *Masker) value(b byte) (int, error) {
	m.some = true
	switch {
	case b == '{' || b == '[':
		return 1, m.push(b)
	case b == '"':
		m.state, m.escaped, m.buf = inString, false, m.buf[:0]
		m.openString()
		return 1, nil
	case b == '-' || b >= '0' && b <= '9':
		m.state, m.buf = inNumber, m.buf[:0]
		return 0, nil
	case b == 't' || b == 'f' || b == 'n':
		m.state, m.buf = inLiteral, m.buf[:0]
		return 0, nil
	}
	return 0, unexpected(b)
}

// push opens an object or list.
func (m *Masker) push(b byte) error {
	if len(m.stack) >= m.lim.Depth {
		return refusal.New(refusal.TooLarge, "the JSON is nested deeper than %d", m.lim.Depth)
	}
	m.stack = append(m.stack, frame{list: b == '['})
	if m.hide == 0 && m.by.Whole() {
		m.hide = len(m.stack)
		m.masked++
		if m.by.Null() {
			m.out = append(m.out, "null"...)
		} else {
			m.out = append(m.out, b, b+2) // '{' and '}', '[' and ']'
		}
	}
	m.put(b)
	m.stack[len(m.stack)-1].inherit = m.by
	if b == '{' {
		m.state = atName
		return nil
	}
	m.state = atFirst
	m.element()
	return nil
}

// pop closes the object or list at the top.
func (m *Masker) pop(b byte) error {
	m.put(b)
	if m.hide == len(m.stack) {
		m.hide = 0
	}
	m.stack = m.stack[:len(m.stack)-1]
	m.done()
	return nil
}

// done is the place behind a value.
func (m *Masker) done() {
	if m.state = atComma; len(m.stack) == 0 {
		m.state = atEnd
	}
}

// element finds what masks the list's next element.
func (m *Masker) element() {
	top := &m.stack[len(m.stack)-1]
	m.by = mask.Named{}
	if m.paths != nil && m.hide == 0 {
		at, to := m.level()
		m.by = m.paths.Element(at, to, top.index)
	}
	top.index++
	m.orInherit(top)
}

// member finds what masks the value of the member of that name.
func (m *Masker) member(name []byte) {
	m.by = mask.Named{}
	if m.paths != nil && m.hide == 0 {
		at, to := m.level()
		m.by = m.paths.Member(at, to, name)
	}
	m.orInherit(&m.stack[len(m.stack)-1])
}

func (m *Masker) orInherit(top *frame) {
	if !m.by.Set() {
		m.by = top.inherit
	}
}

// level gives the places of the open container and of what is in it.
func (m *Masker) level() (at, to mask.Place) {
	n := len(m.stack) * m.words
	for len(m.places) < n+m.words {
		m.places = append(m.places, 0)
	}
	return m.places[n-m.words : n], m.places[n : n+m.words]
}
