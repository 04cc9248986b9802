package websocket

import (
	"encoding/binary"
	"unicode/utf8"

	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// DefaultMessage is how many bytes a message may have that is masked.
const DefaultMessage = 4 << 20

// Message is a whole message, or a control frame, as it goes out.
type Message struct {
	Opcode  byte
	Payload []byte // borrowed until the call returns
	Masked  int    // values masked in it
}

// Masker masks the messages that a server sends. Message by message: fragments are
// put together, and a message goes out as one frame; control frames go out at once.
type Masker struct {
	plan    *mask.Plan
	values  mask.Values
	json    *jsonbody.Masker
	limit   int
	dec     *Decoder
	observe func(*Message)
	opcode  byte   // of the message
	buf     []byte // of the message
	control []byte
	dst     []byte
	masked  int
}

// NewMasker masks by a plan; limit is of a message, in bytes, 0 for DefaultMessage.
// observe is called with each message that goes out, and may be nil.
func NewMasker(plan *mask.Plan, limit int, observe func(*Message)) *Masker {
	if limit <= 0 {
		limit = DefaultMessage
	}
	if observe == nil {
		observe = func(*Message) {}
	}
	return &Masker{plan: plan, values: plan.Values(), json: jsonbody.New(plan, jsonbody.Limits{}), limit: limit,
		dec: NewDecoder(false), observe: observe}
}

// Masked is how many values have been masked so far.
func (m *Masker) Masked() int { return m.masked }

// Write takes the next bytes, which are not kept, and appends whole frames to dst.
func (m *Masker) Write(dst, b []byte) ([]byte, error) {
	m.dst = dst
	err := m.dec.Write(b, m.piece)
	dst, m.dst = m.dst, nil
	return dst, err
}

// Close ends the connection. What there is of a message is dropped.
func (m *Masker) Close(dst []byte) ([]byte, error) { return dst, nil }

func (m *Masker) piece(p *Piece) error {
	if p.Header.Control() {
		m.control = append(m.control, p.Payload...)
		if !p.Last {
			return nil
		}
		payload := m.control
		m.control = m.control[:0]
		out, n := m.controlPayload(p.Header.Opcode, payload)
		return m.send(p.Header.Opcode, out, n)
	}
	if p.First && p.Header.Opcode != Continuation {
		m.opcode, m.buf = p.Header.Opcode, m.buf[:0]
	}
	if len(m.buf)+len(p.Payload) > m.limit {
		return refusal.New(refusal.TooLarge, "a WebSocket message has more than %d bytes", m.limit)
	}
	m.buf = append(m.buf, p.Payload...)
	if !p.Last || !p.Header.Fin {
		return nil
	}
	out, n, err := m.message(m.opcode, m.buf)
	if err != nil {
		return err
	}
	return m.send(m.opcode, out, n)
}

func (m *Masker) send(opcode byte, payload []byte, masked int) error {
	m.masked += masked
	h := Header{Fin: true, Opcode: opcode, Length: int64(len(payload))}
	m.dst = append(h.Append(m.dst), payload...)
	m.observe(&Message{Opcode: opcode, Payload: payload, Masked: masked})
	return nil
}

// controlPayload masks what is told in a control frame: a close frame has a code of two bytes first.
func (m *Masker) controlPayload(opcode byte, b []byte) ([]byte, int) {
	code, text := []byte(nil), b
	if opcode == Close && len(b) >= 2 {
		code, text = b[:2:2], b[2:]
	}
	out, _, n := m.values.Text(nil, mask.Named{}, nil, text)
	if n == 0 {
		return b, 0
	}
	out = append(code, out...)
	for len(out) > MaxControl || opcode == Close && !utf8.Valid(out[len(code):]) && len(out) > len(code) {
		out = out[:len(out)-1]
	}
	return out, n
}

// message masks a whole message: as JSON where it is JSON, else as text; what is neither is opaque.
func (m *Masker) message(opcode byte, b []byte) ([]byte, int, error) {
	switch {
	case len(b) == 0 || !m.plan.Content():
		return b, 0, nil
	case opcode == Text && !utf8.Valid(b):
		return nil, 0, refusal.New(refusal.Charset, "a WebSocket message of text is not UTF-8")
	case !utf8.Valid(b) || !printable(b):
		if m.plan.PassOpaque() {
			return b, 0, nil
		}
		return nil, 0, refusal.New(refusal.Opaque, "a binary WebSocket message cannot be looked into")
	}
	m.json.Reset()
	before := m.json.Masked()
	out, err := m.json.Write(nil, b)
	if err == nil {
		out, err = m.json.Close(out)
	}
	if err == nil {
		return out, m.json.Masked() - before, nil
	}
	if !m.plan.PassText() || m.plan.HasJSON() && jsonbody.Looks(b) {
		return nil, 0, refusal.New(refusal.Opaque, "a WebSocket message is not JSON, and masks name JSON paths")
	}
	out, _, n := m.values.Text(nil, mask.Named{}, nil, b)
	if n == 0 {
		return b, 0, nil
	}
	return out, n, nil
}

// printable reports whether b can be text.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != 0x1B {
			return false
		}
	}
	return true
}

// CloseFrame is a close frame of a server, with a code of RFC 6455, section 7.4, and words for people.
func CloseFrame(code uint16, reason string) []byte {
	payload := binary.BigEndian.AppendUint16(nil, code)
	payload = append(payload, reason...)
	for len(payload) > MaxControl || !utf8.Valid(payload[2:]) && len(payload) > 2 {
		payload = payload[:len(payload)-1]
	}
	h := Header{Fin: true, Opcode: Close, Length: int64(len(payload))}
	return append(h.Append(nil), payload...)
}

// Codes of close frames that the gateway sends.
const (
	CodeProtocol = 1002 // a frame is broken
	CodePolicy   = 1008 // policy does not allow it, or masks cannot look into it
	CodeTooLarge = 1009
)
