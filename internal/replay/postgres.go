package replay

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// maxMessage is the longest message that is decoded; of longer ones only the length is told.
const maxMessage = 4 << 20

// postgres decodes protocol 3 after the startup: type (1), length (4, with itself), body.
type postgres struct {
	up, down pgStream
	types    *pgtype.Map // nil until it is needed
	flow     pgFlow
}

func newPostgres() *postgres { return &postgres{flow: newFlow()} }

func (p *postgres) Request(b []byte, emit func(Event) error) error {
	return p.up.messages(b, func(typ byte, body []byte) error { return emit(p.request(typ, body)) }, emit)
}

func (p *postgres) Response(b []byte, emit func(Event) error) error {
	return p.down.messages(b, func(typ byte, body []byte) error { return emit(p.response(typ, body)) }, emit)
}

// pgStream cuts one direction's bytes into messages.
type pgStream struct {
	pending []byte
	skip    int // bytes of a long message that are still to come
	lost    bool
}

func (s *pgStream) messages(b []byte, f func(byte, []byte) error, emit func(Event) error) error {
	if s.lost {
		return emit(Event{Message: "bytes", Data: b})
	}
	if len(s.pending) > 0 {
		s.pending = append(s.pending, b...)
		b = s.pending
	}
	for len(b) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.skip -= n
			b = b[n:]
			continue
		}
		if len(b) < 5 {
			break
		}
		n := int(binary.BigEndian.Uint32(b[1:]))
		if n < 4 || !(b[0] >= 'A' && b[0] <= 'z' || b[0] >= '1' && b[0] <= '3') {
			s.lost = true // not what this decoder knows: shown as bytes from here on
			return emit(Event{Message: "bytes", Data: b})
		}
		if n > maxMessage {
			s.skip = n + 1
			if err := emit(Event{Message: "long message " + string(rune(b[0])), Fields: map[string]any{"length": n}}); err != nil {
				return err
			}
			continue
		}
		if len(b) < n+1 {
			break
		}
		if err := f(b[0], b[5:n+1]); err != nil {
			return err
		}
		b = b[n+1:]
	}
	s.pending = append(s.pending[:0], b...)
	return nil
}

// undecoded shows a message that does not decode.
func undecoded(typ byte, body []byte) Event {
	return Event{Message: "undecoded " + string(rune(typ)), Fields: map[string]any{"hex": hex.EncodeToString(body)}}
}

// message decodes a body with pgproto3.
func message(m interface{ Decode([]byte) error }, body []byte) bool { return m.Decode(body) == nil }

func (p *postgres) request(typ byte, body []byte) Event {
	switch typ {
	case 'Q':
		var m pgproto3.Query
		p.flow.ask(pgOp{typ: 'Q'})
		if message(&m, body) {
			return Event{Message: "Query", Fields: map[string]any{"query": m.String}}
		}
	case 'P':
		var m pgproto3.Parse
		if message(&m, body) {
			p.flow.ask(pgOp{typ: 'P'})
			return Event{Message: "Parse", Fields: map[string]any{"name": m.Name, "query": m.Query, "types": m.ParameterOIDs}}
		}
	case 'B':
		var m pgproto3.Bind
		if message(&m, body) {
			p.flow.bind(&m)
			return Event{Message: "Bind", Fields: map[string]any{"portal": m.DestinationPortal, "statement": m.PreparedStatement,
				"parameters": values(m.Parameters), "parameter_formats": m.ParameterFormatCodes, "result_formats": m.ResultFormatCodes}}
		}
	case 'E':
		var m pgproto3.Execute
		if message(&m, body) {
			p.flow.askPortal('E', m.Portal)
			return Event{Message: "Execute", Fields: map[string]any{"portal": m.Portal, "max_rows": m.MaxRows}}
		}
	case 'D', 'C':
		name := map[byte]string{'D': "Describe", 'C': "Close"}[typ]
		if len(body) > 1 {
			p.flow.about(typ, body[0], string(body[1:len(body)-1]))
			return Event{Message: name, Fields: map[string]any{"object": string(body[:1]), "name": string(body[1 : len(body)-1])}}
		}
	case 'd':
		return Event{Message: "CopyData", Data: body}
	case 'f':
		return Event{Message: "CopyFail", Fields: map[string]any{"reason": text(body)}}
	case 'F':
		p.flow.ask(pgOp{typ: 'Q'}) // answered like one, by a ReadyForQuery
		return Event{Message: "FunctionCall", Fields: map[string]any{"length": len(body)}}
	case 'p':
		return Event{Message: "Password", Fields: map[string]any{"length": len(body)}} // never its content
	case 'S', 'H', 'X', 'c':
		if typ == 'S' {
			p.flow.ask(pgOp{typ: 'S'})
		}
		return Event{Message: map[byte]string{'S': "Sync", 'H': "Flush", 'X': "Terminate", 'c': "CopyDone"}[typ]}
	}
	return undecoded(typ, body)
}

func (p *postgres) response(typ byte, body []byte) Event {
	switch typ {
	case 'T':
		var m pgproto3.RowDescription
		if message(&m, body) {
			return p.description(&m)
		}
	case 'D':
		var m pgproto3.DataRow
		if message(&m, body) {
			return p.row(m.Values)
		}
	case 'C':
		p.flow.done('E')
		tag := text(body)
		return Event{Message: "CommandComplete", Done: &tag}
	case 'E', 'N':
		if typ == 'E' {
			p.flow.failed()
		}
		if e, ok := report(typ, body); ok {
			return e
		}
	case 'Z':
		p.flow.ready()
		return Event{Message: "ReadyForQuery", Fields: map[string]any{"transaction": string(body)}}
	case 'S':
		var m pgproto3.ParameterStatus
		if message(&m, body) {
			return Event{Message: "ParameterStatus", Fields: map[string]any{"name": m.Name, "value": m.Value}}
		}
	case 'A':
		var m pgproto3.NotificationResponse
		if message(&m, body) {
			return Event{Message: "NotificationResponse", Fields: map[string]any{"channel": m.Channel, "payload": m.Payload, "pid": m.PID}}
		}
	case 't':
		var m pgproto3.ParameterDescription
		if message(&m, body) {
			return Event{Message: "ParameterDescription", Fields: map[string]any{"types": m.ParameterOIDs}}
		}
	case 'd':
		return Event{Message: "CopyData", Data: body}
	case 'K': // the cancel key is a secret
		return Event{Message: "BackendKeyData"}
	default:
		if op, ok := pgAnswers[typ]; ok {
			p.flow.done(op)
		}
		if name, ok := pgPlain[typ]; ok {
			return Event{Message: name}
		}
	}
	return undecoded(typ, body)
}

// pgPlain are answers whose content people do not need.
var pgPlain = map[byte]string{'1': "ParseComplete", '2': "BindComplete", '3': "CloseComplete", 'n': "NoData", 'I': "EmptyQueryResponse",
	's': "PortalSuspended", 'G': "CopyInResponse", 'H': "CopyOutResponse", 'W': "CopyBothResponse", 'c': "CopyDone",
	'R': "Authentication", 'V': "FunctionCallResponse", 'v': "NegotiateProtocolVersion"}

// pgAnswers are the answers that end a request of that type.
var pgAnswers = map[byte]byte{'1': 'P', '2': 'B', '3': 'C', 'n': 'D', 's': 'E', 'I': 'E'}

func (p *postgres) description(m *pgproto3.RowDescription) Event {
	fields := make([]pgproto3.FieldDescription, len(m.Fields))
	for i, f := range m.Fields {
		f.Name = append([]byte(nil), f.Name...)
		fields[i] = f
	}
	if p.flow.described(fields) {
		return Event{Message: "RowDescription", Columns: columns(fields)}
	}
	return Event{Message: "RowDescription", Fields: map[string]any{"columns": columns(fields)}}
}

func columns(fields []pgproto3.FieldDescription) []Column {
	cols := make([]Column, len(fields))
	for i, f := range fields {
		cols[i] = Column{Name: string(f.Name), Type: f.DataTypeOID, Format: f.Format}
	}
	return cols
}

// row shows a row's values. Where its columns are not known they are taken as text if they are text. The
// first row of an Execute brings its columns along: they may have been described long before.
func (p *postgres) row(raw [][]byte) Event {
	cols, first := p.flow.row(len(raw))
	out := make([]Value, len(raw))
	for i, b := range raw {
		switch {
		case b == nil:
			out[i] = Value{Null: true}
		case i < len(cols) && cols[i].Format == pgtype.BinaryFormatCode:
			out[i] = p.binary(cols[i].DataTypeOID, b)
		default:
			out[i] = bytesValue(b)
		}
	}
	e := Event{Message: "DataRow", Row: out}
	if first {
		e.Columns = columns(cols)
	}
	return e
}

// binary shows a value of the binary format as its type's text.
func (p *postgres) binary(oid uint32, b []byte) Value {
	if oid == pgtype.JSONBOID && len(b) > 0 && b[0] == 1 && utf8.Valid(b) { // version 1 is the text
		return Value{Text: string(b[1:])}
	}
	if p.types == nil {
		p.types = pgtype.NewMap()
	}
	if t, ok := p.types.TypeForOID(oid); ok {
		if v, err := t.Codec.DecodeValue(p.types, oid, pgtype.BinaryFormatCode, b); err == nil {
			if s, ok := v.(string); ok && utf8.ValidString(s) {
				return Value{Text: s}
			}
			if s, err := p.types.Encode(oid, pgtype.TextFormatCode, v, nil); err == nil && utf8.Valid(s) {
				if oid == pgtype.TimeOID {
					s = bytes.TrimSuffix(s, []byte(".000000"))
				}
				return Value{Text: string(s)}
			}
		}
	}
	return Value{Hex: true, Text: hex.EncodeToString(b)}
}

func values(raw [][]byte) []Value {
	out := make([]Value, len(raw))
	for i, b := range raw {
		if b == nil {
			out[i] = Value{Null: true}
		} else {
			out[i] = bytesValue(b)
		}
	}
	return out
}

func report(typ byte, body []byte) (Event, bool) {
	var m pgproto3.ErrorResponse
	if !message(&m, body) {
		return Event{}, false
	}
	name := map[byte]string{'E': "ErrorResponse", 'N': "NoticeResponse"}[typ]
	e := Event{Message: name, Report: &Report{Severity: m.Severity, Code: m.Code, Message: m.Message, Detail: m.Detail, Hint: m.Hint}}
	if m.Position != 0 {
		e.Fields = map[string]any{"position": fmt.Sprint(m.Position)}
	}
	return e, true
}

// text is a NUL-terminated string.
func text(b []byte) string {
	if n := len(b); n > 0 && b[n-1] == 0 {
		b = b[:n-1]
	}
	return string(b)
}
