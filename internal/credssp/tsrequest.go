package credssp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// tsRequest is the one message of CredSSP (MS-CSSP 2.2.1), in DER:
//
//	SEQUENCE { version [0] INTEGER, negoTokens [1] SEQUENCE OF SEQUENCE { [0] OCTET STRING } OPTIONAL,
//	  authInfo [2] OCTET STRING OPTIONAL, pubKeyAuth [3] OCTET STRING OPTIONAL, errorCode [4] INTEGER OPTIONAL,
//	  clientNonce [5] OCTET STRING OPTIONAL }
type tsRequest struct {
	version   int
	token     []byte
	authInfo  []byte
	publicKey []byte
	errorCode uint32 // an NTSTATUS
	nonce     []byte
}

// maxRequest bounds a message; NTLM's are under 2 KiB.
const maxRequest = 32 << 10

const (
	derInteger  = 0x02
	derOctets   = 0x04
	derSequence = 0x30
	derContext  = 0xa0
)

// element takes one element off b.
func element(b []byte) (tag byte, content, rest []byte, err error) {
	head, n, err := elementSize(b)
	if err != nil {
		return 0, nil, nil, err
	}
	if head == 0 || len(b)-head < n {
		return 0, nil, nil, errors.New("credssp: an element that is cut off")
	}
	return b[0], b[head : head+n], b[head+n:], nil
}

// elementSize reads tag and length: how long they are, zero when b is too short for them, and how long the content is.
func elementSize(b []byte) (head, n int, err error) {
	if len(b) < 2 {
		return 0, 0, nil
	}
	if b[1] < 0x80 {
		return 2, int(b[1]), nil
	}
	size := int(b[1] & 0x7f)
	if size == 0 || size > 3 {
		return 0, 0, fmt.Errorf("credssp: a length of %d bytes", size)
	}
	if len(b) < 2+size {
		return 0, 0, nil
	}
	for _, v := range b[2 : 2+size] {
		n = n<<8 | int(v)
	}
	if n > maxRequest {
		return 0, 0, fmt.Errorf("credssp: an element of %d bytes", n)
	}
	return 2 + size, n, nil
}

// inner takes the content of the one element with tag that b is.
func inner(b []byte, tag byte) ([]byte, error) {
	t, content, rest, err := element(b)
	if err == nil && (t != tag || len(rest) > 0) {
		err = fmt.Errorf("credssp: element %#x, not %#x", t, tag)
	}
	return content, err
}

func parseInteger(b []byte) (uint32, error) {
	v, err := inner(b, derInteger)
	if err != nil || len(v) == 0 || len(v) > 5 || len(v) == 5 && v[0] != 0 {
		return 0, errors.Join(err, errors.New("credssp: malformed number"))
	}
	var n uint32
	for _, x := range v {
		n = n<<8 | uint32(x)
	}
	return n, nil
}

func parseRequest(b []byte) (r tsRequest, err error) {
	fields, err := inner(b, derSequence)
	if err != nil {
		return r, err
	}
	for len(fields) > 0 {
		tag, content, rest, err := element(fields)
		if err != nil {
			return r, err
		}
		fields = rest
		switch tag {
		case derContext:
			var v uint32
			v, err = parseInteger(content)
			r.version = int(v & 0xffff)
		case derContext + 1:
			r.token, err = parseToken(content)
		case derContext + 2:
			r.authInfo, err = inner(content, derOctets)
		case derContext + 3:
			r.publicKey, err = inner(content, derOctets)
		case derContext + 4:
			r.errorCode, err = parseInteger(content)
		case derContext + 5:
			r.nonce, err = inner(content, derOctets)
		default:
			err = fmt.Errorf("credssp: field %#x", tag)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// parseToken takes the first of the tokens; there is one.
func parseToken(b []byte) ([]byte, error) {
	list, err := inner(b, derSequence)
	if err != nil {
		return nil, err
	}
	tag, one, _, err := element(list)
	if err != nil || tag != derSequence {
		return nil, errors.Join(err, errors.New("credssp: malformed tokens"))
	}
	if one, err = inner(one, derContext); err != nil {
		return nil, err
	}
	return inner(one, derOctets)
}

// wrapDER makes an element of content.
func wrapDER(tag byte, content ...[]byte) []byte {
	n := 0
	for _, c := range content {
		n += len(c)
	}
	b := []byte{tag}
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, 0x82), uint16(n))
	}
	for _, c := range content {
		b = append(b, c...)
	}
	return b
}

func (r tsRequest) encode() []byte {
	fields := [][]byte{wrapDER(derContext, wrapDER(derInteger, []byte{byte(r.version)}))}
	if r.token != nil {
		fields = append(fields, wrapDER(derContext+1, wrapDER(derSequence, wrapDER(derSequence, wrapDER(derContext, wrapDER(derOctets, r.token))))))
	}
	for _, f := range []struct {
		tag byte
		v   []byte
	}{{2, r.authInfo}, {3, r.publicKey}, {5, r.nonce}} {
		if f.v != nil {
			fields = append(fields, wrapDER(derContext+f.tag, wrapDER(derOctets, f.v)))
		}
	}
	return wrapDER(derSequence, fields...)
}
