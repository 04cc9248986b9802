package rows

import "bytes"

// textState is where in a text stream a CopyStream is.
type textState struct {
	escaped bool // the last byte was a backslash
}

// parseText reads COPY's text format: fields with a delimiter between, rows
// with a newline behind, and a backslash before each of them that is data.
func (c *CopyStream) parseText(dst, b []byte) []byte {
	for len(b) > 0 && c.err == nil {
		if c.text.escaped {
			c.text.escaped = false
			dst = c.put(dst, b[:1])
			b = b[1:]
			continue
		}
		n := c.special(b)
		if n > 0 {
			dst = c.put(dst, b[:n])
			b = b[n:]
			continue
		}
		switch b[0] {
		case '\\':
			c.text.escaped = true
			dst = c.put(dst, b[:1])
		case '\n':
			dst = c.newline(dst)
		default:
			c.delimiter()
		}
		b = b[1:]
	}
	return dst
}

// special is the length of what comes before a byte with a meaning.
func (c *CopyStream) special(b []byte) int {
	d := c.opts.Delimiter
	for i, x := range b {
		if x == d || x == '\n' || x == '\\' {
			return i
		}
	}
	return len(b)
}

// decodeText undoes the backslashes of COPY's text format.
func decodeText(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			dst = append(dst, raw[i])
			continue
		}
		i++
		switch x := raw[i]; x {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'v':
			dst = append(dst, '\v')
		case 'x', '0', '1', '2', '3', '4', '5', '6', '7':
			v, n := numericEscape(raw[i:])
			dst = append(dst, v)
			i += n - 1
		default:
			dst = append(dst, x)
		}
	}
	return dst
}

// numericEscape reads xHH or OOO, without the backslash, and its length.
func numericEscape(b []byte) (v byte, n int) {
	if b[0] != 'x' {
		for n < 3 && n < len(b) && b[n] >= '0' && b[n] <= '7' {
			v = v<<3 | b[n] - '0'
			n++
		}
		return v, n
	}
	n = 1
	for n < 3 && n < len(b) {
		d := bytes.IndexByte([]byte("0123456789abcdef"), b[n]|0x20)
		if d < 0 {
			break
		}
		v = v<<4 | byte(d)
		n++
	}
	if n == 1 {
		v = 'x'
	}
	return v, n
}

// encodeText appends a value to the line as COPY would write it.
func (c *CopyStream) encodeText(v []byte) {
	for _, x := range v {
		switch x {
		case '\\':
			c.line = append(c.line, '\\', '\\')
		case '\b':
			c.line = append(c.line, '\\', 'b')
		case '\f':
			c.line = append(c.line, '\\', 'f')
		case '\n':
			c.line = append(c.line, '\\', 'n')
		case '\r':
			c.line = append(c.line, '\\', 'r')
		case '\t':
			c.line = append(c.line, '\\', 't')
		case '\v':
			c.line = append(c.line, '\\', 'v')
		case c.opts.Delimiter:
			c.line = append(c.line, '\\', x)
		default:
			c.line = append(c.line, x)
		}
	}
}
