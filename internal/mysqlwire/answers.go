package mysqlwire

import (
	"encoding/binary"
)

// First bytes of answers.
const (
	HeadOK       = 0x00
	HeadMoreAuth = 0x01
	HeadInfile   = 0xfb
	HeadEOF      = 0xfe
	HeadErr      = 0xff
)

// Status flags (SERVER_…).
const (
	StatusInTrans       = 0x0001
	StatusAutocommit    = 0x0002
	StatusMoreResults   = 0x0008
	StatusCursorExists  = 0x0040
	StatusLastRowSent   = 0x0080
	StatusNoBackslash   = 0x0200
	StatusOutParams     = 0x1000
	StatusSessionChange = 0x4000
)

// Commands (COM_…).
const (
	ComQuit            = 0x01
	ComInitDB          = 0x02
	ComQuery           = 0x03
	ComFieldList       = 0x04
	ComCreateDB        = 0x05
	ComDropDB          = 0x06
	ComRefresh         = 0x07
	ComShutdown        = 0x08
	ComStatistics      = 0x09
	ComProcessInfo     = 0x0a
	ComConnect         = 0x0b
	ComProcessKill     = 0x0c
	ComDebug           = 0x0d
	ComPing            = 0x0e
	ComChangeUser      = 0x11
	ComBinlogDump      = 0x12
	ComTableDump       = 0x13
	ComRegisterSlave   = 0x15
	ComStmtPrepare     = 0x16
	ComStmtExecute     = 0x17
	ComStmtLongData    = 0x18
	ComStmtClose       = 0x19
	ComStmtReset       = 0x1a
	ComSetOption       = 0x1b
	ComStmtFetch       = 0x1c
	ComDaemon          = 0x1d
	ComBinlogDumpGTID  = 0x1e
	ComResetConnection = 0x1f
)

// OK is an OK packet, or the EOF that stands in its place.
type OK struct {
	Affected, InsertID uint64
	Status             uint16
	Warnings           uint16
	Info               []byte // with session state, as it came
}

// DecodeOK reads an OK packet: 0x00 or 0xfe, affected rows, insert id (both length-encoded), status (2), warnings (2), info.
func DecodeOK(b []byte) (OK, error) {
	var ok OK
	if len(b) < 1 || b[0] != HeadOK && b[0] != HeadEOF {
		return ok, ErrShort
	}
	var err error
	b = b[1:]
	if ok.Affected, b, err = Lenenc(b); err != nil {
		return ok, err
	}
	if ok.InsertID, b, err = Lenenc(b); err != nil {
		return ok, err
	}
	if len(b) < 4 {
		return ok, ErrShort
	}
	ok.Status, ok.Warnings, ok.Info = binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), b[4:]
	return ok, nil
}

// DecodeEOF reads an EOF packet: 0xfe, warnings (2), status (2).
func DecodeEOF(b []byte) (OK, error) {
	if len(b) != 5 || b[0] != HeadEOF {
		return OK{}, ErrShort
	}
	return OK{Warnings: binary.LittleEndian.Uint16(b[1:]), Status: binary.LittleEndian.Uint16(b[3:])}, nil
}

// AppendOK appends the payload of an OK packet.
func AppendOK(b []byte, ok OK) []byte {
	b = AppendLenenc(append(b, HeadOK), ok.Affected)
	b = AppendLenenc(b, ok.InsertID)
	b = append(b, byte(ok.Status), byte(ok.Status>>8), byte(ok.Warnings), byte(ok.Warnings>>8))
	return append(b, ok.Info...)
}

// Error is an ERR packet. It is an error so that it can be passed on as one.
type Error struct {
	Number  uint16
	State   string // SQLSTATE
	Message string
}

func (e *Error) Error() string { return e.Message }

// maxMessage is the longest message of an ERR packet that clients take (MYSQL_ERRMSG_SIZE).
const maxMessage = 511

// Append appends the payload: 0xff, number (2), '#', SQLSTATE (5), message.
func (e *Error) Append(b []byte) []byte {
	b = append(b, HeadErr, byte(e.Number), byte(e.Number>>8), '#')
	state := e.State
	if len(state) != 5 {
		state = "HY000"
	}
	return append(append(b, state...), cut(e.Message, maxMessage)...)
}

// cut shortens s to n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// DecodeError reads an ERR packet; its strings are copies.
func DecodeError(b []byte) (Error, error) {
	if len(b) < 3 || b[0] != HeadErr {
		return Error{}, ErrShort
	}
	e := Error{Number: binary.LittleEndian.Uint16(b[1:]), State: "HY000"}
	b = b[3:]
	if len(b) >= 6 && b[0] == '#' {
		e.State, b = string(b[1:6]), b[6:]
	}
	e.Message = string(b)
	return e, nil
}

// Prepared is the answer to COM_STMT_PREPARE.
type Prepared struct {
	ID              uint32
	Columns, Params int
}

// DecodePrepared reads it: 0x00, id (4), columns (2), parameters (2), 0, warnings (2).
func DecodePrepared(b []byte) (Prepared, error) {
	if len(b) < 9 || b[0] != HeadOK {
		return Prepared{}, ErrShort
	}
	return Prepared{ID: binary.LittleEndian.Uint32(b[1:]), Columns: int(binary.LittleEndian.Uint16(b[5:])),
		Params: int(binary.LittleEndian.Uint16(b[7:]))}, nil
}

// Types of columns and parameters.
const (
	TypeDecimal    = 0x00
	TypeTiny       = 0x01
	TypeShort      = 0x02
	TypeLong       = 0x03
	TypeFloat      = 0x04
	TypeDouble     = 0x05
	TypeNull       = 0x06
	TypeTimestamp  = 0x07
	TypeLonglong   = 0x08
	TypeInt24      = 0x09
	TypeDate       = 0x0a
	TypeTime       = 0x0b
	TypeDatetime   = 0x0c
	TypeYear       = 0x0d
	TypeNewDate    = 0x0e
	TypeVarchar    = 0x0f
	TypeBit        = 0x10
	TypeTimestamp2 = 0x11
	TypeDatetime2  = 0x12
	TypeTime2      = 0x13
	TypeJSON       = 0xf5
	TypeNewDecimal = 0xf6
	TypeEnum       = 0xf7
	TypeSet        = 0xf8
	TypeTinyBlob   = 0xf9
	TypeMediumBlob = 0xfa
	TypeLongBlob   = 0xfb
	TypeBlob       = 0xfc
	TypeVarString  = 0xfd
	TypeString     = 0xfe
	TypeGeometry   = 0xff
)

// Flags of columns.
const FlagUnsigned = 0x0020

// CharsetBinary is the collation of binary strings.
const CharsetBinary = 63

// Column is the definition of a result's column.
type Column struct {
	Schema   string
	Table    string // alias
	OrgTable string
	Name     string // alias
	OrgName  string
	Charset  uint16
	Length   uint32
	Type     byte
	Flags    uint16
	Decimals byte
}

// DecodeColumn reads a column definition: catalog, schema, table, org table, name, org name (length-encoded
// strings), 0x0c, charset (2), length (4), type (1), flags (2), decimals (1), filler (2). Its strings are copies.
func DecodeColumn(b []byte) (Column, error) {
	var c Column
	var err error
	if _, b, err = LenencString(b); err != nil {
		return c, err
	}
	for _, to := range [...]*string{&c.Schema, &c.Table, &c.OrgTable, &c.Name, &c.OrgName} {
		var s []byte
		if s, b, err = LenencString(b); err != nil {
			return c, err
		}
		*to = string(s)
	}
	n, b, err := Lenenc(b)
	if err != nil || n < 10 || len(b) < 10 {
		return c, ErrShort
	}
	c.Charset, c.Length = binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint32(b[2:])
	c.Type, c.Flags, c.Decimals = b[6], binary.LittleEndian.Uint16(b[7:]), b[9]
	return c, nil
}
