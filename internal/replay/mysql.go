package replay

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// mysql decodes the protocol of MySQL and MariaDB after the login. A client waits for the answer to each command, so
// the last command says what an answer is.
type mysql struct {
	up, down wire.Reader
	com      byte
	stmt     uint32 // that the command is about
	infile   bool
	phase    myPhase
	left     int
	params   int // definitions of parameters that come before the columns
	eof      bool
	defs     []wire.Column
	known    map[uint32][]wire.Column // of statements that were run
	lost     bool
}

// myPhase is where in an answer the target is.
type myPhase uint8

const (
	myHead myPhase = iota
	myColumns
	myFirst // the packet after the columns, which may be an EOF
	myRows
)

func newMySQL() *mysql {
	r := wire.Reader{Keep: maxMessage, Max: 1 << 40}
	return &mysql{up: r, down: r, known: map[uint32][]wire.Column{}}
}

func (p *mysql) Request(b []byte, emit func(Event) error) error {
	return p.messages(&p.up, b, p.request, emit)
}

func (p *mysql) Response(b []byte, emit func(Event) error) error {
	return p.messages(&p.down, b, p.response, emit)
}

func (p *mysql) messages(r *wire.Reader, b []byte, f func(*wire.Piece) Event, emit func(Event) error) error {
	if p.lost {
		return emit(Event{Message: "bytes", Data: b})
	}
	r.Feed(b)
	for {
		m, ok, err := r.Next()
		if err != nil {
			p.lost = true
			return emit(Event{Message: "bytes", Data: b})
		}
		if !ok {
			r.Keeps()
			return nil
		}
		switch {
		case m.Whole():
			err = emit(f(&m))
		case m.First:
			err = emit(Event{Message: "long packet"})
		}
		if err != nil {
			return err
		}
	}
}

// myCommands are the names of commands.
var myCommands = map[byte]string{wire.ComQuit: "Quit", wire.ComInitDB: "InitDB", wire.ComQuery: "Query", wire.ComFieldList: "FieldList",
	wire.ComStatistics: "Statistics", wire.ComPing: "Ping", wire.ComStmtPrepare: "Prepare", wire.ComStmtExecute: "Execute",
	wire.ComStmtLongData: "SendLongData", wire.ComStmtClose: "Close", wire.ComStmtReset: "Reset", wire.ComSetOption: "SetOption",
	wire.ComStmtFetch: "Fetch", wire.ComResetConnection: "ResetConnection", wire.ComProcessKill: "Kill"}

func (p *mysql) request(m *wire.Piece) Event {
	if p.infile {
		p.infile = len(m.Body) > 0
		return Event{Message: "FileData", Data: m.Body}
	}
	if len(m.Body) == 0 {
		return Event{Message: "empty packet"}
	}
	com, rest := m.Body[0], m.Body[1:]
	e := Event{Message: myCommands[com]}
	if e.Message == "" {
		e.Message = fmt.Sprintf("command %#x", com)
	}
	if com != wire.ComStmtLongData && com != wire.ComStmtClose {
		p.com, p.phase, p.infile, p.defs = com, myHead, false, nil
	}
	switch com {
	case wire.ComQuery, wire.ComStmtPrepare:
		e.Fields = map[string]any{"query": bytesValue(rest)}
	case wire.ComInitDB:
		e.Fields = map[string]any{"database": bytesValue(rest)}
	case wire.ComStmtExecute, wire.ComStmtFetch, wire.ComStmtReset, wire.ComStmtClose, wire.ComStmtLongData:
		if len(rest) >= 4 {
			id := uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16 | uint32(rest[3])<<24
			e.Fields = map[string]any{"statement": id}
			if com == wire.ComStmtExecute || com == wire.ComStmtFetch {
				p.stmt = id
			}
			if com == wire.ComStmtFetch {
				p.defs, p.phase = p.known[id], myRows
			}
			if com == wire.ComStmtLongData && len(rest) >= 6 {
				e.Data = rest[6:]
			}
		}
	}
	return e
}

func (p *mysql) response(m *wire.Piece) Event {
	b := m.Body
	if len(b) == 0 && p.phase != myRows {
		return Event{Message: "empty packet"}
	}
	if len(b) > 0 && b[0] == wire.HeadErr {
		p.phase = myHead
		if e, err := wire.DecodeError(b); err == nil {
			return Event{Message: "ERR", Report: &Report{Severity: "ERROR", Code: e.State, Message: e.Message},
				Fields: map[string]any{"number": e.Number}}
		}
	}
	switch p.phase {
	case myColumns:
		return p.column(b)
	case myFirst:
		p.phase = myRows
		if _, err := wire.DecodeEOF(b); err == nil && p.com != wire.ComStmtPrepare {
			p.eof = true
			return Event{Message: "EOF"}
		}
		return p.row(b)
	case myRows:
		return p.row(b)
	}
	return p.head(b)
}

// head is the first packet of an answer.
func (p *mysql) head(b []byte) Event {
	switch {
	case p.com == wire.ComStmtPrepare && b[0] == wire.HeadOK:
		if ok, err := wire.DecodePrepared(b); err == nil {
			p.left, p.params = ok.Params+ok.Columns, ok.Params
			if p.left > 0 {
				p.phase = myColumns
			}
			return Event{Message: "Prepared", Fields: map[string]any{"statement": ok.ID, "parameters": ok.Params, "columns": ok.Columns}}
		}
	case p.com == wire.ComStatistics:
		return Event{Message: "Statistics", Data: b}
	case p.com == wire.ComFieldList:
		if def, err := wire.DecodeColumn(b); err == nil {
			return Event{Message: "Column", Fields: map[string]any{"name": def.Name}}
		}
		return Event{Message: "EOF"}
	case b[0] == wire.HeadOK || b[0] == wire.HeadEOF:
		return p.ok(b, "OK")
	case b[0] == wire.HeadInfile:
		p.infile = true
		return Event{Message: "FileWanted", Fields: map[string]any{"file": bytesValue(b[1:])}}
	}
	n, rest, err := wire.Lenenc(b)
	if err != nil || len(rest) > 0 || n == 0 || n > 1<<16 {
		return Event{Message: "packet", Data: b}
	}
	p.left, p.params, p.defs, p.phase = int(n), 0, nil, myColumns
	return Event{Message: "Columns", Fields: map[string]any{"count": n}}
}

// ok is an OK packet, or the EOF that ends rows.
func (p *mysql) ok(b []byte, name string) Event {
	p.phase = myHead
	ok, err := wire.DecodeEOF(b)
	if err != nil {
		ok, err = wire.DecodeOK(b)
	}
	if err != nil {
		return Event{Message: name}
	}
	tag := name
	if ok.Affected > 0 {
		tag += " " + strconv.FormatUint(ok.Affected, 10)
	}
	return Event{Message: name, Done: &tag, Fields: map[string]any{"affected": ok.Affected, "warnings": ok.Warnings}}
}

func (p *mysql) column(b []byte) Event {
	if _, err := wire.DecodeEOF(b); err == nil { // behind the parameters
		return Event{Message: "EOF"}
	}
	def, err := wire.DecodeColumn(b)
	if err != nil {
		return Event{Message: "packet", Data: b}
	}
	p.left--
	if p.com == wire.ComStmtPrepare {
		if p.left == 0 {
			p.phase = myHead
		}
		return Event{Message: "Column", Fields: map[string]any{"name": def.Name}}
	}
	p.defs = append(p.defs, def)
	if p.left > 0 {
		return Event{Message: "Column", Fields: map[string]any{"name": def.Name}}
	}
	p.phase = myFirst
	if p.com == wire.ComStmtExecute {
		if len(p.known) >= maxNames {
			clear(p.known)
		}
		p.known[p.stmt] = p.defs
	}
	cols := make([]Column, len(p.defs))
	for i, d := range p.defs {
		cols[i] = Column{Name: d.Name, Type: uint32(d.Type)}
	}
	return Event{Message: "Columns", Columns: cols}
}

// row is a row, or the end of them.
func (p *mysql) row(b []byte) Event {
	if len(b) > 0 && b[0] == wire.HeadEOF && len(b) < wire.MaxPacket {
		return p.ok(b, "EOF")
	}
	values := p.textRow
	if p.com != wire.ComQuery {
		values = p.binaryRow
	}
	row, ok := values(b)
	if !ok {
		return Event{Message: "row", Data: b}
	}
	return Event{Message: "Row", Row: row}
}

func (p *mysql) textRow(b []byte) ([]Value, bool) {
	out := make([]Value, len(p.defs))
	for i := range out {
		if len(b) > 0 && b[0] == 0xfb {
			out[i], b = Value{Null: true}, b[1:]
			continue
		}
		v, rest, err := wire.LenencString(b)
		if err != nil {
			return nil, false
		}
		out[i], b = bytesValue(v), rest
	}
	return out, len(b) == 0
}

func (p *mysql) binaryRow(b []byte) ([]Value, bool) {
	n := (len(p.defs) + 9) / 8
	if len(b) < 1+n || b[0] != 0 {
		return nil, false
	}
	nulls, b := b[1:1+n], b[1+n:]
	out := make([]Value, len(p.defs))
	for i := range out {
		if nulls[(i+2)/8]&(1<<((i+2)%8)) != 0 {
			out[i] = Value{Null: true}
			continue
		}
		d := &p.defs[i]
		_, v, rest, err := wire.BinaryValue(d.Type, b)
		if err != nil {
			return nil, false
		}
		b = rest
		out[i] = Value{Text: wire.BinaryText(d.Type, d.Flags&wire.FlagUnsigned != 0, v)}
		if !utf8.ValidString(out[i].Text) {
			out[i] = Value{Hex: true, Text: hex.EncodeToString(v)}
		}
	}
	return out, len(b) == 0
}
