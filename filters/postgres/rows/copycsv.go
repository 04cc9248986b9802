package rows

// csvState is where in a CSV stream a CopyStream is.
type csvState struct {
	quoted  bool // within quotes
	pending bool // within quotes, the last byte was an escape, which may be the closing quote
	had     bool // the field has quotes
}

// parseCSV reads COPY's CSV format. Within quotes, delimiters and newlines are
// data, and the escape makes data of a quote or an escape.
func (c *CopyStream) parseCSV(dst, b []byte) []byte {
	for len(b) > 0 && c.err == nil {
		if c.csv.pending {
			c.csv.pending = false
			if b[0] == c.opts.Quote || b[0] == c.opts.Escape {
				dst = c.put(dst, b[:1])
				b = b[1:]
				continue
			}
			if c.opts.Escape == c.opts.Quote {
				c.csv.quoted = false // it was the closing quote
			}
		}
		if n := c.specialCSV(b); n > 0 {
			dst = c.put(dst, b[:n])
			b = b[n:]
			continue
		}
		dst = c.csvByte(dst, b[:1])
		b = b[1:]
	}
	return dst
}

// csvByte takes a byte with a meaning.
func (c *CopyStream) csvByte(dst, b []byte) []byte {
	switch x := b[0]; {
	case c.csv.quoted && x == c.opts.Escape:
		c.csv.pending = true
		return c.put(dst, b)
	case x == c.opts.Quote:
		c.csv.quoted = !c.csv.quoted
		c.csv.had = true
		return c.put(dst, b)
	case x == c.opts.Delimiter:
		c.delimiter()
	default:
		dst = c.newline(dst)
	}
	c.csv = csvState{}
	return dst
}

// specialCSV is the length of what comes before a byte with a meaning.
func (c *CopyStream) specialCSV(b []byte) int {
	d, q, e, quoted := c.opts.Delimiter, c.opts.Quote, c.opts.Escape, c.csv.quoted
	for i, x := range b {
		if x == q || quoted && x == e || !quoted && (x == d || x == '\n') {
			return i
		}
	}
	return len(b)
}

// decodeCSV takes the quotes and escapes off a field.
func (c *CopyStream) decodeCSV(dst, raw []byte) []byte {
	q, e, quoted := c.opts.Quote, c.opts.Escape, false
	for i := 0; i < len(raw); i++ {
		x := raw[i]
		switch {
		case quoted && x == e && i+1 < len(raw) && (raw[i+1] == q || raw[i+1] == e):
			i++
			dst = append(dst, raw[i])
		case x == q:
			quoted = !quoted
		default:
			dst = append(dst, x)
		}
	}
	return dst
}

// encodeCSV appends a value to the line, in quotes when it was or must be.
func (c *CopyStream) encodeCSV(v []byte) {
	q, e := c.opts.Quote, c.opts.Escape
	quote := c.csv.had || string(v) == string(c.null) || string(v) == `\.`
	for _, x := range v {
		quote = quote || x == q || x == c.opts.Delimiter || x == '\n' || x == '\r'
	}
	if !quote {
		c.line = append(c.line, v...)
		return
	}
	c.line = append(c.line, q)
	for _, x := range v {
		if x == q || x == e {
			c.line = append(c.line, e)
		}
		c.line = append(c.line, x)
	}
	c.line = append(c.line, q)
}
