package rdpwire

import (
	"bytes"
	"errors"
	"fmt"
)

// Security protocols of the negotiation (MS-RDPBCGR 2.2.1.1.1, 2.2.1.2.1).
const (
	ProtocolRDP      = 0
	ProtocolSSL      = 1
	ProtocolHybrid   = 2 // CredSSP
	ProtocolHybridEx = 8
)

// Failure codes (2.2.1.2.2).
const (
	FailSSLRequired    = 1
	FailHybridRequired = 5
)

const (
	negRequest  = 1
	negResponse = 2
	negFailure  = 3
	negLen      = 8
	maxCookie   = 1024 // bytes of routing token or cookie; FreeRDP and mstsc send under 64
)

// ConnectRequest is a client's first message.
type ConnectRequest struct {
	Cookie    string // "mstshash=NAME", or a routing token; "" without one
	Protocols uint32 // what the client can do; meaningful with Negotiates
	// Negotiates is false for clients of RDP 5.1 and older.
	Negotiates bool
}

// ParseConnectRequest reads a whole PDU.
func ParseConnectRequest(pdu []byte) (ConnectRequest, error) {
	var r ConnectRequest
	body, err := connectTPDU(pdu, x224Request)
	if err != nil {
		return r, err
	}
	if end := bytes.Index(body, []byte("\r\n")); end >= 0 && end <= maxCookie && body[0] != negRequest {
		r.Cookie = string(bytes.TrimPrefix(body[:end], []byte("Cookie: ")))
		body = body[end+2:]
	}
	if len(body) == 0 {
		return r, nil
	}
	c := cursor{b: body}
	kind, _, n, protocols := c.u8(), c.u8(), c.u16(), c.u32()
	if c.bad || kind != negRequest || n != negLen {
		return r, errors.New("rdp: a malformed negotiation request")
	}
	r.Negotiates, r.Protocols = true, protocols
	return r, nil
}

// connectTPDU gives what is behind the fixed part of a CR or CC TPDU.
func connectTPDU(pdu []byte, code byte) ([]byte, error) {
	if len(pdu) < tpktHead+7 || pdu[0] != tpktVersion || int(pdu[4]) != len(pdu)-tpktHead-1 || pdu[5] != code {
		return nil, fmt.Errorf("rdp: no X.224 connection message %#x", code)
	}
	return pdu[tpktHead+7:], nil
}

func appendConnect(b []byte, code byte, body []byte) []byte {
	return appendTPKT(b, func(b []byte) []byte {
		return append(append(b, byte(6+len(body)), code, 0, 0, 0, 0, 0), body...)
	})
}

// AppendConnectRequest appends the request of one who can do protocols.
func AppendConnectRequest(b []byte, protocols uint32) []byte {
	return appendConnect(b, x224Request, put32(put16([]byte{negRequest, 0}, negLen), protocols))
}

// AppendConnectConfirm appends the answer that chooses a protocol.
func AppendConnectConfirm(b []byte, protocol uint32) []byte {
	return appendConnect(b, x224Confirm, put32(put16([]byte{negResponse, 1}, negLen), protocol)) // flag: extended client data
}

// AppendConnectFailure appends the answer that refuses.
func AppendConnectFailure(b []byte, code uint32) []byte {
	return appendConnect(b, x224Confirm, put32(put16([]byte{negFailure, 0}, negLen), code))
}

// FailureError is a server's refusal to negotiate.
type FailureError uint32

func (f FailureError) Error() string {
	switch f {
	case FailSSLRequired:
		return "rdp: the server asks for TLS"
	case 2:
		return "rdp: the server does not allow TLS"
	case 3:
		return "rdp: the server has no certificate"
	case FailHybridRequired:
		return "rdp: the server asks for network level authentication"
	}
	return fmt.Sprintf("rdp: the negotiation failed with code %d", uint32(f))
}

// ParseConnectConfirm gives the protocol that a server chose. The error is a FailureError when it refused.
func ParseConnectConfirm(pdu []byte) (uint32, error) {
	body, err := connectTPDU(pdu, x224Confirm)
	if err != nil {
		return 0, err
	}
	if len(body) == 0 {
		return ProtocolRDP, nil
	}
	c := cursor{b: body}
	kind, _, n, v := c.u8(), c.u8(), c.u16(), c.u32()
	switch {
	case c.bad || n != negLen:
	case kind == negResponse:
		return v, nil
	case kind == negFailure:
		return 0, FailureError(v)
	}
	return 0, errors.New("rdp: a malformed negotiation response")
}
