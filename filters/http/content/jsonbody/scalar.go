package jsonbody

import (
	"bytes"

	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// openString decides what is done with the string that begins.
func (m *Masker) openString() {
	switch {
	case m.hide > 0:
		m.treat = drop
	case m.by.Whole() && !m.by.NeedsValue():
		m.hideString()
	case m.by.Set() || m.text:
		m.treat = collect
	default:
		m.treat = pass
		m.out = append(m.out, '"')
	}
}

// hideString gives out what stands for the string, whose rest is dropped.
func (m *Masker) hideString() {
	m.treat = drop
	m.masked++
	if m.by.Null() {
		m.out = append(m.out, "null"...)
		return
	}
	m.out = append(append(append(m.out, '"'), m.by.Hidden()...), '"')
}

// inside takes bytes of a string or name.
func (m *Masker) inside(t []byte) (int, error) {
	n := 0
	for n < len(t) {
		b := t[n]
		if m.esc == 0 && m.utf.need == 0 && b >= ' ' && b < 0x80 && b != '"' && b != '\\' {
			n++
			continue
		}
		if m.esc == 0 && b == '"' && m.utf.need == 0 {
			if err := m.keep(t[:n]); err != nil {
				return 0, err
			}
			return n + 1, m.endString()
		}
		if err := m.special(b); err != nil {
			return 0, err
		}
		n++
	}
	return n, m.keep(t)
}

// special checks a byte that is not plain ASCII, or is part of an escape.
func (m *Masker) special(b byte) error {
	switch {
	case m.esc == 1:
		if m.esc = 0; b == 'u' {
			m.esc = -4
		} else if bytes.IndexByte([]byte(`"\/bfnrt`), b) < 0 {
			return refusal.New(refusal.Undecodable, "it is not JSON: a string has an escape that there is not")
		}
	case m.esc < 0:
		if m.esc++; !(b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'f') {
			return refusal.New(refusal.Undecodable, "it is not JSON: \\u is not followed by four digits")
		}
	case b == '\\' && m.utf.need == 0:
		m.esc, m.escaped = 1, true
	case b < ' ':
		return refusal.New(refusal.Undecodable, "it is not JSON: a string has a control character")
	case !m.utf.next(b):
		return refusal.New(refusal.Charset, "it is not UTF-8")
	}
	return nil
}

// keep does with the bytes of a string what is to be done.
func (m *Masker) keep(t []byte) error {
	switch m.treat {
	case pass:
		m.out = append(m.out, t...)
		return nil
	case drop:
		return nil
	}
	limit := m.lim.Value
	if m.state == inName {
		limit = m.lim.Name
	}
	if len(m.buf)+len(t) <= limit {
		m.buf = append(m.buf, t...)
		return nil
	}
	if m.state == inName {
		return refusal.New(refusal.TooLarge, "the JSON has a name of more than %d bytes", limit)
	}
	m.buf = m.buf[:0]
	m.hideString()
	return nil
}

// endString is at the closing quote.
func (m *Masker) endString() error {
	plain := m.buf
	if m.escaped && m.treat == collect {
		m.scratch = mask.AppendUnescaped(m.scratch[:0], m.buf)
		plain = m.scratch
	}
	if m.state == inName {
		m.endName(plain)
		return nil
	}
	switch m.treat {
	case pass:
		m.out = append(m.out, '"')
	case collect:
		m.endValue(plain)
	}
	m.done()
	return nil
}

func (m *Masker) endName(plain []byte) {
	m.state = atColon
	m.name = append(m.name[:0], plain...)
	if m.hide > 0 {
		m.member(nil)
		return
	}
	m.quote(m.stack[len(m.stack)-1].inherit, nil, plain)
	m.member(m.name)
}

// endValue gives out a string that was collected, masked.
func (m *Masker) endValue(plain []byte) {
	at, before := len(m.out), m.masked
	if m.quote(m.by, m.name, plain) {
		m.out = append(m.out[:at], "null"...)
	}
	if m.masked == before && bytes.IndexByte(plain, '\\') >= 0 {
		m.twice(at, plain)
	}
}

// twice hides a string in which the detectors find something once more of its
// escapes are undone, as in JSON within a string. What they find cannot be cut out.
func (m *Masker) twice(at int, plain []byte) {
	inner := mask.AppendUnescaped(nil, plain)
	_, null, n := m.values.Text(nil, m.by, m.name, inner)
	if n == 0 {
		return
	}
	m.masked += n
	m.out = m.out[:at]
	if null {
		m.out = append(m.out, "null"...)
		return
	}
	m.out = append(append(append(m.out, '"'), mask.Hidden...), '"')
}

// quote gives out a string; null says that it is to be null instead.
func (m *Masker) quote(by mask.Named, name, plain []byte) (null bool) {
	m.out = append(m.out, '"')
	at := len(m.out)
	var n int
	m.out, null, n = m.values.Text(m.out, by, name, plain)
	if n == 0 {
		m.out = append(m.out, m.buf...)
	} else {
		m.masked += n
		// plain may be m.scratch, which is not needed any more.
		m.scratch = append(m.scratch[:0], m.out[at:]...)
		m.out = mask.AppendEscaped(m.out[:at], m.scratch)
	}
	m.out = append(m.out, '"')
	return null
}
