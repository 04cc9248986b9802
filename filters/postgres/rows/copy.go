package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"dragoman.dev/dragoman/internal/mask"
)

// CopyFormat is the format of a COPY. The zero value is COPY's own default.
type CopyFormat uint8

const (
	CopyText CopyFormat = iota
	CopyCSV
	CopyBinary
)

// CopyOptions are the options of COPY … TO STDOUT that tell how to read it.
type CopyOptions struct {
	Format    CopyFormat
	Delimiter byte    // 0 is the default: a tab, a comma for CSV
	Null      *string // nil is the default: \N, nothing for CSV
	Quote     byte    // 0 is the default: "
	Escape    byte    // 0 is the default: the quote
	Header    bool    // the first line has the names of the columns
	// Encoding is ENCODING of the statement, or client_encoding. Encodings in
	// which a byte of a character can look like ASCII are refused.
	Encoding string
}

// ErrEncoding says that a COPY's text cannot be taken apart safely.
var ErrEncoding = errors.New("masking a COPY is not possible in this client encoding")

// ErrNull says that a COPY writes NULL as what a masked value could be.
var ErrNull = errors.New("a hash would tell which values are this COPY's NULL string")

// flushAt is the size from which on a row is put out in several CopyData
// messages. Below it one message has one row, as PostgreSQL itself does it.
const flushAt = 1 << 20

// CopyStream masks a COPY OUT stream. CopyData messages need not be aligned
// with rows, so Write takes their payloads, or pieces of them, as they come.
type CopyStream struct {
	opts   CopyOptions
	null   []byte
	vague  bool // a value may look like the null string: then nothing passes as NULL
	cols   Columns
	limits Limits

	line   []byte // what goes into the next CopyData
	raw    []byte // the masked field so far, as it came
	over   bool   // the masked field is too long to be held
	work   []byte // decoded and masked value
	col    int
	header bool // in the header line
	masked int
	err    error

	text  textState
	csv   csvState
	bin   binState
	parse func(*CopyStream, []byte, []byte) []byte
}

// NewCopyStream makes a CopyStream for columns in the order of the stream. It
// fails for options that PostgreSQL would refuse and for encodings that it cannot read.
func NewCopyStream(opts CopyOptions, cols Columns, limits Limits) (*CopyStream, error) {
	c := &CopyStream{opts: opts, cols: cols, limits: limits, header: opts.Header, line: newLine(nil)}
	switch opts.Format {
	case CopyText:
		c.defaults('\t', `\N`)
		c.parse = (*CopyStream).parseText
	case CopyCSV:
		c.defaults(',', "")
		c.parse = (*CopyStream).parseCSV
	case CopyBinary:
		c.parse, c.header = (*CopyStream).parseBinary, false
	default:
		return nil, fmt.Errorf("unknown COPY format %d", opts.Format)
	}
	if !cols.Any() {
		return c, nil
	}
	return c, c.check()
}

func (c *CopyStream) defaults(delimiter byte, null string) {
	if c.opts.Delimiter == 0 {
		c.opts.Delimiter = delimiter
	}
	if c.opts.Quote == 0 {
		c.opts.Quote = '"'
	}
	if c.opts.Escape == 0 {
		c.opts.Escape = c.opts.Quote
	}
	if c.opts.Null != nil {
		null = *c.opts.Null
	}
	c.null = []byte(null)
}

func (c *CopyStream) check() error {
	if c.opts.Format == CopyBinary {
		return nil
	}
	switch strings.ToUpper(strings.NewReplacer("_", "", "-", "").Replace(c.opts.Encoding)) {
	case "SJIS", "MSKANJI", "SHIFTJIS", "WIN932", "WINDOWS932", "SHIFTJIS2004", "BIG5", "WIN950", "WINDOWS950", "GBK", "WIN936", "WINDOWS936",
		"UHC", "WIN949", "WINDOWS949", "GB18030", "JOHAB":
		return fmt.Errorf("%w: %s", ErrEncoding, c.opts.Encoding)
	}
	d, q := c.opts.Delimiter, c.opts.Quote
	if d == '\n' || d == '\r' || d == '\\' && c.opts.Format == CopyText || c.opts.Format == CopyCSV && (d == q || q == '\n' || q == '\r') {
		return fmt.Errorf("%w: COPY delimiter %q or quote %q", ErrMalformed, d, q)
	}
	if strings.ContainsAny(string(c.null), "\r\n"+string(d)) || c.opts.Format == CopyCSV && strings.IndexByte(string(c.null), q) >= 0 {
		return fmt.Errorf("%w: COPY null string %q", ErrMalformed, c.null)
	}
	// Text has no quotes that tell NULL from a value. \N is no value's form; an empty one tells nothing else.
	if c.vague = c.opts.Format == CopyText && len(c.null) > 0 && string(c.null) != `\N`; c.vague {
		for _, m := range c.cols {
			if m.Hashes() {
				return fmt.Errorf("%w: %q", ErrNull, c.null)
			}
		}
	}
	return nil
}

// Write takes the next bytes of the payload and appends whole CopyData
// messages to dst. masked counts the values that changed. After an error the
// COPY must be ended.
func (c *CopyStream) Write(dst, chunk []byte) (out []byte, masked int, err error) {
	if c.err != nil {
		return dst, 0, c.err
	}
	if !c.cols.Any() {
		if len(chunk) == 0 {
			return dst, 0, nil
		}
		dst = binary.BigEndian.AppendUint32(append(dst, 'd'), uint32(len(chunk)+4))
		return append(dst, chunk...), 0, nil
	}
	before := c.masked
	dst = c.parse(c, dst, chunk)
	return dst, c.masked - before, c.err
}

// Close is to be called at CopyDone. It fails when the stream ends within a
// row, whose rest must not be delivered.
func (c *CopyStream) Close() error {
	if c.err != nil || !c.cols.Any() {
		return c.err
	}
	if len(c.line) > headerSize || len(c.raw) > 0 || c.over || c.col > 0 || c.opts.Format == CopyBinary && c.bin.state != binEnd {
		return fmt.Errorf("%w: the COPY ends within a row", ErrMalformed)
	}
	return nil
}

func (c *CopyStream) fail(err error) {
	if c.err == nil {
		c.err = err
		c.line, c.raw, c.work = nil, nil, nil
	}
}

// newLine begins a CopyData whose length comes later.
func newLine(buf []byte) []byte { return append(buf[:0], 'd', 0, 0, 0, 0) }

// flush puts the line out as one CopyData.
func (c *CopyStream) flush(dst []byte) []byte {
	if c.err != nil || len(c.line) <= headerSize {
		return dst
	}
	if err := putLength(c.line); err != nil {
		c.fail(err)
		return dst
	}
	dst = append(dst, c.line...)
	if cap(c.line) > flushAt {
		c.line = nil
	}
	c.line = newLine(c.line)
	return dst
}

// masker is what masks the field at hand; nil in the header line.
func (c *CopyStream) masker() *mask.Masker {
	if c.header || c.col >= len(c.cols) {
		return nil
	}
	return c.cols[c.col]
}

// put takes raw bytes of the field at hand.
func (c *CopyStream) put(dst []byte, b []byte) []byte {
	m := c.masker()
	if m == nil {
		c.line = append(c.line, b...)
		if len(c.line) > flushAt {
			return c.flush(dst)
		}
		return dst
	}
	limit := c.limits.value()
	if !m.NeedsValue() {
		limit = len(c.null) + 1 // only whether it is NULL matters
	}
	if c.over || len(c.raw)+len(b) > limit {
		c.over = true
		return dst
	}
	c.raw = append(c.raw, b...)
	return dst
}

// endField closes the field at hand of a text or CSV stream.
func (c *CopyStream) endField() {
	m := c.masker()
	if m == nil {
		return
	}
	raw, over := c.raw, c.over
	c.raw, c.over = c.raw[:0], false
	if !over && !c.vague && string(raw) == string(c.null) {
		c.line = append(c.line, raw...)
		return
	}
	null, changed := false, true
	if over && m.NeedsValue() {
		c.work, null = m.Whole(c.work[:0], false)
	} else {
		c.work = c.decode(c.work[:0], raw)
		if c.work == nil {
			c.work = []byte{}
		}
		n := len(c.work)
		c.work, null, changed = m.Text(c.work, c.work[:n:n])
		if changed {
			c.work = append(c.work[:0], c.work[n:]...)
		}
	}
	switch {
	case !changed:
		c.line = append(c.line, raw...)
		return
	case null:
		c.line = append(c.line, c.null...)
	default:
		c.encode(c.work)
	}
	c.masked++
}

func (c *CopyStream) decode(dst, raw []byte) []byte {
	if c.opts.Format == CopyCSV {
		return c.decodeCSV(dst, raw)
	}
	return decodeText(dst, raw)
}

func (c *CopyStream) encode(v []byte) {
	if c.opts.Format == CopyCSV {
		c.encodeCSV(v)
	} else {
		c.encodeText(v)
	}
}

// delimiter closes a field; a row must not have more than the columns.
func (c *CopyStream) delimiter() {
	c.endField()
	c.line = append(c.line, c.opts.Delimiter)
	if c.col++; c.col >= len(c.cols) {
		c.fail(fmt.Errorf("%w: more than %d", ErrFields, len(c.cols)))
	}
}

// newline closes a row.
func (c *CopyStream) newline(dst []byte) []byte {
	c.endField()
	if c.col != len(c.cols)-1 {
		c.fail(fmt.Errorf("%w: %d, not %d", ErrFields, c.col+1, len(c.cols)))
		return dst
	}
	c.line = append(c.line, '\n')
	c.col, c.header = 0, false
	return c.flush(dst)
}
