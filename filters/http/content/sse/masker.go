package sse

import (
	"bytes"

	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/internal/mask"
)

// Masker masks an event stream: each event's data as a JSON document where it is
// one, else as text. Events are given out as soon as they are whole.
type Masker struct {
	plan   *mask.Plan
	values mask.Values
	dec    *Decoder
	json   *jsonbody.Masker
	dst    []byte
	buf    []byte
	masked int
}

// NewMasker masks by the plan; limit is of an event, in bytes, 0 for DefaultEvent.
func NewMasker(plan *mask.Plan, limit int, lim jsonbody.Limits) *Masker {
	return &Masker{plan: plan, values: plan.Values(), dec: NewDecoder(limit), json: jsonbody.New(plan, lim)}
}

// Masked is how many values have been masked so far.
func (m *Masker) Masked() int { return m.masked + m.json.Masked() }

// Write takes the next piece, which is not kept, and appends whole events to dst.
func (m *Masker) Write(dst, piece []byte) ([]byte, error) {
	m.dst = dst
	err := m.dec.Write(piece, m.event)
	return m.dst, err
}

// Close ends the stream.
func (m *Masker) Close(dst []byte) ([]byte, error) {
	m.dst = dst
	err := m.dec.Close(m.event)
	return m.dst, err
}

func (m *Masker) event(e *Event) error {
	var err error
	if e.HasData {
		if e.Data, err = m.data(e.Data); err != nil {
			return err
		}
	}
	e.Type, e.ID, e.Retry = m.text(e.Type), m.text(e.ID), m.text(e.Retry)
	for i := range e.Comments {
		e.Comments[i] = m.text(e.Comments[i])
	}
	m.dst = e.Append(m.dst)
	return nil
}

func (m *Masker) text(b []byte) []byte {
	out, _, n := m.values.Text(nil, mask.Named{}, nil, b)
	if n == 0 {
		return b
	}
	m.masked += n
	return bytes.ReplaceAll(out, []byte("\n"), []byte(" "))
}

// done is what some services end their streams with; it is no JSON, and has no data.
const done = "[DONE]"

func (m *Masker) data(b []byte) ([]byte, error) {
	if len(bytes.TrimSpace(b)) == 0 || string(b) == done {
		return b, nil
	}
	before := m.json.Masked()
	m.json.Reset()
	out, err := m.json.Write(m.buf[:0], b)
	if err == nil {
		out, err = m.json.Close(out)
	}
	m.buf = out
	if err == nil {
		return out, nil
	}
	m.masked -= m.json.Masked() - before // what did not come out does not count
	if bytes.IndexByte(b, 0) >= 0 {
		return nil, refusal.New(refusal.Charset, "an event has zero bytes")
	}
	if !m.plan.PassText() || m.plan.HasJSON() && jsonbody.Looks(b) {
		return nil, refusal.New(refusal.Opaque, "an event's data is not JSON, and masks name JSON paths")
	}
	return m.text(b), nil
}
