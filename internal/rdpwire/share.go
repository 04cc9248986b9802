package rdpwire

import (
	"errors"
	"fmt"
)

// Kinds of share control PDUs (MS-RDPBCGR 2.2.8.1.1.1.1).
const (
	ShareDemandActive  = 1
	ShareConfirmActive = 3
	ShareDeactivate    = 6
	ShareData          = 7
	ShareRedirection   = 10
)

// Kinds of share data PDUs (2.2.8.1.1.1.2).
const (
	DataUpdate          = 2
	DataControl         = 20
	DataPointer         = 27
	DataInput           = 28
	DataSynchronize     = 31
	DataRefreshRect     = 33
	DataPlaySound       = 34
	DataSuppressOutput  = 35
	DataShutdownRequest = 36
	DataShutdownDenied  = 37
	DataSaveSession     = 38
	DataFontList        = 39
	DataFontMap         = 40
	DataKeyIndicators   = 41
	DataPersistentList  = 43
	DataIMEStatus       = 45
	DataErrorInfo       = 47
	DataARCStatus       = 50
	DataStatusInfo      = 54
	DataMonitorLayout   = 55
	DataFrameAck        = 56
)

// Share is a share control PDU and, for kind ShareData, its share data header.
type Share struct {
	Kind    byte
	Source  uint16 // MCS channel of the sender
	ShareID uint32 // of ShareData
	Type    byte   // of ShareData
	Body    []byte // behind the headers
}

// flow is the length that a flow PDU has in its place; it means nothing any more (2.2.8.1.1.1.1).
const flow = 0x8000

// NextShare reads the first share PDU of data and gives what is behind it: there may be several. A PDU that says nothing has Kind 0.
func NextShare(b []byte) (Share, []byte, error) {
	c := cursor{b: b}
	n := int(c.u16())
	if n == flow {
		return Share{}, nil, nil
	}
	if c.bad || n < 4 || n > len(b) {
		return Share{}, nil, fmt.Errorf("rdp: share control of %d bytes: %w", n, ErrShort)
	}
	c = cursor{b: b[2:n]}
	s := Share{Kind: byte(c.u16() & 0xf)}
	if len(c.b) > 0 || s.Kind != ShareDeactivate { // some servers leave the source away there
		s.Source = c.u16()
	}
	if s.Kind == ShareData {
		s.ShareID = c.u32()
		c.u8()  // pad
		c.u8()  // stream
		c.u16() // uncompressed length
		s.Type = c.u8()
		if compressed := c.u8(); compressed&0x20 != 0 {
			return s, nil, errors.New("rdp: a compressed PDU, which was not negotiated")
		}
		c.u16()
	}
	s.Body = c.b
	return s, b[n:], c.err("rdp: share")
}

// shareVersion is TS_PROTOCOL_VERSION in the PDU type.
const shareVersion = 0x10

// AppendShare appends a share PDU.
func AppendShare(b []byte, s Share) []byte {
	n := 6 + len(s.Body)
	if s.Kind == ShareData {
		n += 12
	}
	b = put16(put16(put16(b, uint16(n)), uint16(s.Kind)|shareVersion), s.Source)
	if s.Kind == ShareData {
		b = append(put32(b, s.ShareID), 0, 1) // stream: low
		b = append(put16(b, uint16(len(s.Body)+4)), s.Type, 0)
		b = put16(b, 0)
	}
	return append(b, s.Body...)
}

// Active is a Demand or Confirm Active PDU (2.2.1.13).
type Active struct {
	ShareID uint32
	Sets    []CapSet
}

// serverOriginator is the originatorId of every Confirm Active (2.2.1.13.2.1).
const serverOriginator = 0x03ea

// maxSets bounds capability sets; some 30 kinds exist.
const maxSets = 64

// ParseDemandActive reads the body of a share PDU of that kind, ParseConfirmActive the client's.
func ParseDemandActive(b []byte) (Active, error)  { return parseActive(b, false) }
func ParseConfirmActive(b []byte) (Active, error) { return parseActive(b, true) }

func parseActive(b []byte, confirm bool) (Active, error) {
	c := cursor{b: b}
	a := Active{ShareID: c.u32()}
	if confirm {
		c.u16()
	}
	source := int(c.u16())
	c.u16() // length of the sets; theirs count
	c.take(source)
	n := int(c.u16())
	c.u16()
	if n > maxSets {
		return a, fmt.Errorf("rdp: %d capability sets", n)
	}
	for range n {
		kind, size := c.u16(), int(c.u16())
		a.Sets = append(a.Sets, CapSet{kind, c.take(size - 4)})
	}
	return a, c.err("rdp: capabilities")
}

// AppendDemandActive appends the body of such a PDU, AppendConfirmActive the client's.
func AppendDemandActive(b []byte, a Active) []byte {
	return put32(appendSets(put32(b, a.ShareID), a.Sets), 0)
}

func AppendConfirmActive(b []byte, a Active) []byte {
	return appendSets(put16(put32(b, a.ShareID), serverOriginator), a.Sets)
}

// sourceName is the source descriptor.
var sourceName = []byte{'R', 'D', 'P', 0}

func appendSets(b []byte, sets []CapSet) []byte {
	n := 4
	for _, s := range sets {
		n += 4 + len(s.Body)
	}
	b = put16(put16(b, uint16(len(sourceName))), uint16(n))
	b = put16(put16(append(b, sourceName...), uint16(len(sets))), 0)
	for _, s := range sets {
		b = append(put16(put16(b, s.Kind), uint16(4+len(s.Body))), s.Body...)
	}
	return b
}
