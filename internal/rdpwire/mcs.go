package rdpwire

import (
	"bytes"
	"errors"
	"fmt"
)

// Kinds of domain PDUs (T.125 7), as the six high bits of the first byte.
const (
	mcsErectDomain   = 1
	mcsDisconnect    = 8
	mcsAttachRequest = 10
	mcsAttachConfirm = 11
	mcsJoinRequest   = 14
	mcsJoinConfirm   = 15
	mcsSendRequest   = 25
	mcsSendIndicate  = 26
)

// userBase is what user ids count from in PER.
const userBase = 1001

// domainParameters of T.125 11.1: channels, users, tokens, priorities, throughput, height, size of PDUs, version.
var (
	paramsTarget = []uint16{34, 2, 0, 1, 0, 1, 0xffff, 2}
	paramsMin    = []uint16{1, 1, 1, 1, 0, 1, 0x420, 2}
	paramsMax    = []uint16{0xffff, 0xfc17, 0xffff, 1, 0, 1, 0xffff, 2}
)

func appendParams(b []byte, p []uint16) []byte {
	var in []byte
	for _, v := range p {
		if v < 0x80 {
			in = append(in, tagInt, 1, byte(v))
		} else {
			in = append(in, tagInt, 3, 0, byte(v>>8), byte(v))
		}
	}
	return appendBER(b, in, tagSequence)
}

// ParseConnectInitial gives the client's GCC blocks from the payload of a data TPDU.
func ParseConnectInitial(b []byte) (ClientData, error) {
	c := cursor{b: b}
	in, err := c.ber(0x7f, 0x65)
	if err != nil {
		return ClientData{}, err
	}
	c = cursor{b: in}
	for _, tag := range []byte{tagOctets, tagOctets, tagBool, tagSequence, tagSequence, tagSequence} {
		if _, err := c.ber(tag); err != nil {
			return ClientData{}, err
		}
	}
	user, err := c.ber(tagOctets)
	if err != nil {
		return ClientData{}, err
	}
	return parseConferenceRequest(user)
}

// AppendConnectInitial appends the payload that carries blocks.
func AppendConnectInitial(b []byte, blocks []byte) []byte {
	in := appendBER(nil, []byte{1}, tagOctets)
	in = appendBER(in, []byte{1}, tagOctets)
	in = appendBER(in, []byte{0xff}, tagBool)
	for _, p := range [][]uint16{paramsTarget, paramsMin, paramsMax} {
		in = appendParams(in, p)
	}
	in = appendBER(in, appendConferenceRequest(nil, blocks), tagOctets)
	return appendBER(b, in, 0x7f, 0x65)
}

// ParseConnectResponse gives the server's GCC blocks.
func ParseConnectResponse(b []byte) (ServerData, error) {
	c := cursor{b: b}
	in, err := c.ber(0x7f, 0x66)
	if err != nil {
		return ServerData{}, err
	}
	c = cursor{b: in}
	result, err := c.ber(tagEnum)
	if err != nil || !bytes.Equal(result, []byte{0}) {
		return ServerData{}, errors.Join(err, fmt.Errorf("rdp: MCS refuses with %x", result))
	}
	if _, err := c.ber(tagInt); err != nil {
		return ServerData{}, err
	}
	if _, err := c.ber(tagSequence); err != nil {
		return ServerData{}, err
	}
	user, err := c.ber(tagOctets)
	if err != nil {
		return ServerData{}, err
	}
	return parseConferenceResponse(user)
}

// AppendConnectResponse appends the payload that carries blocks.
func AppendConnectResponse(b []byte, blocks []byte) []byte {
	in := appendBER(nil, []byte{0}, tagEnum)
	in = appendBER(in, []byte{0}, tagInt)
	in = appendParams(in, paramsTarget)
	in = appendBER(in, appendConferenceResponse(nil, blocks), tagOctets)
	return appendBER(b, in, 0x7f, 0x66)
}

// Domain is a domain PDU. Which of the fields count depends on Kind.
type Domain struct {
	Kind    byte
	User    uint16
	Channel uint16
	Reason  byte   // of a disconnection
	Data    []byte // of a send
}

// Kinds of Domain that a caller tells apart.
const (
	ErectDomain   = mcsErectDomain
	Disconnect    = mcsDisconnect
	AttachRequest = mcsAttachRequest
	AttachConfirm = mcsAttachConfirm
	JoinRequest   = mcsJoinRequest
	JoinConfirm   = mcsJoinConfirm
	SendRequest   = mcsSendRequest
	SendIndicate  = mcsSendIndicate
)

// ParseDomain reads the payload of a data TPDU. A confirm that refuses is an error.
func ParseDomain(b []byte) (Domain, error) {
	c := cursor{b: b}
	first := c.u8()
	d := Domain{Kind: first >> 2}
	user := func() uint16 { return c.be16() + userBase }
	result := byte(0)
	switch d.Kind {
	case mcsErectDomain, mcsAttachRequest:
	case mcsDisconnect:
		d.Reason = first&3<<1 | c.u8()>>7
	case mcsAttachConfirm:
		if result = c.u8(); first&2 != 0 {
			d.User = user()
		}
	case mcsJoinRequest:
		d.User, d.Channel = user(), c.be16()
	case mcsJoinConfirm:
		result = c.u8()
		d.User = user()
		c.be16()
		if first&2 != 0 {
			d.Channel = c.be16()
		}
	case mcsSendRequest, mcsSendIndicate:
		d.User, d.Channel = user(), c.be16()
		c.u8() // priority and segmentation: all of it, always
		d.Data = c.take(c.perLength())
	default:
		return d, fmt.Errorf("rdp: MCS PDU %d", d.Kind)
	}
	if result != 0 {
		return d, fmt.Errorf("rdp: MCS refuses with %d", result)
	}
	return d, c.err("rdp: MCS")
}

// AppendDomain appends the payload of a data TPDU. Data may not be over MaxMCS.
func AppendDomain(b []byte, d Domain) []byte {
	user := d.User - userBase
	switch d.Kind {
	case mcsErectDomain:
		return append(b, mcsErectDomain<<2, 1, 0, 1, 0)
	case mcsDisconnect:
		return append(b, mcsDisconnect<<2|d.Reason>>1, d.Reason<<7)
	case mcsAttachRequest:
		return append(b, mcsAttachRequest<<2)
	case mcsAttachConfirm:
		return putBE(append(b, mcsAttachConfirm<<2|2, 0), user)
	case mcsJoinRequest:
		return putBE(putBE(append(b, mcsJoinRequest<<2), user), d.Channel)
	case mcsJoinConfirm:
		return putBE(putBE(putBE(append(b, mcsJoinConfirm<<2|2, 0), user), d.Channel), d.Channel)
	}
	b = putBE(putBE(append(b, d.Kind<<2), user), d.Channel)
	return append(appendPERLength(append(b, 0x70), len(d.Data)), d.Data...)
}
