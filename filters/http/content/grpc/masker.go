package grpc

import (
	"bytes"
	"strings"

	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/mask"
)

// Masker masks a gRPC body.
type Masker struct {
	plan   *mask.Plan
	values mask.Values
	dec    *Decoder
	coding []string // of compressed messages
	dst    []byte
	masked int
}

// NewMasker masks by the plan; encoding is the header grpc-encoding, limit is of a
// message, in bytes, 0 for DefaultMessage.
func NewMasker(plan *mask.Plan, encoding string, limit int) (*Masker, error) {
	m := &Masker{plan: plan, values: plan.Values(), dec: NewDecoder(limit)}
	switch e := strings.ToLower(strings.TrimSpace(encoding)); e {
	case "", "identity":
	case "gzip", "deflate", "zstd":
		m.coding = []string{e}
	default:
		return nil, refusal.New(refusal.Coding, "the gRPC encoding is not known here")
	}
	return m, nil
}

// Masked is how many values have been masked so far.
func (m *Masker) Masked() int { return m.masked }

// Write takes the next piece, which is not kept, and appends whole messages to dst.
func (m *Masker) Write(dst, piece []byte) ([]byte, error) {
	m.dst = dst
	err := m.dec.Write(piece, m.message)
	return m.dst, err
}

// Close ends the body.
func (m *Masker) Close(dst []byte) ([]byte, error) { return dst, m.dec.Close() }

func (m *Masker) message(msg *Message) error {
	plain, err := m.plain(msg)
	if err != nil {
		return err
	}
	var out []byte
	var n int
	if msg.Trailers {
		out, n = m.trailers(plain)
	} else if out, n, err = scrub(&m.values, plain, 0); err != nil {
		return err
	}
	if n == 0 {
		m.dst = msg.Append(m.dst)
		return nil
	}
	m.masked += n
	if msg.Compressed {
		e, err := coding.NewEncoder(m.coding)
		if err != nil {
			return err
		}
		packed, err := e.Write(nil, out)
		if err != nil {
			return err
		}
		if out, err = e.Close(packed); err != nil {
			return err
		}
	}
	msg.Data = out
	m.dst = msg.Append(m.dst)
	return nil
}

// trailers masks the lines of gRPC-Web's trailers as header fields.
func (m *Masker) trailers(lines []byte) ([]byte, int) {
	var out []byte
	total := 0
	for line := range bytes.SplitAfterSeq(lines, []byte("\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		text := bytes.TrimSpace(value)
		list := header.List{{Name: strings.ToLower(string(bytes.TrimSpace(name))), Value: string(text)}}
		if masked, n := header.Mask(m.plan, list); found && n > 0 {
			total += n
			line = append(append(append(bytes.Clone(name), ": "...), masked[0].Value...), "\r\n"...)
		}
		out = append(out, line...)
	}
	if again, _, n := m.values.Text(nil, mask.Named{}, nil, out); n > 0 { // what is no field
		return again, total + n
	}
	return out, total
}

func (m *Masker) plain(msg *Message) (plain []byte, err error) {
	if !msg.Compressed {
		return msg.Data, nil
	}
	if m.coding == nil {
		return nil, refusal.New(refusal.Protocol, "a gRPC message is compressed, and no encoding was named")
	}
	d := coding.NewDecoder(m.coding, 0)
	defer d.Abort()
	sink := func(b []byte) error {
		if len(plain)+len(b) > m.dec.limit {
			return refusal.New(refusal.TooLarge, "a gRPC message has more than %d bytes", m.dec.limit)
		}
		plain = append(plain, b...)
		return nil
	}
	if err := d.Write(msg.Data, sink); err != nil {
		return nil, err
	}
	return plain, d.Close(sink)
}
