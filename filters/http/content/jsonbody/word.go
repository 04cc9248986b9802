package jsonbody

import (
	"dragoman.dev/dragoman/filters/http/content/refusal"
)

// number takes bytes of a number.
func (m *Masker) number(t []byte) (int, error) {
	n := 0
	for n < len(t) && numberByte(t[n]) {
		n++
	}
	if len(m.buf)+n > m.lim.Number {
		return 0, refusal.New(refusal.TooLarge, "the JSON has a number of more than %d bytes", m.lim.Number)
	}
	m.buf = append(m.buf, t[:n]...)
	if n == len(t) {
		return n, nil // the next piece may go on with it
	}
	return n, m.endNumber()
}

func numberByte(b byte) bool {
	return b >= '0' && b <= '9' || b == '-' || b == '+' || b == '.' || b == 'e' || b == 'E'
}

// literal takes bytes of true, false or null.
func (m *Masker) literal(t []byte) (int, error) {
	whole := "null"
	switch {
	case len(m.buf) == 0 && t[0] == 't', len(m.buf) > 0 && m.buf[0] == 't':
		whole = "true"
	case len(m.buf) == 0 && t[0] == 'f', len(m.buf) > 0 && m.buf[0] == 'f':
		whole = "false"
	}
	n := min(len(t), len(whole)-len(m.buf))
	m.buf = append(m.buf, t[:n]...)
	if whole[:len(m.buf)] != string(m.buf) {
		return 0, refusal.New(refusal.Undecodable, "it is not JSON: a word is not true, false or null")
	}
	if len(m.buf) < len(whole) {
		return n, nil
	}
	switch {
	case m.hide > 0:
	case m.by.Whole() && whole != "null":
		m.masked++
		if m.by.Null() {
			m.out = append(m.out, "null"...)
		} else {
			m.out = append(m.out, "false"...)
		}
	default:
		m.out = append(m.out, whole...)
	}
	m.done()
	return n, nil
}

func (m *Masker) endNumber() error {
	if !isNumber(m.buf) {
		return refusal.New(refusal.Undecodable, "it is not JSON: a number is malformed")
	}
	if m.hide == 0 {
		at := len(m.out)
		out, null, n := m.values.Number(m.out, m.by, m.name, m.buf)
		switch {
		case n == 0:
			m.out = append(m.out, m.buf...)
		case null:
			m.out = append(out[:at], "null"...)
		default:
			m.out = out
		}
		m.masked += n
	}
	m.done()
	return nil
}

// isNumber checks RFC 8259, section 6.
func isNumber(b []byte) bool {
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := digits(b, i)
	if whole == i || b[i] == '0' && whole > i+1 {
		return false
	}
	i = whole
	if i < len(b) && b[i] == '.' {
		end := digits(b, i+1)
		if end == i+1 {
			return false
		}
		i = end
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := digits(b, i)
		if end == i {
			return false
		}
		i = end
	}
	return i == len(b)
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// utf8State follows UTF-8 from byte to byte (Unicode, table 3-7: no overlong
// forms, no surrogates). need is how many bytes are to come, the next of
// them from low to high.
type utf8State struct{ need, low, high byte }

func (u *utf8State) next(b byte) bool {
	if u.need > 0 {
		ok := b >= u.low && b <= u.high
		u.need, u.low, u.high = u.need-1, 0x80, 0xBF
		return ok
	}
	u.low, u.high = 0x80, 0xBF
	switch {
	case b < 0x80:
	case b >= 0xC2 && b <= 0xDF:
		u.need = 1
	case b >= 0xE0 && b <= 0xEF:
		u.need = 2
		switch b {
		case 0xE0:
			u.low = 0xA0
		case 0xED:
			u.high = 0x9F
		}
	case b >= 0xF0 && b <= 0xF4:
		u.need = 3
		switch b {
		case 0xF0:
			u.low = 0x90
		case 0xF4:
			u.high = 0x8F
		}
	default:
		return false
	}
	return true
}
