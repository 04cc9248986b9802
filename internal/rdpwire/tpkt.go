package rdpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A PDU is either a TPKT (T.123 8: version 3, reserved, 16-bit length of all) or of the fast path (MS-RDPBCGR 2.2.8.1.2,
// 2.2.9.1.2: the low two bits of the first byte are 0; then a length of 7 or, with the high bit set, 15 bits).
const (
	tpktVersion = 3
	tpktHead    = 4
	// MaxPDU is the longest PDU that either header can announce.
	MaxPDU = 0xffff
)

// PDULength gives the length of the PDU that head begins; 0 when head is too short to tell (4 bytes always do).
func PDULength(head []byte) (int, error) {
	if len(head) < 2 {
		return 0, nil
	}
	switch {
	case head[0] == tpktVersion:
		if len(head) < tpktHead {
			return 0, nil
		}
		n := int(binary.BigEndian.Uint16(head[2:]))
		if n < tpktHead+2 {
			return 0, fmt.Errorf("rdp: a TPKT of %d bytes", n)
		}
		return n, nil
	case head[0]&3 == 0:
		n, size := int(head[1]), 2
		if head[1]&0x80 != 0 {
			if len(head) < 3 {
				return 0, nil
			}
			n, size = int(binary.BigEndian.Uint16(head[1:])&0x7fff), 3
		}
		if n <= size {
			return 0, fmt.Errorf("rdp: a fast-path PDU of %d bytes", n)
		}
		return n, nil
	}
	return 0, fmt.Errorf("rdp: neither TPKT nor fast path: first byte %#x", head[0])
}

// IsTPKT reports which kind a whole PDU is.
func IsTPKT(pdu []byte) bool { return len(pdu) > 0 && pdu[0] == tpktVersion }

// appendTPKT frames an X.224 TPDU that make appends.
func appendTPKT(b []byte, make func([]byte) []byte) []byte {
	at := len(b)
	b = make(append(b, tpktVersion, 0, 0, 0))
	binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at))
	return b
}

// X.224 (ISO 8073) codes of TPDUs.
const (
	x224Request = 0xe0
	x224Confirm = 0xd0
	x224Data    = 0xf0
)

// dataHead begins every data TPDU: length indicator, code, end of TSDU.
var dataHead = []byte{2, x224Data, 0x80}

// Data is what a TPKT carries in a data TPDU.
func Data(pdu []byte) ([]byte, error) {
	if len(pdu) < tpktHead+3 || pdu[0] != tpktVersion || pdu[4] != 2 || pdu[5] != x224Data || pdu[6] != 0x80 {
		return nil, errors.New("rdp: no X.224 data")
	}
	return pdu[tpktHead+3:], nil
}

// AppendData frames payload as data. A payload over MaxPayload does not fit.
func AppendData(b, payload []byte) []byte {
	return appendTPKT(b, func(b []byte) []byte { return append(append(b, dataHead...), payload...) })
}

// MaxPayload is what one data TPDU can carry.
const MaxPayload = MaxPDU - tpktHead - 3
