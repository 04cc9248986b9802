// Package termmask masks, by detectors, what a program writes to a pipe or a terminal, as it comes. A
// value is found across the pieces in which it comes and across the escape sequences between its
// characters: what could be the beginning of a value is kept back until it can be told.
//
// On a terminal nothing is kept for longer than Pause, since a person waits for it; a
// program that writes a value slower than that is not masked. Elsewhere what is kept waits for more, or for the end.
package termmask

import (
	"bytes"
	"errors"
	"io"
	"time"

	"dragoman.dev/dragoman/internal/mask"
)

const (
	// Pause is how long a terminal waits for the rest of what could be a value.
	Pause = 40 * time.Millisecond
	// keep is how many bytes are kept back at most; a value that is longer is hidden as far as it was seen, and so is
	// what goes on without a blank.
	keep = 16 << 10
	// context is how much of what has left is still looked at, so that a name there can tell what a value is.
	context = 256
	// echo is how many characters leave at once on a terminal: a key that is typed, not a value.
	echo    = 4
	readMax = 32 << 10
)

// Masker masks one stream.
type Masker struct {
	plan   *mask.Plan
	tty    bool
	buf    []byte // context that has left, then what has not
	left   int    // bytes of buf that have left
	masked int64
	inside inside

	text []byte // of visible
	at   []int32
}

// inside says that a value which did not end within what is kept is still going on.
type inside uint8

const (
	nothing inside = iota
	token          // until a blank
	pem            // until the END line
)

// New makes a Masker; tty says that a person watches.
func New(plan *mask.Plan, tty bool) *Masker { return &Masker{plan: plan, tty: tty} }

// Passes reports whether everything passes unchanged.
func (m *Masker) Passes() bool { return !m.plan.HasText() }

// Masked is how many values were masked.
func (m *Masker) Masked() int64 { return m.masked }

// Copy moves what from gives to deliver, masked, until from ends or deliver fails. The bytes that deliver gets are valid
// during the call.
func (m *Masker) Copy(from io.Reader, deliver func([]byte) error) error {
	type piece struct {
		b   []byte
		err error
	}
	pieces, stop := make(chan piece), make(chan struct{})
	defer close(stop)
	go func() {
		var buffers [2][]byte // one is read into while the other is masked
		for i := 0; ; i ^= 1 {
			if buffers[i] == nil {
				buffers[i] = make([]byte, readMax)
			}
			n, err := from.Read(buffers[i])
			select {
			case pieces <- piece{buffers[i][:n], err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	var out []byte
	for {
		var late <-chan time.Time
		if m.tty && m.Pending() {
			late = time.After(Pause)
		}
		select {
		case p := <-pieces:
			out = m.Write(out[:0], p.b)
			if p.err != nil {
				out = m.Flush(out)
			}
			if err := deliver(out); err != nil {
				return err
			}
			if p.err != nil {
				if errors.Is(p.err, io.EOF) {
					return nil
				}
				return p.err
			}
		case <-late:
			if err := deliver(m.Flush(nil)); err != nil {
				return err
			}
		}
	}
}

// Pending reports whether something is kept back.
func (m *Masker) Pending() bool { return len(m.buf) > m.left }

// Write takes more, and appends what can leave to dst.
func (m *Masker) Write(dst, b []byte) []byte {
	m.buf = append(m.buf, b...)
	return m.pass(dst, false)
}

// Flush appends all that is kept back.
func (m *Masker) Flush(dst []byte) []byte { return m.pass(dst, true) }

// pass masks what is there and lets go of what can be told.
func (m *Masker) pass(dst []byte, all bool) []byte {
	if m.inside != nothing && !m.skip() {
		return dst
	}
	text, at := m.visible()
	limit := len(m.buf) // raw bytes up to here can leave
	if !all {
		limit = m.safe(text, at)
	}
	from := 0
	for {
		found, ok := m.plan.Find(text, from)
		if !ok {
			break
		}
		start, end := found.Start, found.End
		from = end
		rawStart, rawEnd := at.of(start), at.of(end-1)+1
		if rawEnd <= m.left {
			continue // it has left, before it could be told; nothing of it is here
		}
		if end == len(text) && !all && len(m.buf)-rawStart < keep {
			limit = min(limit, max(rawStart, m.left)) // it may go on
			break
		}
		if rawStart >= limit {
			break
		}
		m.masked++
		if rawStart >= m.left {
			dst = m.plan.ReplaceMatch(append(dst, m.buf[m.left:rawStart]...), text[start:end], found)
		} else {
			dst = append(dst, "***"...) // its beginning has left
		}
		dst = append(dst, escapes(m.buf[max(rawStart, m.left):rawEnd])...)
		m.left = rawEnd
		limit = max(limit, rawEnd)
		if end == len(text) && !all {
			m.inside = token
			if bytes.HasPrefix(text[start:end], []byte(begin)) {
				m.inside = pem
			}
			m.buf, m.left = m.buf[:0], 0
			return dst
		}
	}
	if limit > m.left {
		dst = append(dst, m.buf[m.left:limit]...)
		m.left = limit
	}
	m.forget()
	return dst
}

// skip drops what belongs to a value that is too long; true when it has ended.
func (m *Masker) skip() bool {
	if m.inside == token {
		i := bytes.IndexAny(m.buf, " \t\r\n\"'<>\x1b")
		if i < 0 {
			m.buf = m.buf[:0]
			return false
		}
		m.buf, m.inside = append(m.buf[:0], m.buf[i:]...), nothing
		return true
	}
	if i := bytes.Index(m.buf, []byte(end)); i >= 0 {
		m.buf, m.inside = append(m.buf[:0], m.buf[i+len(end):]...), token
		return m.skip()
	}
	if n := len(m.buf); n > len(end) {
		m.buf = append(m.buf[:0], m.buf[n-len(end):]...)
	}
	return false
}

// forget keeps of what has left only the context.
func (m *Masker) forget() {
	if m.left > 4*context {
		cut := m.left - context
		m.buf = append(m.buf[:0], m.buf[cut:]...)
		m.left -= cut
	}
}

// safe is how many raw bytes can leave: not the last run of characters that could be
// the beginning of a value, nor a key whose end is not there, nor an escape sequence that is cut off.
func (m *Masker) safe(text []byte, at places) int {
	limit := len(m.buf)
	if i := bytes.LastIndexByte(m.buf, 0x1b); i >= 0 && escapeLen(m.buf[i:]) == 0 && len(m.buf)-i < 64 {
		limit = i
	}
	run := len(text)
	for run > 0 && run > len(text)-keep && joins(text, run-1) {
		run--
	}
	if run < len(text) && (!m.tty || len(text)-run > echo || m.sensitive(text[run:])) {
		limit = min(limit, at.of(run))
	}
	if i := bytes.LastIndex(text, []byte(begin)); i >= 0 && openPEM(text[i:]) && len(text)-i < keep {
		limit = min(limit, at.of(i))
	}
	return max(limit, m.left)
}

const (
	begin = "-----BEGIN "
	end   = "-----END "
	// endLine is how long the rest of an END line is at most.
	endLine = 64
)

// openPEM reports whether a text that begins with a BEGIN line has not got the whole END line yet.
func openPEM(text []byte) bool {
	i := bytes.Index(text, []byte(end))
	if i < 0 {
		return true
	}
	line := text[i+len(end):]
	return len(line) < endLine && !bytes.Contains(line, []byte("-----"))
}

// sensitive reports whether a short run is more than a key that is typed.
func (m *Masker) sensitive(run []byte) bool {
	digits := 0
	for _, b := range run {
		if b >= '0' && b <= '9' || b == '@' {
			digits++
		}
	}
	return digits > 1
}

// joins reports whether the character can be within a value: parts of words, and single blanks between digits.
func joins(t []byte, i int) bool {
	b := t[i]
	switch {
	case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= 0x80:
		return true
	case bytes.IndexByte([]byte("@._+-/=%()'~!#&*?^{|}:"), b) >= 0:
		return true
	case b == ' ':
		return i > 0 && (digit(t[i-1]) || t[i-1] == ')' || t[i-1] == ':' || t[i-1] == '=') && (i+1 == len(t) || digit(t[i+1]) || t[i+1] == '(' || upper(t[i+1]))
	}
	return false
}

func digit(b byte) bool { return b >= '0' && b <= '9' }
func upper(b byte) bool { return b >= 'A' && b <= 'Z' }

// places says where in what was looked at each byte of a text is; nil: where it is in the text.
type places []int32

func (p places) of(i int) int {
	if p == nil {
		return i
	}
	return int(p[i])
}

// hidden are bytes that are no text, or begin what is none.
var hidden = [...]byte{0x1b, 0, 0x07, 0x0e, 0x0f}

// visible is the text of what is there, without escape sequences and without what takes no place, and where each of its bytes
// is. It is valid until the next call, and until buf changes.
func (m *Masker) visible() ([]byte, places) {
	b, plain := m.buf, true
	for _, c := range hidden {
		plain = plain && bytes.IndexByte(b, c) < 0
	}
	if plain {
		return b, nil
	}
	text, at := m.text[:0], m.at[:0]
	if at == nil {
		at = []int32{}
	}
	for i := 0; i < len(b); {
		if b[i] == 0x1b {
			n := escapeLen(b[i:])
			if n == 0 && len(b)-i < 64 { // cut off: no text yet
				break
			}
			i += max(n, 1)
			continue
		}
		if b[i] != 0 && b[i] != 0x07 && b[i] != 0x0e && b[i] != 0x0f {
			text, at = append(text, b[i]), append(at, int32(i))
		}
		i++
	}
	m.text, m.at = text, at
	return text, at
}

// escapes are the escape sequences in b: they stay when a value around them goes.
func escapes(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); {
		n := 1
		if b[i] == 0x1b {
			if l := escapeLen(b[i:]); l > 0 {
				out, n = append(out, b[i:i+l]...), l
			}
		}
		i += n
	}
	return out
}

// escapeLen is the length of the escape sequence that b begins with (ECMA-48, 5.4), 0 when it is cut off. Strings (OSC,
// DCS) end with ST or BEL.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b) && i < 64; i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
			if b[i] < 0x20 || b[i] > 0x7e {
				return i
			}
		}
		if len(b) >= 64 {
			return 2
		}
		return 0
	case ']', 'P', 'X', '^', '_': // what they hold is text that a terminal may show (a title): it is looked at
		return 2
	case '(', ')', '#', '%', ' ':
		if len(b) < 3 {
			return 0
		}
		return 3
	}
	return 2
}
