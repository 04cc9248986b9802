// Package multipart masks multipart bodies (RFC 2046, section 5.1; RFC 7578) as
// they stream through: each part by what it is, and form fields by name. It is
// strict: what is not as the RFC has it is refused. Preamble and epilogue, which
// recipients ignore, are left out.
package multipart

import (
	"bytes"
	"mime"
	"strings"

	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// Bounds: of a part's header, of the parts of a body, and of a field's value that is looked at.
const (
	maxHeader = 16 << 10
	maxParts  = 10000
	maxValue  = 1 << 20
)

// Part is the head of one part.
type Part struct {
	Type, Encoding string // Content-Type, Content-Transfer-Encoding; in lower case where that is allowed
	Name, Filename string // of form-data
	Extended       bool   // its Content-Disposition has a parameter in the form of RFC 8187 or 2231, which RFC 7578 does not have
}

// Masker masks one body.
type Masker struct {
	plan   *mask.Plan
	values mask.Values
	inner  func(Part) (layer.Masker, error)
	delim  []byte // CRLF "--" boundary
	buf    []byte
	lead   int // bytes at the start of buf that are not the part's
	state  state
	part   layer.Masker
	parts  int
	masked int
	err    error
}

type state uint8

const (
	preamble  state = iota // before the first delimiter
	delimited              // behind a delimiter
	heads                  // in a part's header
	body                   // in a part
	closing                // behind the last boundary, in its line
	epilogue               // behind that line
)

// New masks a body with that boundary; inner makes what masks a part that is no
// named field.
func New(plan *mask.Plan, boundary string, inner func(Part) (layer.Masker, error)) (*Masker, error) {
	if boundary == "" || len(boundary) > 70 || strings.ContainsAny(boundary, "\r\n\x00") {
		return nil, refusal.New(refusal.Undecodable, "the multipart body has no boundary, or not one that may be")
	}
	// The first delimiter has no CRLF before it; it is put there.
	return &Masker{plan: plan, values: plan.Values(), inner: inner, delim: []byte("\r\n--" + boundary), buf: []byte("\r\n")}, nil
}

// Masked is how many values have been masked so far.
func (m *Masker) Masked() int {
	if m.part != nil {
		return m.masked + m.part.Masked()
	}
	return m.masked
}

// Write takes the next piece, which is not kept, and appends what can be given out to dst.
func (m *Masker) Write(dst, piece []byte) ([]byte, error) {
	if m.err != nil {
		return dst, m.err
	}
	m.buf = append(m.buf, piece...)
	for more := true; more && m.err == nil; {
		dst, more, m.err = m.step(dst)
	}
	return dst, m.err
}

// Close ends the body, which must have had its last delimiter.
func (m *Masker) Close(dst []byte) ([]byte, error) {
	switch {
	case m.err != nil:
		return dst, m.err
	case m.state == epilogue, m.state == closing && len(m.buf) == 0, m.state == preamble && m.parts == 0 && len(m.buf) == len("\r\n"):
	default:
		m.err = refusal.New(refusal.Ended, "the multipart body is cut off")
		return dst, m.err
	}
	m.err = refusal.New(refusal.State, "the multipart body has ended")
	return dst, nil
}

// step does one thing with what is there; more says that there may be another.
func (m *Masker) step(dst []byte) (out []byte, more bool, err error) {
	switch m.state {
	case preamble:
		return m.skip(dst)
	case delimited:
		return m.delimiter(dst)
	case heads:
		return m.header(dst)
	case body:
		return m.content(dst)
	case closing:
		rest := bytes.TrimLeft(m.buf, " \t")
		switch {
		case bytes.HasPrefix(rest, []byte("\r\n")):
			m.state = epilogue
		case len(rest) > 1 || len(rest) == 1 && rest[0] != '\r':
			return dst, false, refusal.New(refusal.Undecodable, "something follows the last boundary of the multipart body")
		default:
			m.buf = append(m.buf[:0], rest...)
			return dst, false, nil
		}
	}
	m.buf = m.buf[:0]
	return dst, false, nil
}

// skip drops the preamble.
func (m *Masker) skip(dst []byte) ([]byte, bool, error) {
	i, err := m.find()
	if err != nil {
		return dst, false, err
	}
	if i < 0 {
		if keep := len(m.delim) - 1; len(m.buf) > keep {
			m.drop(len(m.buf) - keep)
		}
		return dst, false, nil
	}
	m.drop(i + len(m.delim))
	m.state = delimited
	return append(dst, m.delim[2:]...), true, nil
}

// find finds the next delimiter, -1 without one. A boundary behind a bare line feed is refused:
// some recipients take it for one.
func (m *Masker) find() (int, error) {
	i := bytes.Index(m.buf, m.delim[1:])
	switch {
	case i < 0:
		return -1, nil
	case i == 0 || m.buf[i-1] != '\r':
		return -1, refusal.New(refusal.Undecodable, "the multipart body has a boundary behind a bare line feed")
	}
	return i - 1, nil
}

func (m *Masker) drop(n int) { m.buf = append(m.buf[:0], m.buf[n:]...) }

// delimiter reads what follows the boundary: blanks and CRLF, or "--".
func (m *Masker) delimiter(dst []byte) ([]byte, bool, error) {
	if len(m.buf) < 2 {
		return dst, false, nil
	}
	if m.buf[0] == '-' && m.buf[1] == '-' {
		m.drop(2)
		m.state = closing
		return append(dst, "--\r\n"...), true, nil
	}
	i := bytes.Index(m.buf, []byte("\r\n"))
	switch {
	case i < 0 && len(m.buf) > 128, i >= 0 && len(bytes.Trim(m.buf[:i], " \t")) > 0:
		return dst, false, refusal.New(refusal.Undecodable, "something follows a boundary of the multipart body")
	case i < 0:
		return dst, false, nil
	}
	if m.parts++; m.parts > maxParts {
		return dst, false, refusal.New(refusal.TooLarge, "the multipart body has more than %d parts", maxParts)
	}
	m.drop(i) // the CRLF stays: it may begin the empty line
	m.state = heads
	return append(dst, "\r\n"...), true, nil
}

// header reads a part's header, up to the empty line.
func (m *Masker) header(dst []byte) ([]byte, bool, error) {
	i := bytes.Index(m.buf, []byte("\r\n\r\n"))
	if i < 0 {
		if len(m.buf) > maxHeader {
			return dst, false, refusal.New(refusal.TooLarge, "a part's header has more than %d bytes", maxHeader)
		}
		return dst, false, nil
	}
	head := bytes.TrimPrefix(m.buf[:i+2], []byte("\r\n")) // lines with CRLF each
	p, out, err := m.fields(head)
	if err != nil {
		return dst, false, err
	}
	dst = append(append(dst, out...), "\r\n"...)
	if m.part, err = m.open(p); err != nil {
		return dst, false, err
	}
	// An empty part's delimiter begins with the CRLF of the empty line.
	m.drop(i + 2)
	m.lead = 2
	m.state = body
	return dst, true, nil
}

// fields reads the lines of a part's header, and gives them back masked.
func (m *Masker) fields(head []byte) (p Part, out []byte, err error) {
	seen := map[string]bool{}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(head, []byte("\r\n")), []byte("\r\n")) {
		if len(line) == 0 {
			continue
		}
		name, value, found := strings.Cut(string(line), ":")
		name = strings.ToLower(name)
		if !found || !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) || seen[name] {
			return p, nil, refusal.New(refusal.Undecodable, "a part's header is malformed")
		}
		seen[name] = true
		value = strings.TrimSpace(value)
		switch name {
		case "content-length": // may not hold any more
			continue
		case "content-type":
			p.Type = value
		case "content-transfer-encoding":
			p.Encoding = strings.ToLower(value)
		case "content-disposition":
			_, params, err := mime.ParseMediaType(value)
			if err != nil {
				return p, nil, refusal.New(refusal.Undecodable, "a part's Content-Disposition is malformed")
			}
			p.Extended = extended(value)
			if p.Extended && m.plan.HasFields() && strings.Contains(strings.ReplaceAll(strings.ToLower(value), "filename*", ""), "name*") {
				return p, nil, refusal.New(refusal.Undecodable, "a part has a name in two forms")
			}
			p.Name, p.Filename = params["name"], params["filename"]
		}
		masked, _, n := m.values.Text(nil, mask.Named{}, nil, []byte(value))
		if n > 0 {
			m.masked += n
			value = string(masked)
		}
		out = append(append(append(out, line[:len(name)]...), ": "...), value...)
		out = append(out, "\r\n"...)
	}
	switch p.Encoding {
	case "", "7bit", "8bit", "binary":
		return p, out, nil
	}
	return p, nil, refusal.New(refusal.Coding, "a part has a transfer encoding that is not undone here")
}

// extended reports whether there is a star before an equals sign outside of quotation marks.
func extended(disposition string) bool {
	quoted, name := false, false
	for i := 0; i < len(disposition); i++ {
		switch c := disposition[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			name = true
		case c == '=':
			name = false
		case c == '*' && name:
			return true
		}
	}
	return false
}

// isToken checks a field's name, in lower case (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if b := s[i]; !(b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0) {
			return false
		}
	}
	return s != ""
}
