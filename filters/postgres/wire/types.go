package wire

// Message types that a client sends (PostgreSQL manual, "Message Formats").
const (
	Bind         = 'B'
	Close        = 'C'
	CopyData     = 'd' // both directions
	CopyDone     = 'c' // both directions
	CopyFail     = 'f'
	Describe     = 'D'
	Execute      = 'E'
	Flush        = 'H'
	FunctionCall = 'F'
	Parse        = 'P'
	Password     = 'p' // also SASL and GSS responses
	Query        = 'Q'
	Sync         = 'S'
	Terminate    = 'X'
)

// Message types that a server sends.
const (
	Authentication       = 'R'
	BackendKeyData       = 'K'
	BindComplete         = '2'
	CloseComplete        = '3'
	CommandComplete      = 'C'
	CopyInResponse       = 'G'
	CopyOutResponse      = 'H'
	CopyBothResponse     = 'W'
	DataRow              = 'D'
	EmptyQuery           = 'I'
	ErrorResponse        = 'E'
	FunctionCallResponse = 'V'
	NegotiateVersion     = 'v'
	NoData               = 'n'
	NoticeResponse       = 'N'
	NotificationResponse = 'A'
	ParameterDescription = 't'
	ParameterStatus      = 'S'
	ParseComplete        = '1'
	PortalSuspended      = 's'
	ReadyForQuery        = 'Z'
	RowDescription       = 'T'
)

// Codes in place of a protocol version in the first packet.
const (
	CancelCode = 80877102
	SSLCode    = 80877103
	GSSCode    = 80877104
)

// Protocol versions, major<<16 | minor.
const (
	Version30 = 3 << 16
	Version32 = 3<<16 | 2
)

// Transaction states in ReadyForQuery.
const (
	TxIdle   = 'I'
	TxBlock  = 'T'
	TxFailed = 'E'
)

// rule says how one type of message is framed.
type rule struct {
	known bool
	// max is the longest body; a longer one is an error.
	max int64
	// whole is the longest body that is given in one piece. A longer one comes in pieces, of
	// which the first holds at least peek bytes of the body.
	whole, peek int
}

// Table is the framing of one direction.
type Table [256]rule

const (
	kib = 1 << 10
	mib = 1 << 20
)

func (t *Table) set(max int64, whole, peek int, types ...byte) {
	for _, c := range types {
		t[c] = rule{known: true, max: max, whole: whole, peek: peek}
	}
}

func (t *Table) small(max int, types ...byte) { t.set(int64(max), max, 0, types...) }

// BindPeek is how much of a Bind that comes in pieces the first piece shows at least.
const BindPeek = 64 * kib

// BindWhole is the largest Bind whose parameters are decoded.
const BindWhole = mib

// Frontend is the table for what clients send: statements up to maxStatement
// bytes come whole, no message is longer than maxMessage.
func Frontend(maxStatement int, maxMessage int64) *Table {
	t := &Table{}
	// A Parse carries up to 65,535 parameter types of 4 bytes, two strings and a count.
	stmt := maxStatement + 4*65535 + 8*kib
	t.set(max(maxMessage, int64(stmt)), stmt, 0, Query, Parse)
	t.set(maxMessage, BindWhole, BindPeek, Bind)
	t.set(maxMessage, 0, 0, CopyData)
	t.set(maxMessage, mib, kib, FunctionCall)
	t.small(64*kib, Password, CopyFail)
	t.small(8*kib, Describe, Close, Execute)
	t.small(0, CopyDone, Flush, Sync, Terminate)
	return t
}

// Backend is the table for what servers send. Rows longer than 64 KiB, COPY
// data and anything else that can be as long as a value come in pieces.
func Backend(maxMessage int64) *Table {
	t := &Table{}
	t.set(maxMessage, 64*kib, 2, DataRow)
	t.set(maxMessage, 0, 0, CopyData)
	t.set(maxMessage, 64*kib, 4, FunctionCallResponse)
	t.set(maxMessage, mib, 0, ErrorResponse, NoticeResponse)
	t.small(mib, RowDescription, ParameterDescription, ParameterStatus, NotificationResponse)
	t.small(64*kib, Authentication, NegotiateVersion, CopyInResponse, CopyOutResponse, CopyBothResponse)
	t.small(8*kib, CommandComplete)
	t.small(512, BackendKeyData)
	t.small(1, ReadyForQuery)
	t.small(0, BindComplete, CloseComplete, CopyDone, EmptyQuery, NoData, ParseComplete, PortalSuspended)
	return t
}

// Only is a table with a single type of message.
func Only(typ byte, maxBody int) *Table {
	t := &Table{}
	t.small(maxBody, typ)
	return t
}
