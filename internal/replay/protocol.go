package replay

import (
	"encoding/hex"
	"encoding/json"
	"unicode/utf8"
)

// Protocol decodes the recorded wire bytes of one session. Frames cut the bytes
// anywhere; a Protocol keeps what it needs between calls, within a bound. What emit gets is
// valid during the call.
type Protocol interface {
	Request(b []byte, emit func(Event) error) error
	Response(b []byte, emit func(Event) error) error
}

// flusher is a Protocol that keeps something back which the text shows together.
type flusher interface {
	Flush(emit func(Event) error) error
}

// newProtocol is the table of protocols, by record.Open's target protocol.
func newProtocol(name string) Protocol {
	switch name {
	case "postgres":
		return newPostgres()
	case "ssh":
		return newSSH()
	case "mysql":
		return newMySQL()
	case "http":
		return httpExchanges{}
	case "kubernetes":
		return &kubernetes{}
	case "rdp":
		return newRDP()
	}
	return raw{}
}

// Event is one decoded message.
type Event struct {
	// Message is the protocol's name of it.
	Message string
	// One of these says what it is for the text; all nil is something that the text leaves out.
	Columns []Column // a result begins
	Row     []Value  // a row of it
	Done    *string  // an operation is complete; its tag
	Report  *Report  // an error or a notice
	Data    []byte   // bytes of a bulk transfer, or of a protocol that is not decoded
	// Lines are what the text shows instead, where the fields above do not do it justice.
	Lines []string
	// Fields are what else the message says.
	Fields map[string]any
}

// Column is a column of a result.
type Column struct {
	Name   string `json:"name"`
	Type   uint32 `json:"type,omitempty"`
	Format int16  `json:"format"`
}

// Value is one value of a row, as text. Hex says that it could not be decoded.
type Value struct {
	Null bool
	Hex  bool
	Text string
}

// Report is an error or a notice.
type Report struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// MarshalJSON writes null, a string, or {"hex": …}.
func (v Value) MarshalJSON() ([]byte, error) {
	switch {
	case v.Null:
		return []byte("null"), nil
	case v.Hex:
		return json.Marshal(map[string]string{"hex": v.Text})
	}
	return json.Marshal(v.Text)
}

// MarshalJSON writes the message's name and what it says in one object.
func (e Event) MarshalJSON() ([]byte, error) {
	m := map[string]any{"message": e.Message}
	for k, v := range e.Fields {
		m[k] = v
	}
	if e.Columns != nil {
		m["columns"] = e.Columns
	}
	if e.Row != nil {
		m["row"] = e.Row
	}
	if e.Done != nil {
		m["tag"] = *e.Done
	}
	if e.Report != nil {
		m["report"] = e.Report
	}
	if e.Data != nil {
		m["data"] = bytesValue(e.Data)
	}
	return json.Marshal(m)
}

// bytesValue shows bytes as text where they are text.
func bytesValue(b []byte) Value {
	if utf8.Valid(b) {
		return Value{Text: string(b)}
	}
	return Value{Hex: true, Text: hex.EncodeToString(b)}
}

// raw is for protocols that nobody decodes yet.
type raw struct{}

func (raw) Request(b []byte, emit func(Event) error) error {
	return emit(Event{Message: "bytes", Data: b})
}

func (raw) Response(b []byte, emit func(Event) error) error {
	return emit(Event{Message: "bytes", Data: b})
}
