package mysqlwire

import (
	"encoding/base64"
	"encoding/binary"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
)

// Execute is a COM_STMT_EXECUTE.
type Execute struct {
	ID     uint32
	Flags  byte
	Rounds uint32 // how often, always 1
	rest   []byte
}

// DecodeExecute reads the payload: command (1), statement (4), flags (1), iterations (4), parameters.
func DecodeExecute(b []byte) (Execute, error) {
	if len(b) < 10 || b[0] != ComStmtExecute {
		return Execute{}, ErrShort
	}
	return Execute{ID: binary.LittleEndian.Uint32(b[1:]), Flags: b[5], Rounds: binary.LittleEndian.Uint32(b[6:]), rest: b[10:]}, nil
}

// ParamType is the type of a parameter: its type, and 0x80 in the second byte when it is unsigned.
type ParamType struct{ Type, Flags byte }

// Params reads n parameters: NULL bitmap ((n+7)/8), new types follow (1), types (2 each), values. types are those of
// the last execution, for when none come; those in force are given back. long tells which were
// sent before, by COM_STMT_SEND_LONG_DATA: these are not in the message.
func (e *Execute) Params(n int, types []ParamType, long func(i int) (action.Param, bool)) ([]action.Param, []ParamType, error) {
	if n == 0 {
		return []action.Param{}, types, nil
	}
	b := e.rest
	bitmap := (n + 7) / 8
	if len(b) < bitmap+1 {
		return nil, nil, ErrShort
	}
	nulls := b[:bitmap]
	bound := b[bitmap]
	b = b[bitmap+1:]
	switch {
	case bound == 1:
		if len(b) < 2*n {
			return nil, nil, ErrShort
		}
		types = make([]ParamType, n)
		for i := range types {
			types[i] = ParamType{b[2*i], b[2*i+1]}
		}
		b = b[2*n:]
	case bound != 0 || len(types) != n:
		return nil, nil, ErrShort
	}
	out := make([]action.Param, n)
	for i := range out {
		if p, ok := long(i); ok {
			out[i] = p
			continue
		}
		if nulls[i/8]&(1<<(i%8)) != 0 || types[i].Type == TypeNull {
			out[i] = action.Param{Null: true}
			continue
		}
		_, v, rest, err := BinaryValue(types[i].Type, b)
		if err != nil {
			return nil, nil, err
		}
		b = rest
		out[i] = Param(types[i], v)
	}
	if len(b) != 0 {
		return nil, nil, ErrShort
	}
	return out, types, nil
}

// Param is a value as policy and people see it.
func Param(t ParamType, v []byte) action.Param {
	s := BinaryText(t.Type, t.Flags&0x80 != 0, v)
	if !utf8.ValidString(s) {
		return action.Param{Value: base64.StdEncoding.EncodeToString(v), Encoding: "base64"}
	}
	return action.Param{Value: s}
}
